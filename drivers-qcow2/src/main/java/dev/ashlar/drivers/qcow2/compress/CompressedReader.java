package dev.ashlar.drivers.qcow2.compress;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.TableEntry;
import java.lang.foreign.MemorySegment;

/**
 * Reads compressed clusters: a stream of at most as many bytes as the L2 word allows, of which exactly one cluster comes out. Whatever the stream says, no more
 * than that is written or allocated; a stream that is damaged, too long or too short is an I/O error of this cluster alone.
 */
public final class CompressedReader {
    private final ClusterGeometry geometry;
    private final ChildAccess data;
    private final ClusterCodec codec;

    public CompressedReader(ClusterGeometry geometry, ChildAccess data, ClusterCodec codec) {
        this.geometry = geometry;
        this.data = data;
        this.codec = codec;
    }

    /** @param word the L2 word of the one cluster in which the range lies */
    public void read(long word, long guestOffset, MemorySegment destination) throws BlockException {
        long hostOffset = TableEntry.compressedOffset(word, geometry);
        ClusterCodec.Reader reader = codec.takeReader();
        try {
            MemorySegment compressed = reader.input(TableEntry.compressedBytes(word, geometry));
            data.read(hostOffset, compressed);
            boolean whole = destination.byteSize() == geometry.clusterBytes();
            MemorySegment content = whole ? destination : reader.cluster();
            if (!reader.decompress(compressed, content)) {
                throw new BlockException(
                        Kind.IO, "Compressed cluster at offset 0x" + Long.toHexString(hostOffset) + " is corrupt");
            }
            if (!whole) {
                MemorySegment.copy(content, geometry.inCluster(guestOffset), destination, 0, destination.byteSize());
            }
        } finally {
            codec.giveBack(reader);
        }
    }
}
