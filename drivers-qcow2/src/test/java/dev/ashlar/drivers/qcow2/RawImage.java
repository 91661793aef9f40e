package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockException;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/** An image's bytes, read and changed without the driver. */
final class RawImage {
    private static final long OFFSET = 0x00ff_ffff_ffff_fe00L;

    private final MemoryProtocol file;

    RawImage(MemoryFile file) {
        this.file = new MemoryProtocol(file);
    }

    MemoryProtocol file() {
        return file;
    }

    byte[] bytes(long offset, int count) {
        byte[] bytes = new byte[count];
        file.read(offset, MemorySegment.ofArray(bytes));
        return bytes;
    }

    long u64(long offset) {
        return ByteBuffer.wrap(bytes(offset, 8)).getLong();
    }

    int u32(long offset) {
        return ByteBuffer.wrap(bytes(offset, 4)).getInt();
    }

    void put(long offset, byte... bytes) throws BlockException {
        file.write(offset, MemorySegment.ofArray(bytes));
    }

    void putU64(long offset, long value) throws BlockException {
        put(offset, ByteBuffer.allocate(8).putLong(value).array());
    }

    void putU32(long offset, int value) throws BlockException {
        put(offset, ByteBuffer.allocate(4).putInt(value).array());
    }

    long sizeBytes() {
        return u64(24);
    }

    /** The first refcount block. */
    long refcountBlock() {
        return u64(u64(48));
    }

    long l1Table() {
        return u64(40);
    }

    long refcountTable() {
        return u64(48);
    }

    /** Refcount blocks, and how many of them count themselves. */
    int[] refcountBlocks() {
        int words = u32(56) << clusterBits() - 3;
        int order = u32(96);
        int[] found = new int[2];
        for (int i = 0; i < words; i++) {
            long block = u64(refcountTable() + 8L * i);
            if (block != 0) {
                found[0]++;
                found[1] += block >> clusterBits() >> clusterBits() + 3 - order == i ? 1 : 0;
            }
        }
        return found;
    }

    /** The L2 table of an entry, 0 for none. */
    long l2Table(int l1Index) {
        return u64(l1Table() + 8L * l1Index) & OFFSET;
    }

    int clusterBits() {
        return u32(20);
    }

    /** Sets a count of 16 bits in the first block. */
    void putCount(long cluster, int count) throws BlockException {
        put(refcountBlock() + 2 * cluster, (byte) (count >> 8), (byte) count);
    }
}
