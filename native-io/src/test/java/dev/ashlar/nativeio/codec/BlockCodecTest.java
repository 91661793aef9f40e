package dev.ashlar.nativeio.codec;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** All codecs over one contract. The seed of random data is in the messages; another one by {@code ashlar.codec.seed}. */
class BlockCodecTest {
    private static final int BLOCK = 64 << 10;
    private static final long SEED = Long.getLong("ashlar.codec.seed", 20_250_701);

    interface Codec {
        BlockCompressor compressor(int blockBytes);

        BlockDecompressor decompressor(int blockBytes, int sourceBytes);
    }

    record Named(String name, Codec codec) {
        @Override
        public String toString() {
            return name;
        }
    }

    static Stream<Named> codecs() {
        return Stream.of(
                named("libz", LibZDeflater::new, LibZInflater::new),
                named("jdk", JdkDeflater::new, (block, source) -> new JdkInflater(block)),
                named("jdk to libz", JdkDeflater::new, LibZInflater::new),
                named("libz to jdk", LibZDeflater::new, (block, source) -> new JdkInflater(block)),
                named("zstd", ZstdCompressor::new, ZstdDecompressor::new));
    }

    private interface Compressors {
        BlockCompressor make(int blockBytes);
    }

    private interface Decompressors {
        BlockDecompressor make(int blockBytes, int sourceBytes);
    }

    private static Named named(String name, Compressors compressors, Decompressors decompressors) {
        return new Named(name, new Codec() {
            @Override
            public BlockCompressor compressor(int blockBytes) {
                return compressors.make(blockBytes);
            }

            @Override
            public BlockDecompressor decompressor(int blockBytes, int sourceBytes) {
                return decompressors.make(blockBytes, sourceBytes);
            }
        });
    }

    private static void require(Named named) {
        assumeTrue(LibZ.isPresent() || !named.name.contains("libz"), "libz is missing");
        assumeTrue(LibZstd.isPresent() || !named.name.equals("zstd"), "libzstd is missing");
    }

    /** Runs of repeated and of random bytes, more of the one or the other. */
    private static byte[] content(Random random, int lengthBytes) {
        byte[] content = new byte[lengthBytes];
        int texture = random.nextInt(10);
        for (int at = 0; at < lengthBytes; ) {
            int run = Math.min(1 + random.nextInt(3000), lengthBytes - at);
            if (random.nextInt(10) < texture) {
                byte[] noise = new byte[run];
                random.nextBytes(noise);
                System.arraycopy(noise, 0, content, at, run);
            } else {
                Arrays.fill(content, at, at + run, (byte) random.nextInt(4));
            }
            at += run;
        }
        return content;
    }

    private static byte[] compressed(BlockCompressor compressor, byte[] content, int room) {
        byte[] out = new byte[room];
        int used = compressor.compress(MemorySegment.ofArray(content), MemorySegment.ofArray(out));
        assertTrue(used > 0, "no room");
        return Arrays.copyOf(out, used);
    }

    @ParameterizedTest
    @MethodSource("codecs")
    void whatIsCompressedComesBack(Named named) {
        require(named);
        Random random = new Random(SEED);
        try (BlockCompressor compressor = named.codec.compressor(BLOCK);
                BlockDecompressor decompressor = named.codec.decompressor(BLOCK, 2 * BLOCK)) {
            int fitted = 0;
            for (int i = 0; i < 60; i++) {
                byte[] content = content(random, i == 0 ? 1 : 1 + random.nextInt(BLOCK));
                byte[] out = new byte[BLOCK];
                int used = compressor.compress(MemorySegment.ofArray(content), MemorySegment.ofArray(out));
                if (used == BlockCompressor.NO_ROOM) {
                    continue;
                }
                fitted++;
                // what follows in the last sector is not part of the stream
                byte[] padded = Arrays.copyOf(out, used + random.nextInt(600));
                for (int j = used; j < padded.length; j++) {
                    padded[j] = (byte) random.nextInt();
                }
                byte[] back = new byte[content.length];
                assertTrue(
                        decompressor.decompress(MemorySegment.ofArray(padded), MemorySegment.ofArray(back)),
                        "block " + i + ", seed " + SEED);
                assertArrayEquals(content, back, "block " + i + ", seed " + SEED);
            }
            assertTrue(fitted > 40, "fitted " + fitted);
        }
    }

    @ParameterizedTest
    @MethodSource("codecs")
    void noiseDoesNotFitAndLeavesTheCodecUsable(Named named) {
        require(named);
        byte[] noise = new byte[BLOCK];
        new Random(SEED).nextBytes(noise);
        try (BlockCompressor compressor = named.codec.compressor(BLOCK)) {
            MemorySegment room = MemorySegment.ofArray(new byte[BLOCK - 1]);
            assertEquals(BlockCompressor.NO_ROOM, compressor.compress(MemorySegment.ofArray(noise), room));
            byte[] zeros = new byte[BLOCK];
            assertTrue(compressor.compress(MemorySegment.ofArray(zeros), room) > 0);
        }
    }

