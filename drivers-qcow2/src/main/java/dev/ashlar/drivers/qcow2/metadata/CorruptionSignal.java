package dev.ashlar.drivers.qcow2.metadata;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import java.util.function.Consumer;

/**
 * What happens when an image turns out to be corrupt while it is used. If going on would make things worse, it is marked, durably, where its version has a bit
 * for that (rule R10), and is unusable for writing from then on; else only that it is so is told, once.
 */
public final class CorruptionSignal {
    private final ImageFile file;
    private final HeaderSector header;
    private volatile boolean readOnly;
    private volatile Consumer<String> notices = line -> {};
    private boolean told;
    private boolean marked;

    CorruptionSignal(ImageFile file, HeaderSector header) {
        this.file = file;
        this.header = header;
    }

    /** The image is not written to, not even to mark it. */
    public void setReadOnly() {
        readOnly = true;
    }

    /** @param consumer takes the one line for the user that each image may give */
    public void setNotices(Consumer<String> consumer) {
        notices = consumer;
    }

    /**
     * Going on would destroy something.
     *
     * @return what the caller throws
     */
    public synchronized BlockException fatal(String what) {
        if (readOnly) {
            return nonFatal(what);
        }
        BlockException corrupt = failure(what);
        if (!marked) {
            marked = true;
            told = true;
            notices.accept(marking(what));
            try {
                if (header.markCorrupt()) {
                    header.write(file);
                    file.flush();
                }
            } catch (BlockException e) {
                corrupt.addSuppressed(e);
            }
            file.failCorrupt(corrupt);
        }
        return corrupt;
    }

    /** As {@link #fatal}, for a check, which goes on: the image is marked, where it may be written to, and stays in use. */
    public synchronized void mark(Consumer<String> findings, String what) throws BlockException {
        if (readOnly) {
            nonFatal(findings, what);
        } else if (!marked && !file.isFailed()) {
            marked = true;
            told = true;
            findings.accept(marking(what));
            if (header.markCorrupt()) {
                header.write(file);
                file.flush();
            }
        }
    }

    private static String marking(String what) {
        return "qcow2: Marking image as corrupt: " + what + "; further corruption events will be suppressed";
    }

    /** One request fails; the image stays in use. @return what the caller throws */
    public BlockException nonFatal(String what) {
        return nonFatal(notices, what);
    }

    /** As {@link #nonFatal(String)}, for a check, whose findings it goes with. */
    public synchronized BlockException nonFatal(Consumer<String> findings, String what) {
        if (!told) {
            told = true;
            findings.accept(
                    "qcow2: Image is corrupt: " + what + "; further non-fatal corruption events will be suppressed");
        }
        return failure(what);
    }

    /**
     * What a look at the tables threw. Where they name what can't be, which is an I/O error, the image is marked; counts that contradict a change, which is
     * an invalid argument, only fail that change.
     *
     * @return what the caller throws; not under a lock of the image's
     */
    public BlockException ofTables(BlockException e) {
        return e.kind() == Kind.CORRUPT && e.reason().equals(Kind.IO.reason()) && !file.isFailed()
                ? fatal(String.valueOf(e.getMessage()))
                : e;
    }

    private static BlockException failure(String what) {
        return new BlockException(Kind.CORRUPT, "qcow2: Image is corrupt: " + what, "Input/output error", null);
    }
}
