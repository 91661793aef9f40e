package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.drivers.qcow2.metadata.ImageFile;

/** What is true of the open disk at present, for all that work on it; any thread. */
final class LiveDisk {
    private final ImageFile file;
    private final boolean readOnly;
    private final boolean externalData;
    private volatile long sizeBytes;
    private volatile boolean outdated;

    /** @param externalData guest data lies in a file of its own */
    LiveDisk(ImageFile file, boolean readOnly, boolean externalData, long sizeBytes) {
        this.file = file;
        this.readOnly = readOnly;
        this.externalData = externalData;
        this.sizeBytes = sizeBytes;
    }

    long sizeBytes() {
        return sizeBytes;
    }

    void setSizeBytes(long bytes) {
        sizeBytes = bytes;
    }

    /** The image was amended: this opening has nothing left to write. */
    void setOutdated(boolean amended) {
        outdated = amended;
    }

    /** Whether this opening may have something to write. */
    boolean isWritten() {
        return !readOnly && !outdated;
    }

    boolean isReadOnly() {
        return readOnly;
    }

    void requireWritable() throws BlockException {
        if (readOnly) {
            throw new BlockException(Kind.READ_ONLY, "Image is read-only");
        }
        file.requireHealthy();
    }

    /** Snapshots share clusters, and clusters of a data file have one place each. */
    void requireOwnData() throws BlockException {
        if (externalData) {
            throw new BlockException(
                    Kind.UNSUPPORTED,
                    "Internal snapshots are not supported for images with an external data file",
                    "Operation not supported",
                    null);
        }
    }
}
