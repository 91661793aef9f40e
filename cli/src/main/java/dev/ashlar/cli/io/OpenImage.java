package dev.ashlar.cli.io;

import dev.ashlar.cli.Console;
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

    OpenImage(Console console, boolean misaligned) {
        this.console = console;
        this.misaligned = misaligned;
    }

    /** Opens a file; false after an error that was reported. */
    boolean open(String name, OpenSettings how) throws BlockException {
        if (backend != null) {
            console.error("file open already, try 'help close'");
            return false;
        }
        BlockGraph newGraph = BlockGraph.create();
        try {
            backend = newGraph.open(name, how.toOptions());
        } catch (BlockException e) {
            console.error("can't open device " + name + ": " + e.getMessage());
            newGraph.close();
            return false;
        }
        if (backend.isFormatGuessed() && !backend.isReadOnly()) {
            console.warnOfGuessedFormat(name);
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
        }
    }

    boolean isWritethrough() {
        return settings != null && settings.writethrough();
    }

    /** Opens the same file in the other mode. @return false after an error that was reported */
    boolean reopen(boolean readOnly) throws BlockException {
        String name = fileName;
        OpenSettings how = settings;
        if (name == null || how == null) {
            throw new IllegalStateException("no image is open");
        }
        closeFile();
        how.readOnly(readOnly);
        return open(name, how);
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
            console.error(String.valueOf(e.getMessage()));
            return false;
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
