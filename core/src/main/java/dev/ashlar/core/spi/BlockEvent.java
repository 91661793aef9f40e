package dev.ashlar.core.spi;

import java.util.Locale;
import java.util.Optional;

/**
 * A point in the life of a request, by the names that QEMU's {@code blkdebug} rules use. Core announces those of data requests
 * ({@link #READ_AIO}, {@link #WRITE_AIO} and the {@code pwritev} family); formats announce those of their tables, each before the
 * access it names, with {@link ChildAccess#event}.
 */
public enum BlockEvent {
    /** Matches at once, when the rules are read. */
    NONE,
    L1_UPDATE,
    L1_GROW_ALLOC_TABLE,
    L1_GROW_WRITE_TABLE,
    L1_GROW_ACTIVATE_TABLE,
    L2_LOAD,
    L2_UPDATE,
    L2_UPDATE_COMPRESSED,
    L2_ALLOC_COW_READ,
    L2_ALLOC_WRITE,
    READ_AIO,
    READ_BACKING_AIO,
    READ_COMPRESSED,
    WRITE_AIO,
    WRITE_COMPRESSED,
    VMSTATE_LOAD,
    VMSTATE_SAVE,
    COW_READ,
    COW_WRITE,
    REFTABLE_LOAD,
    REFTABLE_GROW,
    REFTABLE_UPDATE,
    REFBLOCK_LOAD,
    REFBLOCK_UPDATE,
    REFBLOCK_UPDATE_PART,
    REFBLOCK_ALLOC,
    REFBLOCK_ALLOC_HOOKUP,
    REFBLOCK_ALLOC_WRITE,
    REFBLOCK_ALLOC_WRITE_BLOCKS,
    REFBLOCK_ALLOC_WRITE_TABLE,
    REFBLOCK_ALLOC_SWITCH_TABLE,
    CLUSTER_ALLOC,
    CLUSTER_ALLOC_BYTES,
    CLUSTER_FREE,
    FLUSH_TO_OS,
    FLUSH_TO_DISK,
    PWRITEV_RMW_HEAD,
    PWRITEV_RMW_AFTER_HEAD,
    PWRITEV_RMW_TAIL,
    PWRITEV_RMW_AFTER_TAIL,
    PWRITEV,
    PWRITEV_ZERO,
    PWRITEV_DONE,
    EMPTY_IMAGE_PREPARE,
    L1_SHRINK_WRITE_TABLE,
    L1_SHRINK_FREE_L2_CLUSTERS,
    COR_WRITE,
    CLUSTER_ALLOC_SPACE;

    /** The name in rules, for instance {@code l2_load}. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** The event of that name; old spellings with a dot ({@code refblock_alloc.write}) are understood. */
    public static Optional<BlockEvent> find(String label) {
        String plain = label.replace('.', '_');
        for (BlockEvent event : values()) {
            if (event.label().equals(plain)) {
                return Optional.of(event);
            }
        }
        return Optional.empty();
    }
}
