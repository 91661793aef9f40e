package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockException;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/** Changes a refcount of a closed image behind the driver's back. */
final class RefcountPatch {
    private RefcountPatch() {}

    /** @param value of at most as many bits as a count of the image, which are at least 2 */
    static void set(MemoryFile file, long cluster, long value) {
        SparseBytes image = file.snapshot();
        int clusterBits = (int) number(image, 20, 4);
        int bits = 1 << number(image, 96, 4);
        long countsInBlock = (8L << clusterBits) / bits;
        long block = number(image, number(image, 48, 8) + 8 * (cluster / countsInBlock), 8);
        long bitInBlock = cluster % countsInBlock * bits;
        byte[] bytes;
        long at = block + bitInBlock / 8;
        if (bits >= 8) {
            bytes = new byte[bits / 8];
            for (int i = 0; i < bytes.length; i++) {
                bytes[i] = (byte) (value >>> 8 * (bytes.length - 1 - i));
            }
        } else {
            bytes = image.read(at, 1);
            int shift = (int) (bitInBlock % 8);
            bytes[0] = (byte) (bytes[0] & ~((1 << bits) - 1 << shift) | (int) value << shift);
        }
        MemoryProtocol protocol = new MemoryProtocol(file);
        try {
            protocol.write(at, MemorySegment.ofArray(bytes));
        } catch (BlockException e) {
            throw new AssertionError(e);
        } finally {
            protocol.close();
        }
    }

    private static long number(SparseBytes image, long offset, int bytes) {
        ByteBuffer value = ByteBuffer.allocate(8);
        value.put(8 - bytes, image.read(offset, bytes));
        return value.getLong(0);
    }
}
