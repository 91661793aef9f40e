package dev.ashlar.drivers.qcow2.crypt;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Arrays;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** Hash functions by the names that LUKS headers use, and PBKDF2 over them. Source: RFC 8018, section 5.2. */
enum Digests {
    SHA1("sha1", "SHA-1", "HmacSHA1", 20),
    SHA224("sha224", "SHA-224", "HmacSHA224", 28),
    SHA256("sha256", "SHA-256", "HmacSHA256", 32),
    SHA384("sha384", "SHA-384", "HmacSHA384", 48),
    SHA512("sha512", "SHA-512", "HmacSHA512", 64);

    private final String luksName;
    private final String digestName;
    private final String macName;
    private final int lengthBytes;

    Digests(String luksName, String digestName, String macName, int lengthBytes) {
        this.luksName = luksName;
        this.digestName = digestName;
        this.macName = macName;
        this.lengthBytes = lengthBytes;
    }

    static Digests named(String luksName) throws BlockException {
        for (Digests each : values()) {
            if (each.luksName.equals(luksName)) {
                return each;
            }
        }
        throw new BlockException(
                Kind.UNSUPPORTED, "Hash algorithm '" + Names.printable(luksName) + "' is not supported");
    }

    String luksName() {
        return luksName;
    }

    int lengthBytes() {
        return lengthBytes;
    }

    MessageDigest digest() {
        try {
            return MessageDigest.getInstance(digestName);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    /** A key of {@code keyBytes} from a passphrase of any bytes; the caller wipes it. */
    byte[] pbkdf2(byte[] passphrase, byte[] salt, long iterations, int keyBytes) {
        // an empty key and one zero byte are the same for HMAC, but the JDK refuses the former
        byte[] secret = passphrase.length == 0 ? new byte[1] : passphrase;
        byte[] key = new byte[keyBytes];
        int length = lengthBytes;
        byte[] step = new byte[length];
        byte[] sum = new byte[length];
        try {
            Mac mac = Mac.getInstance(macName);
            mac.init(new SecretKeySpec(secret, macName));
            for (int from = 0, block = 1; from < keyBytes; from += length, block++) {
                mac.update(salt);
                mac.update(
                        new byte[] {(byte) (block >>> 24), (byte) (block >>> 16), (byte) (block >>> 8), (byte) block});
                mac.doFinal(step, 0);
                System.arraycopy(step, 0, sum, 0, length);
                for (long i = 1; i < iterations; i++) {
                    mac.update(step);
                    mac.doFinal(step, 0);
                    for (int j = 0; j < length; j++) {
                        sum[j] ^= step[j];
                    }
                }
                System.arraycopy(sum, 0, key, from, Math.min(length, keyBytes - from));
            }
            return key;
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        } finally {
            Arrays.fill(step, (byte) 0);
            Arrays.fill(sum, (byte) 0);
        }
    }

    /** Iterations that take about {@code millis} on this machine for a key of that length. */
    long iterationsFor(long millis, int keyBytes) {
        byte[] passphrase = {'p', 'a', 's', 's', 'w', 'o', 'r', 'd'};
        byte[] salt = {'s', 'a', 'l', 't'};
        long iterations = 1 << 12;
        while (true) {
            long begin = System.nanoTime();
            pbkdf2(passphrase, salt, iterations, keyBytes);
            long nanos = System.nanoTime() - begin;
            // half of a second's twentieth: long enough for compiled code to be what is measured
            if (nanos > 50_000_000L) {
                return (long) (iterations * (millis * 1e6 / nanos));
            }
            iterations *= 2;
        }
    }
}
