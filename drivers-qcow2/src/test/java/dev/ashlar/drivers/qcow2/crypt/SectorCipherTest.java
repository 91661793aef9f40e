package dev.ashlar.drivers.qcow2.crypt;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import dev.ashlar.core.BlockException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Against published test vectors, and itself backwards. */
class SectorCipherTest {
    private static byte[] hex(String text) {
        return HexFormat.of().parseHex(text);
    }

    /** IEEE 1619-2018, annex B: vectors 4 (512 bytes 00..ff twice, sector 0) and 10 (256-bit keys, sector 0xff). */
    @Test
    void xtsAsPublished() throws BlockException {
        byte[] plain = new byte[512];
        for (int i = 0; i < plain.length; i++) {
            plain[i] = (byte) i;
        }
        byte[] data = plain.clone();
        byte[] key = hex("2718281828459045235360287471352631415926535897932384626433832795");
        SectorCipher cipher = new SectorCipher(CipherSpec.parse("aes", "xts-plain64", 32), key);
        cipher.encrypt(data, 512, 0);
        assertEquals("27a7479befa1d476489f308cd4cfa6e2", HexFormat.of().formatHex(data, 0, 16));
        assertEquals("a96e4bbe3208ff25287dd3819616e89c", HexFormat.of().formatHex(data, 16, 32));
        cipher.decrypt(data, 512, 0);
        assertArrayEquals(plain, data);
        byte[] longKey = hex("27182818284590452353602874713526624977572470936999595749669676273"
                + "141592653589793238462643383279502884197169399375105820974944592");
        SectorCipher wide = new SectorCipher(CipherSpec.parse("aes", "xts-plain64", 64), longKey);
        wide.encrypt(data, 512, 0xff);
        assertEquals("1c3b3a102f770386e4836c99e370cf9b", HexFormat.of().formatHex(data, 0, 16));
        assertEquals("ea00803f5e482357a4ae12d414a3e63b", HexFormat.of().formatHex(data, 16, 32));
    }

    @ParameterizedTest
    @CsvSource({
        "xts-plain64, 32",
        "xts-plain64, 64",
        "xts-plain, 64",
        "xts-essiv:sha256, 64",
        "cbc-plain64, 16",
        "cbc-plain, 24",
        "cbc-essiv:sha256, 32",
        "ecb, 32"
    })
    void backwardsInAnyPieces(String mode, int keyBytes) throws BlockException {
        Random random = new Random(9);
        byte[] key = new byte[keyBytes];
        random.nextBytes(key);
        byte[] plain = new byte[64 * 512];
        random.nextBytes(plain);
        CipherSpec spec = CipherSpec.parse("aes", mode, keyBytes);
        assertEquals(mode, spec.luksMode());
        SectorCipher cipher = new SectorCipher(spec, key);
        byte[] whole = plain.clone();
        cipher.encrypt(whole, whole.length, 1L << 33);
        for (int at = 0; at < plain.length; at += 512) {
            byte[] one = Arrays.copyOfRange(plain, at, at + 512);
            cipher.encrypt(one, 512, (1L << 33) + at / 512);
            assertArrayEquals(Arrays.copyOfRange(whole, at, at + 512), one, "sector at " + at);
        }
        if (!mode.equals("ecb")) {
            byte[] same = new byte[1024];
            cipher.encrypt(same, 1024, 5);
            assertNotEquals(
                    HexFormat.of().formatHex(same, 0, 512), HexFormat.of().formatHex(same, 512, 1024), "equal sectors");
        }
        cipher.decrypt(whole, whole.length, 1L << 33);
        assertArrayEquals(plain, whole);
    }

    @Test
    void splitKeysComeTogether() {
        Random random = new Random(4);
        for (Digests hash : Digests.values()) {
            byte[] key = new byte[64];
            random.nextBytes(key);
            byte[] material = AntiForensic.split(key, 100, hash, new java.security.SecureRandom());
            assertArrayEquals(key, AntiForensic.merge(material, 64, 100, hash));
            material[random.nextInt(material.length)] ^= 1;
            assertNotEquals(
                    HexFormat.of().formatHex(key),
                    HexFormat.of().formatHex(AntiForensic.merge(material, 64, 100, hash)));
        }
    }
}
