package dev.ashlar.drivers.qcow2.crypt;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import org.jspecify.annotations.Nullable;

/**
 * How sectors are encrypted: AES, a mode, and how a sector's number becomes its initialization vector. LUKS writes that as {@code aes} and {@code
 * xts-plain64}.
 *
 * @param keyBytes of the key as a whole; XTS needs two AES keys
 * @param essivHash of ESSIV, else null
 */
record CipherSpec(
        int keyBytes, Mode mode, Vector vector, @Nullable Digests essivHash) {
    static final CipherSpec LEGACY_AES = new CipherSpec(16, Mode.CBC, Vector.PLAIN64, null);

    /** Modes of operation. */
    enum Mode {
        XTS,
        CBC,
        ECB
    }

    /** Generators of initialization vectors. */
    enum Vector {
        /** The low 32 bits of the number. */
        PLAIN,
        PLAIN64,
        /** The number, encrypted under a hash of the key. */
        ESSIV,
        NONE
    }

    CipherSpec {
        int aesBytes = mode == Mode.XTS ? keyBytes / 2 : keyBytes;
        if (keyBytes % (mode == Mode.XTS ? 2 : 1) != 0
                || (aesBytes != 16 && aesBytes != 24 && aesBytes != 32)
                || (vector == Vector.ESSIV) != (essivHash != null)) {
            throw new IllegalArgumentException("key of " + keyBytes + " bytes, " + mode + ", " + vector);
        }
    }

    /** From the fields of a LUKS header. */
    static CipherSpec parse(String cipherName, String cipherMode, long keyBytes) throws BlockException {
        if (!cipherName.equals("aes")) {
            throw unsupported("Algorithm '" + Names.printable(cipherName) + "'");
        }
        int dash = cipherMode.indexOf('-');
        String modeName = dash < 0 ? cipherMode : cipherMode.substring(0, dash);
        String vectorName = dash < 0 ? "" : cipherMode.substring(dash + 1);
        Mode mode = switch (modeName) {
            case "xts" -> Mode.XTS;
            case "cbc" -> Mode.CBC;
            case "ecb" -> Mode.ECB;
            default -> throw unsupported("Cipher mode '" + Names.printable(modeName) + "'");
        };
        boolean known = mode == Mode.XTS
                ? keyBytes == 32 || keyBytes == 64
                : keyBytes == 16 || keyBytes == 24 || keyBytes == 32;
        if (!known) {
            throw unsupported("A key of " + keyBytes + " bytes for mode " + modeName);
        }
        // what generates vectors is kept for a mode that has none: others ask for its name
        if (mode == Mode.ECB && dash < 0) {
            return new CipherSpec((int) keyBytes, mode, Vector.NONE, null);
        }
        return switch (vectorName) {
            case "plain" -> new CipherSpec((int) keyBytes, mode, Vector.PLAIN, null);
            case "plain64" -> new CipherSpec((int) keyBytes, mode, Vector.PLAIN64, null);
            default -> {
                if (!vectorName.startsWith("essiv:")) {
                    throw unsupported("IV generator '" + Names.printable(vectorName) + "'");
                }
                Digests hash = Digests.named(vectorName.substring("essiv:".length()));
                if (hash.lengthBytes() != 32 && hash.lengthBytes() != 24 && hash.lengthBytes() != 16) {
                    throw unsupported("ESSIV with hash '" + hash.luksName() + "'");
                }
                yield new CipherSpec((int) keyBytes, mode, Vector.ESSIV, hash);
            }
        };
    }

    /** The mode as LUKS writes it. */
    String luksMode() {
        String name = mode.name().toLowerCase(java.util.Locale.ROOT);
        return switch (vector) {
            case NONE -> name;
            case PLAIN -> name + "-plain";
            case PLAIN64 -> name + "-plain64";
            case ESSIV -> name + "-essiv:" + (essivHash == null ? "" : essivHash.luksName());
        };
    }

    /** As {@code info} calls it: {@code aes-256}. */
    String algorithmName() {
        return "aes-" + 8 * (mode == Mode.XTS ? keyBytes / 2 : keyBytes);
    }

    private static BlockException unsupported(String what) {
        return new BlockException(Kind.UNSUPPORTED, what + " is not supported");
    }
}
