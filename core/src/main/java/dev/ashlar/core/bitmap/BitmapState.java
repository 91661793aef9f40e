package dev.ashlar.core.bitmap;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import org.jspecify.annotations.Nullable;

/**
 * What a bitmap is beside its bits: its name, whether it records, who uses it, how it stands to the image that keeps it; and what of that
 * forbids an operation, in the words of QEMU. Read by any thread; changed under the lock of the node's bitmaps, {@link #changed} alone by
 * writes as well.
 */
final class BitmapState {
    /** What forbids an operation. */
    enum Bar {
        BUSY,
        READ_ONLY,
        INCONSISTENT
    }

    /** Null for an anonymous bitmap. */
    volatile @Nullable String name;

    volatile boolean enabled = true;
    volatile boolean busy;
    volatile boolean readOnly;
    volatile boolean inconsistent;
    volatile boolean persistent;

    /** Whether the bitmap is not as its image keeps it. */
    volatile boolean changed = true;

    BitmapState(@Nullable String name) {
        this.name = name;
    }

    /** Whether writes are to set bits. */
    boolean records() {
        return enabled && !inconsistent && !readOnly;
    }

    /** As its image keeps it. */
    void restore(boolean on, boolean isInconsistent) {
        persistent = true;
        changed = false;
        inconsistent = isInconsistent;
        enabled = on && !isInconsistent;
    }

    /** Before what changes bits or records. @throws BlockException BUSY; READ_ONLY; CORRUPT if the bitmap is inconsistent */
    void requireUsable() throws BlockException {
        requireNot(Bar.BUSY);
        requireNot(Bar.READ_ONLY);
        requireNot(Bar.INCONSISTENT);
    }

    /** Before what needs its bits only. @throws BlockException BUSY; CORRUPT */
    void requireIdleAndConsistent() throws BlockException {
        requireNot(Bar.BUSY);
        requireNot(Bar.INCONSISTENT);
    }

    void requireNot(Bar bar) throws BlockException {
        boolean barred = switch (bar) {
            case BUSY -> busy;
            case READ_ONLY -> readOnly;
            case INCONSISTENT -> inconsistent;
        };
        if (barred) {
            String start = "Bitmap '" + shownName() + "' is ";
            throw switch (bar) {
                case BUSY ->
                    new BlockException(Kind.BUSY, start + "currently in use by another operation and cannot be used");
                case READ_ONLY -> new BlockException(Kind.READ_ONLY, start + "readonly and cannot be modified");
                case INCONSISTENT -> new BlockException(Kind.CORRUPT, start + "inconsistent and cannot be used");
            };
        }
    }

    String shownName() {
        String shown = name;
        return shown == null ? "(anonymous)" : shown;
    }
}
