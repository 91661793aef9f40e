package dev.ashlar.nativeio.codec;

/** A way to compress blocks, and the codecs for it. */
public enum Compression {
    /**
     * Raw deflate without a header. Written with matches at most 4 KiB back (window bits 12), memory level 9; any window is read. Always there: without libz the
     * JDK's codec does it.
     */
    DEFLATE {
        @Override
        public boolean isAvailable() {
            return true;
        }

        @Override
        public BlockCompressor newCompressor(int blockBytes) {
            return LibZ.isPresent() ? new LibZDeflater(blockBytes) : new JdkDeflater(blockBytes);
        }

        @Override
        public BlockDecompressor newDecompressor(int blockBytes, int sourceBytes) {
            return LibZ.isPresent() ? new LibZInflater(blockBytes, sourceBytes) : new JdkInflater(blockBytes);
        }
    },
    /** One zstd frame per block, default level. Needs libzstd 1.4 or newer. */
    ZSTD {
        @Override
        public boolean isAvailable() {
            return LibZstd.isPresent();
        }

        @Override
        public BlockCompressor newCompressor(int blockBytes) {
            return new ZstdCompressor(blockBytes);
        }

        @Override
        public BlockDecompressor newDecompressor(int blockBytes, int sourceBytes) {
            return new ZstdDecompressor(blockBytes, sourceBytes);
        }
    };

    /** Whether codecs can be had on this host. */
    public abstract boolean isAvailable();

    /**
     * A new compressor; the caller closes it.
     *
     * @param blockBytes longest block
     * @throws UnsupportedOperationException where the library is missing
     */
    public abstract BlockCompressor newCompressor(int blockBytes);

    /**
     * A new decompressor; the caller closes it.
     *
     * @param blockBytes longest block
     * @param sourceBytes longest input
     * @throws UnsupportedOperationException where the library is missing
     */
    public abstract BlockDecompressor newDecompressor(int blockBytes, int sourceBytes);
}
