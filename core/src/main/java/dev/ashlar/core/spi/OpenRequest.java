package dev.ashlar.core.spi;

import dev.ashlar.core.BlockException;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;

/** What core hands to {@link BlockDriver#open}. Valid during that call only, but for the {@link ChildAccess} objects. */
public interface OpenRequest {
    /** The name of the node that is being opened. */
    String nodeName();

    /**
     * Options that are this driver's own, by name, values as text ({@code filename} for protocols, {@code offset} and
     * {@code size} for raw, …). Core has taken out the common ones.
     */
    Map<String, String> options();

    /** Whether the node is opened with that flag. */
    boolean has(Flag flag);

    /** What the image may claim at most, beside the limits of the format. */
    default dev.ashlar.core.ImageLimits limits() {
        return dev.ashlar.core.ImageLimits.NONE;
    }

    /** All flags that the node is opened with; unmodifiable. */
    Set<Flag> flags();

    /** Takes one line for the user about what goes wrong later without being the failure of a request. Any thread, at any time while the node is open. */
    default Consumer<String> notices() {
        return line -> {};
    }

    /** The primary child of a FORMAT or FILTER. @throws IllegalStateException for a PROTOCOL, which has none */
    ChildAccess file();

    /**
     * Opens a further file that is named inside the image, through the open gate, and attaches it with the given role.
     *
     * @param childName name of the edge, for instance {@code data-file}
     * @throws BlockException if the gate or the host refuses
     */
    ChildAccess openReference(String childName, Set<dev.ashlar.core.ChildRole> roles, ImageReference reference)
            throws BlockException;

    /** Whether the options describe a further child, by name or by options of its own: {@link #openChild} opens it. */
    default boolean describesChild(String childName) {
        return false;
    }

    /**
     * Opens a further child that the options describe under the name of its edge, and attaches it with the given roles.
     *
     * @param childName one of {@link BlockDriver#childNames}
     * @throws BlockException INVALID where the options do not describe it
     */
    default ChildAccess openChild(String childName, Set<dev.ashlar.core.ChildRole> roles) throws BlockException {
        throw new IllegalStateException("no child '" + childName + "' can be opened here");
    }

    /** The secret of that id, as {@link SecretSource#secret}. */
    default byte[] secret(String id) throws BlockException {
        return SecretSource.NONE.secret(id);
    }

    /** How to open. */
    enum Flag {
        /** No guest writes and no metadata writes. */
        READ_ONLY,
        /** O_DIRECT for data. */
        DIRECT,
        /** Flushes are ignored ({@code cache=unsafe}); only for scratch copies. */
        NO_FLUSH,
        /** Take no locks against other processes ({@code -U}). */
        FORCE_SHARE,
        /** Opened by a checker or repairer: dirty and corrupt images open, inconsistencies are not fatal where possible. */
        CHECK,
        /** Only headers and tables are wanted, no guest data ({@code info}): external references are not opened. */
        NO_IO,
        /** The image is not trusted: tight limits, no references, dirty and corrupt images are refused. */
        UNTRUSTED,
        /** Discards are passed down to the host ({@code discard=unmap}). */
        UNMAP
    }
}
