package dev.ashlar.drivers.qcow2.crypt;

import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Arrays;

/**
 * Spreads a key over many stripes all of which are needed to get it back, so that a few overwritten sectors destroy it. Source: LUKS on-disk format 1.2.3,
 * "AF splitter".
 */
final class AntiForensic {
    private AntiForensic() {}

    /** @return {@code stripes} times as many bytes as the key has */
    static byte[] split(byte[] key, int stripes, Digests hash, SecureRandom random) {
        byte[] material = new byte[key.length * stripes];
        byte[] sum = new byte[key.length];
        byte[] stripe = new byte[key.length];
        for (int i = 0; i < stripes - 1; i++) {
            random.nextBytes(stripe);
            System.arraycopy(stripe, 0, material, i * key.length, key.length);
            add(sum, stripe, 0);
            diffuse(sum, hash);
        }
        for (int j = 0; j < key.length; j++) {
            material[(stripes - 1) * key.length + j] = (byte) (sum[j] ^ key[j]);
        }
        Arrays.fill(sum, (byte) 0);
        return material;
    }

    /** @return the key; the caller wipes it */
    static byte[] merge(byte[] material, int keyBytes, int stripes, Digests hash) {
        byte[] key = new byte[keyBytes];
        for (int i = 0; i < stripes - 1; i++) {
            add(key, material, i * keyBytes);
            diffuse(key, hash);
        }
        add(key, material, (stripes - 1) * keyBytes);
        return key;
    }

    private static void add(byte[] sum, byte[] stripes, int from) {
        for (int j = 0; j < sum.length; j++) {
            sum[j] ^= stripes[from + j];
        }
    }

    /** Replaces each part as long as a hash by the hash of its number and itself. */
    private static void diffuse(byte[] block, Digests hash) {
        MessageDigest digest = hash.digest();
        for (int i = 0, from = 0; from < block.length; i++, from += hash.lengthBytes()) {
            int count = Math.min(hash.lengthBytes(), block.length - from);
            digest.update(new byte[] {(byte) (i >>> 24), (byte) (i >>> 16), (byte) (i >>> 8), (byte) i});
            digest.update(block, from, count);
            System.arraycopy(digest.digest(), 0, block, from, count);
        }
    }
}
