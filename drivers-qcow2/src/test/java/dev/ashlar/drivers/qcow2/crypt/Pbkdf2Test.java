package dev.ashlar.drivers.qcow2.crypt;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.Random;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.PBEKeySpec;
import org.junit.jupiter.api.Test;

class Pbkdf2Test {
    /** RFC 7914, section 11, and RFC 6070. */
    @Test
    void asPublished() {
        assertEquals(
                "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
                        + "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783",
                HexFormat.of().formatHex(Pbkdf2.derive(Digests.SHA256, ascii("passwd"), ascii("salt"), 1, 64)));
        assertEquals(
                "4b007901b765489abead49d926f721d065a429c1",
                HexFormat.of().formatHex(Pbkdf2.derive(Digests.SHA1, ascii("password"), ascii("salt"), 4096, 20)));
    }

    /** Each hash, keys shorter and longer than one result and than what it takes in at once; few iterations, and so many that threads share them. */
    @Test
    void asTheJdkDerives() throws Exception {
        Random random = new Random(20);
        for (Digests hash : Digests.values()) {
            SecretKeyFactory jdk = SecretKeyFactory.getInstance(
                    "PBKDF2WithHmacSHA" + hash.luksName().substring(3));
            for (int length : new int[] {1, 20, hash.blockBytes(), hash.blockBytes() + 1, 300}) {
                StringBuilder passphrase = new StringBuilder();
                for (int i = 0; i < length; i++) {
                    passphrase.append((char) random.nextInt(1, 128));
                }
                byte[] salt = new byte[32];
                random.nextBytes(salt);
                int iterations = length == 20 ? 20_000 : random.nextInt(1, 40);
                int keyBytes = random.nextInt(1, 3 * hash.lengthBytes());
                char[] chars = passphrase.toString().toCharArray();
                byte[] expected = jdk.generateSecret(new PBEKeySpec(chars, salt, iterations, 8 * keyBytes))
                        .getEncoded();
                assertArrayEquals(
                        expected,
                        Pbkdf2.derive(hash, ascii(passphrase.toString()), salt, iterations, keyBytes),
                        hash + ", " + length + " bytes, " + iterations + " iterations, key of " + keyBytes);
            }
        }
    }

    /** An empty passphrase, which the JDK refuses, is a key of zeros. */
    @Test
    void anEmptyPassphrase() {
        assertArrayEquals(
                Pbkdf2.derive(Digests.SHA256, new byte[1], ascii("salt"), 10, 32),
                Pbkdf2.derive(Digests.SHA256, new byte[0], ascii("salt"), 10, 32));
    }

    /** The first run of a process must not say what the machine can do; a tenth leaves room for whatever else runs here. */
    @Test
    void iterationsAreThoseOfCompiledCode() {
        long first = Pbkdf2.speed(Digests.SHA512, 500).iterations(500, 64);
        byte[] salt = new byte[32];
        long best = Long.MAX_VALUE;
        for (int i = 0; i < 5; i++) {
            long begin = System.nanoTime();
            Pbkdf2.derive(Digests.SHA512, ascii("passwd"), salt, 200_000, 64);
            best = Math.min(best, System.nanoTime() - begin);
        }
        double able = 200_000 * 500e6 / best;
        assertTrue(first > able / 10, first + " iterations of " + able);
        assertEquals(0, Pbkdf2.speed(Digests.SHA512, 0).iterations(0, 64));
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }
}
