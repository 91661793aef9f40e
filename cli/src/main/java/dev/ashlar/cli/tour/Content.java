package dev.ashlar.cli.tour;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.SplittableRandom;

/** What the tour writes, and the checksum it proves things by. */
final class Content {
    private static final int PIECE_BYTES = 1 << 20;

    private final MemorySegment buffer = Arena.ofAuto().allocate(PIECE_BYTES, 4096);

    /**
     * Fills a range with random bytes that follow from the seed.
     *
     * @return nanoseconds spent in writing alone
     */
    long write(BlockBackend disk, long offset, long lengthBytes, long seed) throws BlockException {
        SplittableRandom random = new SplittableRandom(seed);
        long nanos = 0;
        for (long done = 0; done < lengthBytes; done += PIECE_BYTES) {
            int length = (int) Math.min(PIECE_BYTES, lengthBytes - done);
            for (int i = 0; i < PIECE_BYTES; i += Long.BYTES) {
                buffer.set(ValueLayout.JAVA_LONG, i, random.nextLong());
            }
            long start = System.nanoTime();
            disk.write(offset + done, buffer.asSlice(0, length));
            nanos += System.nanoTime() - start;
        }
        return nanos;
    }

    /** SHA-256 of the whole disk, in hexadecimal. */
    String checksum(BlockBackend disk) throws BlockException {
        MessageDigest digest;
        try {
            digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
        long length = disk.lengthBytes();
        for (long offset = 0; offset < length; offset += PIECE_BYTES) {
            MemorySegment part = buffer.asSlice(0, Math.min(PIECE_BYTES, length - offset));
            disk.read(offset, part);
            digest.update(part.asByteBuffer());
        }
        return HexFormat.of().formatHex(digest.digest());
    }
}
