package dev.ashlar.core.spi;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;

/** Where passphrases and keys come from: options name a secret by id, the bytes themselves stand in no option. Any thread. */
@FunctionalInterface
public interface SecretSource {
    /** Knows no secret. */
    SecretSource NONE = new SecretSource() {
        @Override
        public byte[] secret(String id) throws BlockException {
            throw new BlockException(Kind.NOT_FOUND, "No secret with id '" + id + "'");
        }
    };

    /**
     * @param id as the user named the secret
     * @return its bytes; the array belongs to the caller, who wipes it after use
     * @throws BlockException NOT_FOUND if there is no such secret
     */
    byte[] secret(String id) throws BlockException;
}
