package dev.ashlar.drivers.qcow2.crypt;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestException;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.function.LongSupplier;
import java.util.stream.IntStream;

/**
 * PBKDF2 with HMAC over one hash function. Any thread. Source: RFC 8018, section 5.2; RFC 2104, section 2.
 *
 * <p>Who guesses passphrases has the fastest code there is, so the owner's must not be slow: both halves of HMAC begin from a state
 * of the hash that has taken the key in already, and the blocks of a long key are derived on processors of their own.
 */
final class Pbkdf2 {
    /** From here on a block is worth a thread. */
    private static final long PARALLEL_ITERATIONS = 1 << 14;
    /** As many iterations as it takes until the code that runs them is compiled for certain. */
    private static final long WARM_ITERATIONS = 1 << 18;

    private static final long MIN_MEASURED_NANOS = 50_000_000L;
    /** How much faster a run must be than all before it to say that the code still gets faster. */
    private static final double FASTER = 1.25;

    private final Digests hash;
    private final MessageDigest inner;
    private final MessageDigest outer;

    private Pbkdf2(Digests hash, byte[] passphrase) {
        this.hash = hash;
        int blockBytes = hash.blockBytes();
        byte[] pad = new byte[blockBytes];
        if (passphrase.length <= blockBytes) {
            System.arraycopy(passphrase, 0, pad, 0, passphrase.length);
        } else {
            byte[] shortened = hash.digest().digest(passphrase);
            System.arraycopy(shortened, 0, pad, 0, shortened.length);
            Arrays.fill(shortened, (byte) 0);
        }
        inner = begun(pad, 0x36);
        outer = begun(pad, 0x36 ^ 0x5c);
        Arrays.fill(pad, (byte) 0);
    }

    private MessageDigest begun(byte[] pad, int mask) {
        for (int i = 0; i < pad.length; i++) {
            pad[i] ^= (byte) mask;
        }
        MessageDigest digest = hash.digest();
        digest.update(pad);
        return digest;
    }

    /**
     * A key from a passphrase of any bytes; the caller wipes both.
     *
     * @param iterations at least 1
     */
    static byte[] derive(Digests hash, byte[] passphrase, byte[] salt, long iterations, int keyBytes) {
        Pbkdf2 function = new Pbkdf2(hash, passphrase);
        byte[] key = new byte[keyBytes];
        IntStream blocks = IntStream.range(0, blocks(hash, keyBytes));
        (iterations < PARALLEL_ITERATIONS ? blocks : blocks.parallel())
                .forEach(block -> function.deriveBlock(block, salt, iterations, key));
        function.inner.reset();
        function.outer.reset();
        return key;
    }

    private static int blocks(Digests hash, int keyBytes) {
        return (keyBytes + hash.lengthBytes() - 1) / hash.lengthBytes();
    }

    private void deriveBlock(int block, byte[] salt, long iterations, byte[] key) {
        int length = hash.lengthBytes();
        int number = block + 1;
        byte[] step = Arrays.copyOf(salt, salt.length + Integer.BYTES);
        for (int i = 0; i < Integer.BYTES; i++) {
            step[salt.length + i] = (byte) (number >>> 8 * (Integer.BYTES - 1 - i));
        }
        byte[] sum = new byte[length];
        byte[] next = new byte[length];
        for (long i = 0; i < iterations; i++) {
            authenticate(step, next);
            step = next;
            for (int j = 0; j < length; j++) {
                sum[j] ^= next[j];
            }
        }
        System.arraycopy(sum, 0, key, block * length, Math.min(length, key.length - block * length));
        Arrays.fill(next, (byte) 0);
        Arrays.fill(sum, (byte) 0);
    }

    /** HMAC of {@code message} into {@code code}; both may be the same array. */
    private void authenticate(byte[] message, byte[] code) {
        try {
            MessageDigest digest = (MessageDigest) inner.clone();
            digest.update(message);
            digest.digest(code, 0, code.length);
            digest = (MessageDigest) outer.clone();
            digest.update(code);
            digest.digest(code, 0, code.length);
        } catch (CloneNotSupportedException | DigestException e) {
            throw new IllegalStateException(e);
        }
    }

    /**
     * What one thread of this machine can do.
     *
     * @param perMilli iterations of one block in a millisecond on a processor
     */
    record Speed(Digests hash, double perMilli) {
        /** Iterations that take a thread {@code millis}, 0 or more, for a key of that length. */
        long iterations(long millis, int keyBytes) {
            return (long) (perMilli * millis / blocks(hash, keyBytes));
        }
    }

    /**
     * Measures until code is compiled: what an interpreter can do would give a key that compiled code guesses at hundreds of times
     * the speed. Takes at most twice {@code millis} of a processor's time.
     *
     * @param millis what a key shall take, 0 or more; of 0 nothing is measured
     */
    static Speed speed(Digests hash, long millis) {
        return new Speed(hash, millis == 0 ? 0 : perMilli(hash, Math.max(MIN_MEASURED_NANOS, 2 * millis * 1_000_000L)));
    }

    private static double perMilli(Digests hash, long limitNanos) {
        LongSupplier clock = scheduledNanos() == 0 ? System::nanoTime : Pbkdf2::scheduledNanos;
        Pbkdf2 function = new Pbkdf2(hash, new byte[8]);
        byte[] salt = new byte[LuksHeader.SALT_BYTES];
        byte[] key = new byte[hash.lengthBytes()];
        long begin = clock.getAsLong();
        double best = 0;
        long all = 0;
        for (long iterations = 1 << 12, settled = 0; ; all += iterations) {
            long from = clock.getAsLong();
            function.deriveBlock(0, salt, iterations, key);
            long until = clock.getAsLong();
            if (until - from < MIN_MEASURED_NANOS) {
                iterations *= 2;
                continue;
            }
            double rate = iterations * 1e6 / (until - from);
            settled = rate < best * FASTER ? settled + 1 : 0;
            best = Math.max(best, rate);
            if (until - begin >= limitNanos || (settled >= 2 && all >= WARM_ITERATIONS)) {
                return best;
            }
        }
    }

    /** What this thread has had of a processor; 0 where the kernel does not tell. Source: the kernel's sched-stats document, /proc/PID/schedstat. */
    private static long scheduledNanos() {
        try {
            String counts = Files.readString(Path.of("/proc/thread-self/schedstat"));
            return Long.parseLong(counts.substring(0, counts.indexOf(' ')));
        } catch (IOException | IndexOutOfBoundsException | NumberFormatException e) {
            return 0;
        }
    }
}
