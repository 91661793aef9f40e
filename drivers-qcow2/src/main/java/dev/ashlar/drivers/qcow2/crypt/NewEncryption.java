package dev.ashlar.drivers.qcow2.crypt;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.drivers.qcow2.crypt.CipherSpec.Mode;
import dev.ashlar.drivers.qcow2.crypt.CipherSpec.Vector;
import java.util.Map;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** How a new image is to be encrypted: the options {@code encrypt.…} of its creation. */
public final class NewEncryption {
    private static final String PREFIX = "encrypt.";
    private static final String DEFAULT_MILLIS = "2000";

    private final String secretId;
    private final CipherSpec cipher;
    private final Digests hash;
    private final long iterationMillis;

    private NewEncryption(String secretId, CipherSpec cipher, Digests hash, long iterationMillis) {
        this.secretId = secretId;
        this.cipher = cipher;
        this.hash = hash;
        this.iterationMillis = iterationMillis;
    }

    /** @return null where the options ask for none */
    public static @Nullable NewEncryption parse(Map<String, String> options) throws BlockException {
        String format = options.get(PREFIX + "format");
        String alias = options.get("encryption");
        boolean legacy = alias != null && !alias.equals("off");
        if (format == null && !legacy) {
            for (String name : options.keySet()) {
                if (name.startsWith(PREFIX)) {
                    throw invalid("Parameter 'encrypt.format' is missing");
                }
            }
            return null;
        }
        if (format != null && alias != null) {
            throw invalid("'encrypt.format' and its alias 'encryption' can't be used at the same time");
        }
        if (format != null && !format.equals("luks") && !format.equals("aes")) {
            throw invalid("Parameter 'format' does not accept value '" + format + "'");
        }
        String secretId = options.get(PREFIX + "key-secret");
        if (secretId == null) {
            throw invalid("Parameter 'encrypt.key-secret' is required for cipher");
        }
        if (!"luks".equals(format)) {
            requireNothingOfLuks(options);
            throw new BlockException(
                    Kind.UNSUPPORTED, "New images can't have the legacy AES encryption; use encrypt.format=luks");
        }
        return new NewEncryption(
                secretId,
                cipher(options),
                digests("hash-alg", options.getOrDefault(PREFIX + "hash-alg", "sha256")),
                millis(options.getOrDefault(PREFIX + "iter-time", DEFAULT_MILLIS)));
    }

    private static void requireNothingOfLuks(Map<String, String> options) throws BlockException {
        for (String name : new TreeSet<>(options.keySet())) {
            if (name.startsWith(PREFIX) && !name.equals(PREFIX + "format") && !name.equals(PREFIX + "key-secret")) {
                throw invalid("Parameter '" + name + "' is unexpected");
            }
        }
    }

    private static CipherSpec cipher(Map<String, String> options) throws BlockException {
        String algorithm = options.getOrDefault(PREFIX + "cipher-alg", "aes-256");
        int aesBytes = switch (algorithm) {
            case "aes-128" -> 16;
            case "aes-192" -> 24;
            case "aes-256" -> 32;
            case "des",
                    "3des",
                    "des-rfb",
                    "cast5-128",
                    "serpent-128",
                    "serpent-192",
                    "serpent-256",
                    "twofish-128",
                    "twofish-192",
                    "twofish-256" ->
                throw new BlockException(Kind.UNSUPPORTED, "Algorithm '" + algorithm + "' is not supported");
            default -> throw unaccepted("cipher-alg", algorithm);
        };
        String modeName = options.getOrDefault(PREFIX + "cipher-mode", "xts");
        Mode mode = switch (modeName) {
            case "xts" -> Mode.XTS;
            case "cbc" -> Mode.CBC;
            case "ecb" -> Mode.ECB;
            case "ctr" -> throw new BlockException(Kind.UNSUPPORTED, "Cipher mode 'ctr' is not supported");
            default -> throw unaccepted("cipher-mode", modeName);
        };
        String vectorName = options.getOrDefault(PREFIX + "ivgen-alg", "plain64");
        Vector vector = switch (vectorName) {
            case "plain" -> Vector.PLAIN;
            case "plain64" -> Vector.PLAIN64;
            case "essiv" -> Vector.ESSIV;
            default -> throw unaccepted("ivgen-alg", vectorName);
        };
        Digests vectorHash = digests("ivgen-hash-alg", options.getOrDefault(PREFIX + "ivgen-hash-alg", "sha256"));
        if (mode == Mode.XTS && aesBytes == 24) {
            throw new BlockException(Kind.UNSUPPORTED, "Algorithm 'aes-192' is not supported in mode 'xts'");
        }
        if (vector == Vector.ESSIV && vectorHash.lengthBytes() != 32) {
            throw new BlockException(
                    Kind.UNSUPPORTED, "ESSIV with hash '" + vectorHash.luksName() + "' is not supported");
        }
        return new CipherSpec(
                mode == Mode.XTS ? 2 * aesBytes : aesBytes, mode, vector, vector == Vector.ESSIV ? vectorHash : null);
    }

    private static Digests digests(String option, String name) throws BlockException {
        if (name.equals("md5") || name.equals("ripemd160")) {
            throw new BlockException(Kind.UNSUPPORTED, "Hash algorithm '" + name + "' is not supported");
        }
        for (Digests each : Digests.values()) {
            if (each.luksName().equals(name)) {
                return each;
            }
        }
        throw unaccepted(option, name);
    }

    private static long millis(String text) throws BlockException {
        try {
            long millis = Long.parseLong(text);
            if (millis >= 0 && millis <= Integer.MAX_VALUE) {
                return millis;
            }
        } catch (NumberFormatException e) {
            throw new BlockException(Kind.INVALID, "Parameter 'encrypt.iter-time' expects a number", e);
        }
        throw invalid("Parameter 'encrypt.iter-time' expects a number of milliseconds");
    }

    public String secretId() {
        return secretId;
    }

    /** Bytes that the LUKS header with its key material needs. */
    public long headerBytes() {
        return LuksVolume.headerBytes(cipher);
    }

    /** What is written to a new image on the way on which data is encrypted. */
    @FunctionalInterface
    public interface FirstData {
        void write(ChildAccess encrypted) throws BlockException;
    }

    /** Writes the LUKS header, then the first data; durable when the caller flushes. @param passphrase stays the caller's */
    public void write(ChildAccess file, long hostOffset, byte[] passphrase, FirstData data) throws BlockException {
        byte[] key = LuksVolume.format(CryptStorage.of(file, hostOffset), cipher, hash, passphrase, iterationMillis);
        try (DataCipher keyed = new DataCipher(cipher, key)) {
            data.write(new EncryptedData(file, keyed));
        }
    }

    /** Names the secret only by its id. */
    @Override
    public String toString() {
        return "luks " + cipher.algorithmName() + " " + cipher.luksMode() + " " + hash.luksName();
    }

    private static BlockException unaccepted(String name, String value) {
        return invalid("Parameter '" + name + "' does not accept value '" + value + "'");
    }

    private static BlockException invalid(String message) {
        return new BlockException(Kind.INVALID, message);
    }
}
