package dev.ashlar.cli.io;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.img.NodeNames;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockGraph;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** The image that commands work on, while there is one. Used by one thread. */
final class OpenImage implements AutoCloseable {
    private static final int MISALIGNMENT = 16;
    private static final int ALIGNMENT = 4096;

    private final Console console;
    private final boolean misaligned;
    private @Nullable BlockGraph graph;
    private @Nullable BlockBackend backend;
    private @Nullable AsyncRequests requests;
    private @Nullable String fileName;
    private @Nullable OpenSettings settings;
    /** A write was reported that no flush has followed. */
    private boolean unflushed;

    OpenImage(Console console, boolean misaligned) {
        this.console = console;
        this.misaligned = misaligned;
    }

    /**
     * Opens a file; false after an error that was reported.
     *
     * @param name null: the settings' options say it all
     */
    boolean open(@Nullable String name, OpenSettings how) throws BlockException {
        if (backend != null) {
            console.error("file open already, try 'help close'");
            return false;
        }
        String shared = how.driverOption("force-share");
        if (how.isForceShare() && shared != null && !shared.equals("on")) {
            console.error("-U conflicts with image options");
            return false;
        }
        if ("".equals(how.driverOption("backing"))) {
            console.warn("Use of \"backing\": \"\" is deprecated; use \"backing\": null instead");
        }
        BlockGraph newGraph = console.objects().newGraph();
        try {
            backend = new ImageOpener(newGraph, name, how, console.trust()).open();
        } catch (BlockException e) {
            console.error("can't open" + (name == null ? "" : " device " + name) + ": " + e.getMessage());
            newGraph.close();
            return false;
        }
        if (backend.isFormatGuessed() && !backend.isReadOnly()) {
            console.warnOfGuessedFormat(NodeNames.shownFile(backend.root()));
        }
        graph = newGraph;
        fileName = name;
        settings = how;
        return true;
    }

    boolean isOpen() {
        return backend != null;
    }

    /** @throws IllegalStateException when nothing is open */
    BlockBackend backend() {
        if (backend == null) {
            throw new IllegalStateException("no image is open");
        }
        return backend;
    }

    /** Requests in flight on the image. */
    AsyncRequests requests() {
        if (requests == null) {
            requests = new AsyncRequests(console);
        }
        return requests;
    }

    /** Reports requests that have ended. */
    void pollRequests() {
        if (requests != null) {
            requests.poll();
        }
    }

    /** Waits for all requests and reports them. */
    void finishRequests() {
        if (requests != null) {
            requests.finish();
        }
    }

    /** What a write owes the disk before it is reported: nothing, or a flush. */
    void afterWrite(boolean forced) throws BlockException {
        if (forced || isWritethrough()) {
            backend().flush();
        } else {
            changed();
        }
    }

    /** Something was written or given up that no flush has followed yet. */
    void changed() {
        unflushed = true;
    }

    /** What was written is durable, or the user knows that it is not. */
    void flushed() {
        unflushed = false;
    }

    boolean isWritethrough() {
        return settings != null && settings.writethrough();
    }

    /** The graph of the image. @throws IllegalStateException when nothing is open */
    BlockGraph graph() {
        if (graph == null) {
            throw new IllegalStateException("no image is open");
        }
        return graph;
    }

    /** How the image was opened. @throws IllegalStateException when nothing is open */
    OpenSettings settings() {
        if (settings == null) {
            throw new IllegalStateException("no image is open");
        }
        return settings;
    }

    /** Opens the same file anew, as the settings say now. @return false after an error that was reported */
    boolean openAnew() throws BlockException {
        String name = fileName;
        OpenSettings how = settings();
        closeFile();
        return open(name, how);
    }

    /** Gives requests the time to end or to come to where they have to wait. */
    void settleRequests() {
        if (requests != null) {
            requests.settle();
        }
    }

    /** Memory for a request, aligned unless {@code -m} was given. */
    MemorySegment allocate(long lengthBytes, int pattern) {
        int extra = misaligned ? MISALIGNMENT : 0;
        // Collected, not closed: a request that failed may still own it.
        MemorySegment buffer = Arena.ofAuto()
                .allocate(Math.max(1, lengthBytes + extra), ALIGNMENT)
                .asSlice(extra, lengthBytes);
        if (pattern != 0) {
            buffer.fill((byte) pattern);
        }
        return buffer;
    }

    /** Lets all requests end and closes the file. */
    void closeFile() throws BlockException {
        finishRequests();
        BlockBackend closing = backend;
        BlockGraph closingGraph = graph;
        backend = null;
        graph = null;
        try {
            if (closing != null) {
                closing.close();
            }
        } finally {
            if (closingGraph != null) {
                closingGraph.close();
            }
        }
    }

    /** Ends everything; false after an error that was reported. */
    boolean finish() {
        try {
            closeFile();
            return true;
        } catch (BlockException e) {
            // A failure that no unflushed write depends on has been told already, or concerns nobody.
            if (unflushed) {
                console.error(String.valueOf(e.getMessage()));
            }
            return !unflushed;
        }
    }

    @Override
    public void close() throws BlockException {
        closeFile();
        if (requests != null) {
            requests.close();
        }
    }
}
