package dev.ashlar.drivers.qcow2.crypt;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Arrays;
import javax.crypto.Cipher;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;

/**
 * Encrypts and decrypts runs of sectors in place. For one thread.
 *
 * <p>XTS is done for a whole run at once: all tweaks are laid out as bytes, so that the block cipher is called once for them and once for the data, which is
 * where the processor's AES instructions show. Source: IEEE 1619-2018, section 5.
 */
final class SectorCipher {
    static final int SECTOR_BYTES = 512;
    private static final int BLOCK_BYTES = 16;
    private static final int BLOCKS = SECTOR_BYTES / BLOCK_BYTES;
    /** The field's polynomial: what a bit that leaves at the top comes back as. */
    private static final long POLYNOMIAL = 0x87;

    private static final VarHandle LONGS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private final CipherSpec spec;
    private final Cipher encryptor;
    private final Cipher decryptor;
    private final SecretKeySpec dataKey;
    private final @Nullable Cipher tweaker;
    private final @Nullable Cipher essiv;
    private byte[] vectors = new byte[0];
    private byte[] tweaks = new byte[0];

    /** @param key as long as the cipher says; it stays the caller's */
    SectorCipher(CipherSpec spec, byte[] key) {
        this.spec = spec;
        boolean xts = spec.mode() == CipherSpec.Mode.XTS;
        int aesBytes = xts ? spec.keyBytes() / 2 : spec.keyBytes();
        String name = spec.mode() == CipherSpec.Mode.CBC ? "AES/CBC/NoPadding" : "AES/ECB/NoPadding";
        try {
            dataKey = new SecretKeySpec(key, 0, aesBytes, "AES");
            encryptor = Cipher.getInstance(name);
            decryptor = Cipher.getInstance(name);
            if (spec.mode() != CipherSpec.Mode.CBC) {
                encryptor.init(Cipher.ENCRYPT_MODE, dataKey);
                decryptor.init(Cipher.DECRYPT_MODE, dataKey);
            }
            tweaker = xts ? blockCipher(new SecretKeySpec(key, aesBytes, aesBytes, "AES")) : null;
            essiv = spec.essivHash() == null ? null : blockCipher(essivKey(spec.essivHash(), key));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("AES is missing", e);
        }
    }

    private static SecretKeySpec essivKey(Digests hash, byte[] key) {
        MessageDigest digest = hash.digest();
        byte[] hashed = digest.digest(key);
        try {
            return new SecretKeySpec(hashed, "AES");
        } finally {
            Arrays.fill(hashed, (byte) 0);
        }
    }

    private static Cipher blockCipher(SecretKeySpec key) throws GeneralSecurityException {
        Cipher cipher = Cipher.getInstance("AES/ECB/NoPadding");
        cipher.init(Cipher.ENCRYPT_MODE, key);
        return cipher;
    }

    /** @param lengthBytes whole sectors from the start of the array, the first of which has that number */
    void encrypt(byte[] data, int lengthBytes, long firstSector) {
        run(data, lengthBytes, firstSector, true);
    }

    /** @param lengthBytes as with {@link #encrypt} */
    void decrypt(byte[] data, int lengthBytes, long firstSector) {
        run(data, lengthBytes, firstSector, false);
    }

    private void run(byte[] data, int lengthBytes, long firstSector, boolean encrypt) {
        if (lengthBytes % SECTOR_BYTES != 0) {
            throw new IllegalArgumentException("no whole sectors: " + lengthBytes);
        }
        int sectors = lengthBytes / SECTOR_BYTES;
        try {
            Cipher cipher = encrypt ? encryptor : decryptor;
            switch (spec.mode()) {
                case ECB -> cipher.update(data, 0, lengthBytes, data, 0);
                case CBC -> {
                    fillVectors(sectors, firstSector);
                    for (int i = 0; i < sectors; i++) {
                        cipher.init(
                                encrypt ? Cipher.ENCRYPT_MODE : Cipher.DECRYPT_MODE,
                                dataKey,
                                new IvParameterSpec(vectors, i * BLOCK_BYTES, BLOCK_BYTES));
                        cipher.update(data, i * SECTOR_BYTES, SECTOR_BYTES, data, i * SECTOR_BYTES);
                    }
                }
                case XTS -> {
                    fillVectors(sectors, firstSector);
                    fillTweaks(sectors);
                    addTweaks(data, lengthBytes);
                    cipher.update(data, 0, lengthBytes, data, 0);
                    addTweaks(data, lengthBytes);
                }
            }
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("AES refuses whole blocks", e);
        }
    }

    private void fillVectors(int sectors, long firstSector) throws GeneralSecurityException {
        if (vectors.length < sectors * BLOCK_BYTES) {
            vectors = new byte[sectors * BLOCK_BYTES];
        }
        for (int i = 0; i < sectors; i++) {
            long number = firstSector + i;
            LONGS.set(
                    vectors,
                    i * BLOCK_BYTES,
                    spec.vector() == CipherSpec.Vector.PLAIN ? number & 0xffff_ffffL : number);
            LONGS.set(vectors, i * BLOCK_BYTES + 8, 0L);
        }
        if (essiv != null) {
            essiv.update(vectors, 0, sectors * BLOCK_BYTES, vectors, 0);
        }
    }

    private void fillTweaks(int sectors) throws GeneralSecurityException {
        if (tweaker == null) {
            throw new IllegalStateException("XTS without a second key");
        }
        tweaker.update(vectors, 0, sectors * BLOCK_BYTES, vectors, 0);
        if (tweaks.length < sectors * SECTOR_BYTES) {
            tweaks = new byte[sectors * SECTOR_BYTES];
        }
        for (int i = 0; i < sectors; i++) {
            long low = (long) LONGS.get(vectors, i * BLOCK_BYTES);
            long high = (long) LONGS.get(vectors, i * BLOCK_BYTES + 8);
            for (int j = 0, at = i * SECTOR_BYTES; j < BLOCKS; j++, at += BLOCK_BYTES) {
                LONGS.set(tweaks, at, low);
                LONGS.set(tweaks, at + 8, high);
                // times x
                long carry = high >> 63;
                high = high << 1 | low >>> 63;
                low = low << 1 ^ carry & POLYNOMIAL;
            }
        }
    }

    private void addTweaks(byte[] data, int lengthBytes) {
        for (int at = 0; at < lengthBytes; at += 8) {
            LONGS.set(data, at, (long) LONGS.get(data, at) ^ (long) LONGS.get(tweaks, at));
        }
    }
}
