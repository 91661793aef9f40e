package dev.ashlar.core.spi;

import dev.ashlar.core.BlockException;
import java.util.Map;

/** What core hands to {@link BlockDriver#create}. */
public interface CreateRequest {
    /**
     * Options by name as text, checked against {@link BlockDriver#createOptions} for their names. {@code size} is the
     * virtual size in bytes (plain digits); PROTOCOL drivers find {@code filename}, and create the file or cut an
     * existing one to 0 bytes before growing it to {@code size}.
     */
    Map<String, String> options();

    /** The empty child to write the image to (FORMAT only). @throws IllegalStateException for a PROTOCOL */
    ChildAccess file();

    /** The secret of that id, as {@link SecretSource#secret}. */
    default byte[] secret(String id) throws BlockException {
        return SecretSource.NONE.secret(id);
    }

    /**
     * Makes a further file of the image (FORMAT only), or empties one of that name. It is flushed and closed by core, and removed again where creation
     * fails.
     *
     * @param name as users write it, with a protocol's prefix or without; relative to the working folder
     * @param sizeBytes its length, all zeros
     */
    default ChildAccess createFile(String name, long sizeBytes) throws BlockException {
        throw new BlockException(BlockException.Kind.UNSUPPORTED, "No further file can be created here");
    }
}
