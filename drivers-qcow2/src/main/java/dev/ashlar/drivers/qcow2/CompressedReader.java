package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.TableEntry;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/** Reads compressed clusters: a raw deflate stream of at most as many bytes as the L2 word allows, of which one cluster comes out. */
final class CompressedReader {
    private final ClusterGeometry geometry;
    private final ChildAccess data;

    CompressedReader(ClusterGeometry geometry, ChildAccess data) {
        this.geometry = geometry;
        this.data = data;
    }

    /** @param word the L2 word of the one cluster in which the range lies */
    void read(long word, long guestOffset, MemorySegment destination) throws BlockException {
        long hostOffset = TableEntry.compressedOffset(word, geometry);
        int compressedBytes = TableEntry.compressedBytes(word, geometry);
        int from = geometry.inCluster(guestOffset);
        ByteBuffer plain = ByteBuffer.allocate(geometry.clusterBytes());
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment compressed = arena.allocate(compressedBytes, 4096);
            data.read(hostOffset, compressed);
            inflate(compressed.asByteBuffer(), plain, hostOffset);
        }
        MemorySegment.copy(MemorySegment.ofArray(plain.array()), from, destination, 0, destination.byteSize());
    }

    private static void inflate(ByteBuffer compressed, ByteBuffer plain, long hostOffset) throws BlockException {
        Inflater inflater = new Inflater(true);
        try {
            inflater.setInput(compressed);
            while (plain.hasRemaining()) {
                if (inflater.inflate(plain) == 0) {
                    throw broken(hostOffset, null);
                }
            }
        } catch (DataFormatException e) {
            throw broken(hostOffset, e);
        } finally {
            inflater.end();
        }
    }

    private static BlockException broken(
            long hostOffset, @org.jspecify.annotations.Nullable DataFormatException cause) {
        return new BlockException(
                Kind.IO, "Compressed cluster at offset 0x" + Long.toHexString(hostOffset) + " is corrupt", cause);
    }
}
