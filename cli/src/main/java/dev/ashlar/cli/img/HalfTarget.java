package dev.ashlar.cli.img;

import dev.ashlar.cli.StopHook;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * A new image that is being filled. Half of it would pass for the whole, so it is removed unless it gets {@link #finish finished}: when the copy fails, or when a
 * signal ends the program. Only a regular file is; may be closed by one thread while another ends the program.
 */
final class HalfTarget implements AutoCloseable {
    private static final String FILE_PROTOCOL = "file:";

    private final StopHook hook = new StopHook(new Removal(this));
    /** Null: nothing was created, or it is whole. */
    private @Nullable String fileName;

    /** From now on there is one. @param name what this program has just created */
    synchronized void begin(String name) {
        fileName = name.startsWith(FILE_PROTOCOL) ? name.substring(FILE_PROTOCOL.length()) : name;
    }

    /** The image is whole, and closed: it stays. */
    synchronized void finish() {
        fileName = null;
    }

    @Override
    public void close() {
        remove();
        hook.close();
    }

    private synchronized void remove() {
        if (fileName == null) {
            return;
        }
        try {
            // A link to the file stays, as when the file had been there before.
            Path file = Path.of(fileName).toRealPath();
            if (Files.isRegularFile(file)) {
                Files.delete(file);
            }
        } catch (IOException | InvalidPathException e) {
            // The exit status tells as well that it is not whole.
        }
        fileName = null;
    }

    /** A class, not a lambda, for the sake of the start time. */
    private record Removal(HalfTarget target) implements Runnable {
        @Override
        public void run() {
            target.remove();
        }
    }
}
