package dev.ashlar.drivers.qcow2.crypt;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.SecretSource;
import dev.ashlar.drivers.qcow2.format.CryptoHeader;
import dev.ashlar.drivers.qcow2.format.Qcow2Header;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The encryption of one open image: LUKS, by the number of the host sector, or the legacy AES method, by that of the guest sector and for reading only.
 * Compressed clusters are not encrypted by either. Source: qcow2 specification, "Full disk encryption header pointer" and "Data encryption".
 */
public final class ImageEncryption implements AutoCloseable {
    /** Requests are padded to whole sectors. */
    public static final int SECTOR_BYTES = SectorCipher.SECTOR_BYTES;

    private static final int LEGACY_KEY_BYTES = 16;

    private final @Nullable LuksVolume volume;
    private final @Nullable DataCipher cipher;

    private ImageEncryption(@Nullable LuksVolume volume, @Nullable DataCipher cipher) {
        this.volume = volume;
        this.cipher = cipher;
    }

    /**
     * @param format as the user expects it, or null
     * @param secretId of the passphrase, or null
     * @param keyNeeded false: only facts are wanted
     * @return null for an image that is not encrypted
     */
    public static @Nullable ImageEncryption open(
            Qcow2Header header,
            ChildAccess file,
            @Nullable String format,
            @Nullable String secretId,
            SecretSource secrets,
            boolean keyNeeded)
            throws BlockException {
        String found = switch (header.encryptionMethod()) {
            case Qcow2Header.ENCRYPTION_AES -> "aes";
            case Qcow2Header.ENCRYPTION_LUKS -> "luks";
            default -> "none";
        };
        if (found.equals("none")) {
            if (format != null) {
                throw invalid("No encryption in image header, but options specified format '" + format + "'");
            }
            return null;
        }
        if (format != null && !format.equals(found)) {
            throw invalid("Header reported '" + found + "' encryption format but options specify '" + format + "'");
        }
        CryptoHeader place = CryptoHeader.of(header.extensions());
        LuksVolume volume = null;
        if (found.equals("luks")) {
            if (place == null) {
                throw new BlockException(Kind.CORRUPT, "Missing CRYPTO header for crypt method 2");
            }
            volume = LuksVolume.open(CryptStorage.of(file, place.hostOffset()), place.lengthBytes());
        }
        if (!keyNeeded) {
            return new ImageEncryption(volume, null);
        }
        if (secretId == null) {
            throw invalid("Parameter 'encrypt.key-secret' is required for cipher");
        }
        byte[] passphrase = secrets.secret(secretId);
        try {
            return volume == null
                    ? new ImageEncryption(null, legacy(passphrase))
                    : new ImageEncryption(volume, new DataCipher(volume.header().cipher(), volume.unlock(passphrase)));
        } finally {
            Arrays.fill(passphrase, (byte) 0);
        }
    }

    /** The passphrase is the key, cut or filled up with zeros. */
    private static DataCipher legacy(byte[] passphrase) {
        return new DataCipher(CipherSpec.LEGACY_AES, Arrays.copyOf(passphrase, LEGACY_KEY_BYTES));
    }

    /** Whether sectors go by the guest's numbers: what is read from the file is decrypted by {@link #decryptGuest}, nothing is written. */
    public boolean isByGuestOffset() {
        return volume == null;
    }

    /** The way on which data is encrypted by host sectors. */
    public ChildAccess wrap(ChildAccess data) {
        return isByGuestOffset() ? data : new EncryptedData(data, cipher);
    }

    /** Decrypts what the file has for a guest range. @param guestOffset start of a sector */
    public void decryptGuest(MemorySegment data, long guestOffset) throws BlockException {
        if (cipher == null) {
            throw new BlockException(Kind.PERMISSION, "The image was opened without its key");
        }
        cipher.decrypt(data, guestOffset / SECTOR_BYTES);
    }

    /** Changes the key slots of a LUKS image; each slot as a whole or not at all, whatever happens meanwhile. */
    public void change(KeySlotChange change, SecretSource secrets) throws BlockException {
        if (volume == null || cipher == null) {
            throw invalid("Only LUKS encryption options can be amended for qcow2 with encryption");
        }
        byte[] key = cipher.copyOfKey();
        try {
            change.apply(volume, key, secrets);
        } finally {
            Arrays.fill(key, (byte) 0);
        }
    }

    /** For {@code info}, in the order of QEMU's tools. */
    public Map<String, Object> facts() {
        Map<String, Object> facts = new LinkedHashMap<>();
        if (volume == null) {
            facts.put("format", "aes");
            return facts;
        }
        LuksHeader header = volume.header();
        CipherSpec spec = header.cipher();
        String[] mode = spec.luksMode().split("[-:]", -1);
        facts.put("ivgen-alg", mode.length < 2 ? "plain" : mode[1]);
        if (spec.essivHash() != null) {
            facts.put("ivgen-hash-alg", spec.essivHash().luksName());
        }
        facts.put("hash-alg", header.hash().luksName());
        facts.put("cipher-alg", spec.algorithmName());
        facts.put("uuid", header.uuid());
        facts.put("format", "luks");
        facts.put("cipher-mode", mode[0]);
        List<Object> slots = new ArrayList<>();
        for (LuksHeader.Slot slot : header.slots()) {
            Map<String, Object> one = new LinkedHashMap<>();
            one.put("active", slot.active());
            if (slot.active()) {
                one.put("iters", slot.iterations());
            }
            one.put("key-offset", slot.keyOffset());
            if (slot.active()) {
                one.put("stripes", (long) LuksHeader.STRIPES);
            }
            slots.add(one);
        }
        facts.put("slots", slots);
        facts.put("payload-offset", header.payloadOffset());
        facts.put("master-key-iters", header.keyDigestIterations());
        return facts;
    }

    @Override
    public void close() {
        if (cipher != null) {
            cipher.close();
        }
    }

    private static BlockException invalid(String message) {
        return new BlockException(Kind.INVALID, message);
    }
}
