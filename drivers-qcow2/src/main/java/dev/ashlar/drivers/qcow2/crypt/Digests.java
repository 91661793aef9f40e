package dev.ashlar.drivers.qcow2.crypt;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;

/** Hash functions by the names that LUKS headers use, and their sizes. Source: FIPS 180-4, figure 1. */
enum Digests {
    SHA1("sha1", "SHA-1", 20, 64),
    SHA224("sha224", "SHA-224", 28, 64),
    SHA256("sha256", "SHA-256", 32, 64),
    SHA384("sha384", "SHA-384", 48, 128),
    SHA512("sha512", "SHA-512", 64, 128);

    private final String luksName;
    private final String digestName;
    private final int lengthBytes;
    private final int blockBytes;

    Digests(String luksName, String digestName, int lengthBytes, int blockBytes) {
        this.luksName = luksName;
        this.digestName = digestName;
        this.lengthBytes = lengthBytes;
        this.blockBytes = blockBytes;
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

    /** What the function takes in at once; HMAC pads its key to that. */
    int blockBytes() {
        return blockBytes;
    }

    MessageDigest digest() {
        try {
            return MessageDigest.getInstance(digestName);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }
}
