package dev.ashlar.drivers.qcow2.compress;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.CompressionCapable;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.nativeio.codec.BlockCompressor;
import dev.ashlar.nativeio.codec.BlockDecompressor;
import dev.ashlar.nativeio.codec.Compression;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Compresses and decompresses clusters of one image; any number of threads. Codecs and buffers are made when first needed and kept for the next request.
 */
public final class ClusterCodec implements AutoCloseable {
    private final Compression compression;
    private final int clusterBytes;
    private final Spares<Writer> writers = new Spares<>();
    private final Spares<Reader> readers = new Spares<>();

    /** @param compressionType as in the header: 0 deflate, 1 zstd */
    public ClusterCodec(int compressionType, ClusterGeometry geometry) {
        this.compression = compressionType == 1 ? Compression.ZSTD : Compression.DEFLATE;
        this.clusterBytes = geometry.clusterBytes();
    }

    private void requireAvailable() throws BlockException {
        if (!compression.isAvailable()) {
            throw new BlockException(
                    Kind.UNSUPPORTED, "Compression type zstd is not supported here: libzstd.so.1 is not installed");
        }
    }

    /**
     * @param content one cluster; a shorter one is filled up with zeros
     * @param destination of one cluster's length
     * @return bytes of the destination that were filled, or {@link CompressionCapable#INCOMPRESSIBLE}
     */
    public int compress(MemorySegment content, MemorySegment destination) throws BlockException {
        requireAvailable();
        Writer spare = writers.take();
        Writer writer = spare != null ? spare : new Writer(compression, clusterBytes);
        try {
            return writer.compress(content, destination);
        } finally {
            writers.give(writer);
        }
    }

    /** A reader of compressed clusters, for one request; to be given back. */
    Reader takeReader() throws BlockException {
        requireAvailable();
        Reader spare = readers.take();
        return spare != null ? spare : new Reader(compression, clusterBytes);
    }

    void giveBack(Reader reader) {
        readers.give(reader);
    }

    /** Frees the spare codecs; those in use are freed when they are given back. */
    @Override
    public void close() {
        writers.close();
        readers.close();
    }

    private static final class Writer implements AutoCloseable {
        private final BlockCompressor compressor;
        private final int clusterBytes;

        Writer(Compression compression, int clusterBytes) {
            this.compressor = compression.newCompressor(clusterBytes);
            this.clusterBytes = clusterBytes;
        }

        int compress(MemorySegment content, MemorySegment destination) {
            MemorySegment whole = content;
            if (content.byteSize() < clusterBytes) {
                whole = MemorySegment.ofArray(new byte[clusterBytes]);
                MemorySegment.copy(content, 0, whole, 0, content.byteSize());
            }
            // what does not save a byte is better kept as it is
            int used = compressor.compress(whole, destination.asSlice(0, clusterBytes - 1L));
            return used == BlockCompressor.NO_ROOM ? CompressionCapable.INCOMPRESSIBLE : used;
        }

        @Override
        public void close() {
            compressor.close();
        }
    }

    /** A decompressor with room for one compressed cluster, and for one cluster of which only a part is wanted. */
    static final class Reader implements AutoCloseable {
        private final BlockDecompressor decompressor;
        private final MemorySegment input;
        private final MemorySegment cluster;

        Reader(Compression compression, int clusterBytes) {
            // the sector count of an L2 word allows two clusters at most
            this.decompressor = compression.newDecompressor(clusterBytes, 2 * clusterBytes);
            this.input = Arena.ofAuto().allocate(2L * clusterBytes, ClusterGeometry.PAGE_BYTES);
            this.cluster = Arena.ofAuto().allocate(clusterBytes);
        }

        MemorySegment input(long lengthBytes) {
            return input.asSlice(0, lengthBytes);
        }

        MemorySegment cluster() {
            return cluster;
        }

        boolean decompress(MemorySegment compressed, MemorySegment content) {
            return decompressor.decompress(compressed, content);
        }

        @Override
        public void close() {
            decompressor.close();
        }
    }
}
