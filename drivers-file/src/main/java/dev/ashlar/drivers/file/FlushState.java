package dev.ashlar.drivers.file;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.nativeio.ErrnoException;
import dev.ashlar.nativeio.LinuxFile;

/**
 * Whether flushes of a file can still be believed. After one has failed the kernel marks the pages clean that it could not
 * write, and the next flush would report success: so none succeeds any more until the file is opened again.
 */
final class FlushState {
    private final boolean ignored;
    private volatile boolean failed;

    /** @param ignored flushes do nothing */
    FlushState(boolean ignored) {
        this.ignored = ignored;
    }

    boolean isIgnored() {
        return ignored;
    }

    boolean hasFailed() {
        return failed;
    }

    void fail() {
        failed = true;
    }

    /** Flushes; blocking, any thread. */
    void flush(LinuxFile file) throws BlockException {
        if (ignored) {
            return;
        }
        if (failed) {
            throw new BlockException(Kind.IO, "an earlier flush of '" + file.path() + "' failed");
        }
        int result = file.fdatasync();
        if (result < 0) {
            failed = true;
            throw Failures.of(new ErrnoException("fdatasync", -result, file.path()));
        }
    }
}
