package dev.ashlar.testkit;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

/** Sparse bytes against a plain array, forks included. */
class SparseBytesTest {
    private static final int MAX = 40_000;

    @Property(tries = 100)
    void behavesAsAnArray(@ForAll long seed) throws IOException {
        Random random = new Random(seed);
        SparseBytes sparse = new SparseBytes();
        byte[] plain = new byte[0];
        SparseBytes oldFork = sparse.fork();
        byte[] oldPlain = plain;
        for (int step = 0; step < 60; step++) {
            int offset = random.nextInt(MAX / 2);
            int count = 1 + random.nextInt(MAX / 2 - 1);
            switch (random.nextInt(5)) {
                case 0 -> {
                    byte[] content = new byte[count];
                    random.nextBytes(content);
                    sparse.write(offset, content, 0, count);
                    plain = Arrays.copyOf(plain, Math.max(plain.length, offset + count));
                    System.arraycopy(content, 0, plain, offset, count);
                }
                case 1 -> {
                    byte value = (byte) random.nextInt(2);
                    sparse.fill(offset, count, value);
                    plain = Arrays.copyOf(plain, Math.max(plain.length, offset + count));
                    Arrays.fill(plain, offset, offset + count, value);
                }
                case 2 -> {
                    sparse.setLengthBytes(offset);
                    plain = Arrays.copyOf(plain, offset);
                }
                case 3 -> {
                    oldFork = sparse.fork();
                    oldPlain = plain.clone();
                }
                default -> {
                    byte[] expected = Arrays.copyOfRange(Arrays.copyOf(plain, MAX), offset, offset + count);
                    assertArrayEquals(expected, sparse.read(offset, count));
                    assertEquals(Arrays.equals(expected, new byte[count]), sparse.isZero(offset, count));
                }
            }
        }
        assertEquals(-1, sparse.firstDifference(SparseBytes.of(plain)));
        assertEquals(-1, oldFork.firstDifference(SparseBytes.of(oldPlain)));
        int mismatch = Arrays.mismatch(plain, oldPlain);
        assertEquals(mismatch < 0, sparse.firstDifference(oldFork) < 0);
        roundTrip(sparse);
    }

    private static void roundTrip(SparseBytes sparse) throws IOException {
        Path file = Files.createTempFile("sparse", ".bytes");
        try {
            sparse.writeTo(file);
            assertEquals(-1, sparse.firstDifference(SparseBytes.of(file)));
        } finally {
            Files.delete(file);
        }
    }
}