    /** Left to itself the library gives up a few bytes early. */
    @Test
    void aFrameThatJustFitsFits() {
        assumeTrue(LibZstd.isPresent(), "libzstd is missing");
        Random random = new Random(SEED);
        try (BlockCompressor compressor = new ZstdCompressor(BLOCK)) {
            for (int i = 0; i < 300; i++) {
                MemorySegment content = MemorySegment.ofArray(content(random, 16 + random.nextInt(1000)));
                int needed = compressor.compress(content, MemorySegment.ofArray(new byte[BLOCK]));
                String message = "block " + i + ", seed " + SEED;
                MemorySegment room = MemorySegment.ofArray(new byte[needed]);
                assertEquals(needed, compressor.compress(content, room), message);
                assertEquals(BlockCompressor.NO_ROOM, compressor.compress(content, room.asSlice(1)), message);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("codecs")
    void longerShorterAndTruncatedStreamsAreRefused(Named named) {
        require(named);
        byte[] content = content(new Random(SEED), BLOCK);
        Arrays.fill(content, 0, BLOCK / 2, (byte) 1);
        try (BlockCompressor compressor = named.codec.compressor(BLOCK);
                BlockDecompressor decompressor = named.codec.decompressor(BLOCK, 2 * BLOCK)) {
            byte[] stream = compressed(compressor, content, BLOCK);
            MemorySegment source = MemorySegment.ofArray(stream);
            assertFalse(decompressor.decompress(source, MemorySegment.ofArray(new byte[BLOCK - 1])), "one too many");
            assertFalse(decompressor.decompress(source, MemorySegment.ofArray(new byte[512])), "many too many");
            byte[] half = compressed(compressor, Arrays.copyOf(content, BLOCK - 1), BLOCK);
            assertFalse(
                    decompressor.decompress(MemorySegment.ofArray(half), MemorySegment.ofArray(new byte[BLOCK])),
                    "one too few");
            for (int cut : new int[] {0, 1, 2, stream.length / 2, stream.length - 1}) {
                assertFalse(
                        decompressor.decompress(source.asSlice(0, cut), MemorySegment.ofArray(new byte[BLOCK])),
                        "cut at " + cut + " of " + stream.length);
            }
            assertTrue(decompressor.decompress(source, MemorySegment.ofArray(new byte[BLOCK])), "still usable");
        }
    }

    @ParameterizedTest
    @MethodSource("codecs")
    void flippedBytesNeverThrow(Named named) {
        require(named);
        Random random = new Random(SEED);
        byte[] content = content(random, BLOCK);
        Arrays.fill(content, 0, BLOCK / 2, (byte) 1);
        try (BlockCompressor compressor = named.codec.compressor(BLOCK);
                BlockDecompressor decompressor = named.codec.decompressor(BLOCK, 2 * BLOCK)) {
            byte[] stream = compressed(compressor, content, BLOCK);
            for (int i = 0; i < 500; i++) {
                byte[] damaged = stream.clone();
                int flips = 1 + random.nextInt(4);
                for (int j = 0; j < flips; j++) {
                    damaged[random.nextInt(i % 2 == 0 ? Math.min(32, damaged.length) : damaged.length)] ^=
                            (byte) (1 + random.nextInt(255));
                }
                decompressor.decompress(MemorySegment.ofArray(damaged), MemorySegment.ofArray(new byte[BLOCK]));
            }
            byte[] back = new byte[BLOCK];
            assertTrue(decompressor.decompress(MemorySegment.ofArray(stream), MemorySegment.ofArray(back)));
            assertArrayEquals(content, back);
        }
    }

    @ParameterizedTest
    @MethodSource("codecs")
    void closedCodecsRefuse(Named named) {
        require(named);
        BlockCompressor compressor = named.codec.compressor(512);
        compressor.close();
        MemorySegment block = MemorySegment.ofArray(new byte[512]);
        assertThrows(IllegalStateException.class, () -> compressor.compress(block, block));
        assertThrows(IllegalStateException.class, compressor::close);
        BlockDecompressor decompressor = named.codec.decompressor(512, 512);
        decompressor.close();
        assertThrows(IllegalStateException.class, () -> decompressor.decompress(block, block));
    }

    /** A stream with matches further back than 4 KiB fails in readers with a window of 2^12. */
    @Test
    void matchesReachFourKibibytesBackOnly() {
        byte[] content = new byte[BLOCK];
        byte[] unit = new byte[5000];
        new Random(SEED).nextBytes(unit);
        for (int at = 0; at < BLOCK; at += unit.length) {
            System.arraycopy(unit, 0, content, at, Math.min(unit.length, BLOCK - at));
        }
        MemorySegment room = MemorySegment.ofArray(new byte[BLOCK]);
        try (BlockCompressor jdk = new JdkDeflater(BLOCK)) {
            // the repetition is 5,000 bytes away: who finds it has looked too far
            assertEquals(BlockCompressor.NO_ROOM, jdk.compress(MemorySegment.ofArray(content), room));
        }
        if (LibZ.isPresent()) {
            try (BlockCompressor libz = new LibZDeflater(BLOCK)) {
                assertEquals(BlockCompressor.NO_ROOM, libz.compress(MemorySegment.ofArray(content), room));
            }
        }
    }

    @Test
    void bombsAreCutShort() {
        byte[] zeros = new byte[16 << 20];
        for (Compression compression : Compression.values()) {
            if (!compression.isAvailable()) {
                continue;
            }
            try (BlockCompressor compressor = compression.newCompressor(zeros.length);
                    BlockDecompressor decompressor = compression.newDecompressor(BLOCK, 2 * BLOCK)) {
                byte[] bomb = compressed(compressor, zeros, zeros.length);
                assertTrue(bomb.length < 2 * BLOCK, compression + ": " + bomb.length);
                assertFalse(
                        decompressor.decompress(MemorySegment.ofArray(bomb), MemorySegment.ofArray(new byte[BLOCK])));
            }
        }
    }
}
