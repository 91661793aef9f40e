package dev.ashlar.cli.object;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.util.Arrays;
import java.util.Base64;
import javax.crypto.Cipher;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;

/**
 * A secret: bytes from {@code data=}, from a {@code file=}, or from the environment variable {@code env=} (which is ours), as they are or
 * in base64, possibly encrypted with AES-256-CBC under another secret ({@code keyid=}, {@code iv=}).
 */
final class Secret {
    /** The properties, in the order in which help shows them. */
    static final String[] PROPERTIES = {
        "data=<string>",
        "env=<string>",
        "file=<string>",
        "format=<QCryptoSecretFormat>",
        "iv=<string>",
        "keyid=<string>"
    };

    private static final int KEY_BYTES = 32;
    private static final int BLOCK_BYTES = 16;

    /** Longest file that is taken for a secret. */
    private static final long MAX_FILE_BYTES = 1 << 20;

    private final byte[] content;

    private Secret(byte[] content) {
        this.content = content;
    }

    static Secret of(ObjectProperties properties, UserObjects others) throws BlockException {
        String data = properties.text("data");
        String file = properties.text("file");
        String variable = properties.text("env");
        String format = properties.text("format");
        String keyId = properties.text("keyid");
        String vector = properties.text("iv");
        properties.refuseRest();
        boolean base64 = "base64".equals(format);
        if (format != null && !base64 && !format.equals("raw")) {
            throw invalid("Parameter 'format' does not accept value '" + format + "'");
        }
        byte[] given = load(data, file, variable);
        try {
            byte[] bytes = base64 ? decode(given) : given.clone();
            if (keyId == null) {
                return new Secret(bytes);
            }
            byte[] key = others.secret(keyId);
            try {
                return new Secret(decrypt(bytes, key, vector));
            } finally {
                Arrays.fill(key, (byte) 0);
                Arrays.fill(bytes, (byte) 0);
            }
        } finally {
            Arrays.fill(given, (byte) 0);
        }
    }

    /** A copy of the bytes, the caller's own. */
    byte[] copy() {
        return content.clone();
    }

    void wipe() {
        Arrays.fill(content, (byte) 0);
    }

    private static byte[] load(@Nullable String data, @Nullable String file, @Nullable String variable)
            throws BlockException {
        int sources = (data == null ? 0 : 1) + (file == null ? 0 : 1) + (variable == null ? 0 : 1);
        if (sources > 1) {
            throw invalid(
                    variable == null
                            ? "'file' and 'data' are mutually exclusive"
                            : "'env', 'file' and 'data' are mutually exclusive");
        }
        if (file != null) {
            return read(file);
        }
        if (variable != null) {
            String value = System.getenv(variable);
            if (value == null) {
                throw new BlockException(Kind.NOT_FOUND, "There is no environment variable '" + variable + "'");
            }
            return value.getBytes(StandardCharsets.UTF_8);
        }
        if (data == null) {
            throw invalid("Either 'file' or 'data' must be provided");
        }
        return data.getBytes(StandardCharsets.UTF_8);
    }

    private static byte[] read(String file) throws BlockException {
        try {
            Path path = Path.of(file);
            if (Files.isDirectory(path)) {
                throw new BlockException(
                        Kind.IO,
                        "Unable to read " + file + ": Error reading file \u201c" + file + "\u201d: Is a directory");
            }
            if (Files.size(path) > MAX_FILE_BYTES) {
                throw invalid("Unable to read " + file + ": it is longer than " + MAX_FILE_BYTES + " bytes");
            }
            return Files.readAllBytes(path);
        } catch (NoSuchFileException | InvalidPathException e) {
            throw new BlockException(
                    Kind.NOT_FOUND,
                    "Unable to read " + file + ": Failed to open file \u201c" + file
                            + "\u201d: No such file or directory",
                    e);
        } catch (BlockException e) {
            throw e;
        } catch (IOException e) {
            throw new BlockException(Kind.IO, "Unable to read " + file + ": " + e.getMessage(), e);
        }
    }

    private static byte[] decode(byte[] text) throws BlockException {
        int length = 0;
        byte[] tight = new byte[text.length];
        for (byte c : text) {
            // A file of base64 has line feeds.
            if (c != '\n' && c != '\r' && c != ' ') {
                tight[length++] = c;
            }
        }
        byte[] exact = Arrays.copyOf(tight, length);
        try {
            return Base64.getDecoder().decode(exact);
        } catch (IllegalArgumentException e) {
            throw new BlockException(Kind.INVALID, "Base64 data contains invalid characters", e);
        } finally {
            Arrays.fill(tight, (byte) 0);
            Arrays.fill(exact, (byte) 0);
        }
    }

    private static byte[] decrypt(byte[] encrypted, byte[] key, @Nullable String vectorText) throws BlockException {
        if (key.length != KEY_BYTES) {
            throw invalid("Key should be " + KEY_BYTES + " bytes in length");
        }
        if (vectorText == null) {
            throw invalid("IV is required to decrypt secret");
        }
        byte[] vector = decode(vectorText.getBytes(StandardCharsets.UTF_8));
        if (vector.length != BLOCK_BYTES) {
            throw invalid("IV should be " + BLOCK_BYTES + " bytes in length not " + vector.length);
        }
        if (encrypted.length == 0 || encrypted.length % BLOCK_BYTES != 0) {
            throw invalid("Length " + encrypted.length + " must be a multiple of block size " + BLOCK_BYTES);
        }
        byte[] padded;
        try {
            Cipher cipher = Cipher.getInstance("AES/CBC/NoPadding");
            cipher.init(Cipher.DECRYPT_MODE, new SecretKeySpec(key, "AES"), new IvParameterSpec(vector));
            padded = cipher.doFinal(encrypted);
        } catch (GeneralSecurityException e) {
            throw new BlockException(Kind.IO, "Could not decrypt the secret: " + e.getMessage(), e);
        }
        try {
            int padding = padded[padded.length - 1] & 0xff;
            if (padding > BLOCK_BYTES) {
                throw invalid("Incorrect number of padding bytes (" + padding + ") found on decrypted data");
            }
            return Arrays.copyOf(padded, padded.length - padding);
        } finally {
            Arrays.fill(padded, (byte) 0);
        }
    }

    private static BlockException invalid(String message) {
        return new BlockException(Kind.INVALID, message);
    }
}
