package dev.ashlar.core.spi;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.ChildRole;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A driver: a stateless factory, found by {@link java.util.ServiceLoader}. All methods may be called from any thread.
 * Keep constructors free of work: every start of a program creates every driver.
 */
public interface BlockDriver {
    /** The name users give, for instance {@code qcow2}, {@code raw}, {@code file}. */
    String name();

    /** What it stands on, and so which of the methods below are called. */
    DriverKind kind();

    /**
     * How sure a FORMAT driver is that the image is its own.
     *
     * @param head the first bytes of the file, up to 2048, fewer where the file is shorter; valid during the call only
     * @return 0 (not mine) to 100 (certain); {@code raw} answers 1
     */
    default int probe(MemorySegment head) {
        return 0;
    }

    /**
     * How well a PROTOCOL driver fits a plain file name (no {@code driver:} prefix).
     *
     * @return 0 (not at all) to 100; the highest opens the file
     */
    default int probeFileName(String fileName) {
        return 0;
    }

    /**
     * Opens one instance. Nothing is visible to others before this returns; when it throws, whatever it had opened is
     * closed again (children belong to core, not to the driver).
     */
    DriverInstance open(OpenRequest request) throws BlockException;

    /**
     * What this driver keeps in its {@code file} child (FORMAT and FILTER). It decides about the permissions that are taken before
     * {@link #open} is called: a child with METADATA is never shared with a writer.
     *
     * @param options as {@link OpenRequest#options}
     * @return DATA, METADATA and PRIMARY for an image with tables; DATA (or FILTERED, where nothing is cut off) and PRIMARY for a
     *     driver that keeps nothing of its own there
     */
    default Set<ChildRole> fileRoles(Map<String, String> options) {
        return kind() == DriverKind.FILTER
                ? Set.of(ChildRole.FILTERED, ChildRole.PRIMARY)
                : Set.of(ChildRole.DATA, ChildRole.METADATA, ChildRole.PRIMARY);
    }

    /**
     * Creates a new file (PROTOCOL) or makes an existing, empty child a valid image (FORMAT). A format's header is
     * written last, after everything it names is durable.
     */
    default void create(CreateRequest request) throws BlockException {
        throw new BlockException(Kind.UNSUPPORTED, "Format driver '" + name() + "' does not support image creation");
    }

    /**
     * Looks at the options of {@link #create} before anything on the host is touched: what can't be created is refused while a file
     * of that name is still as it was.
     *
     * @param options as {@link CreateRequest#options}
     */
    default void validateCreate(Map<String, String> options) throws BlockException {}

    /** Removes what {@link #create} made (PROTOCOL), after the image in it could not be created. Does nothing where nothing can be removed. */
    default void delete(String fileName) {}

    /**
     * Names of the edges to children that options may describe ({@code file.filename=…}), the primary one first. Dotted options with
     * another first part are the driver's own.
     */
    default List<String> childNames() {
        return switch (kind()) {
            case PROTOCOL -> List.of();
            case FILTER -> List.of("file");
            case FORMAT -> List.of("file", "backing", "data-file");
        };
    }

    /**
     * Whether a FILTER stands where else a protocol would: a format above it goes by the filter's file name.
     */
    default boolean standsForFile() {
        return false;
    }

    /** Whether a PROTOCOL can't be opened without {@code filename}. */
    default boolean needsFileName() {
        return kind() == DriverKind.PROTOCOL;
    }

    /**
     * What a file name of the form {@code NAME:rest} stands for, where this driver has such names and they are more than a prefix.
     *
     * @return flattened options, those of children included; empty where the driver has no such names
     * @throws BlockException INVALID if the rest is not as it must be
     */
    default Optional<Map<String, String>> parseFileName(String fileName) throws BlockException {
        return Optional.empty();
    }

    /** Options of {@link #open} that change the content; a name that ends in a dot stands for all that begin so. */
    default List<String> strongOptions() {
        return List.of();
    }

    /**
     * A file name that stands for a node of this driver, where the driver has such names and one says enough.
     *
     * @param options what tells the node from others: strong options, {@code driver}, a map for each child
     * @param childFileNames by name of the edge; null where a child has no plain name
     */
    default @Nullable String plainFileName(Map<String, Object> options, Map<String, @Nullable String> childFileNames) {
        return null;
    }

    /** Whether images of this FORMAT can be {@link CompressionCapable}. */
    default boolean canCompress() {
        return false;
    }

    /** The options that {@link #create} understands, {@code size} among them, in the order in which users should see them; none where nothing can be created. */
    default List<OptionDescriptor> createOptions() {
        return List.of();
    }

    /** The options that {@link Amendable#amend} understands. */
    default List<OptionDescriptor> amendOptions() {
        return List.of();
    }

    /**
     * The options of an opening that takes another's place: those of {@code before}, but for what {@code changed} says anew or makes pointless. A new map; the
     * result is checked when it is used.
     */
    default Map<String, String> joinOptions(Map<String, String> before, Map<String, String> changed) {
        Map<String, String> all = new HashMap<>(before);
        all.putAll(changed);
        return all;
    }

    /** The options that {@link #open} understands beside the common ones. */
    default List<OptionDescriptor> openOptions() {
        return List.of();
    }
}
