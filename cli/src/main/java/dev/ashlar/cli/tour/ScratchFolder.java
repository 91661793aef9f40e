package dev.ashlar.cli.tour;

import dev.ashlar.cli.StopHook;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** A folder for scratch files, which is gone when it is closed, or when the program ends in any way that lets it. */
final class ScratchFolder implements AutoCloseable {
    private final Path folder;
    private final StopHook hook;

    /** @param parent where to make it */
    ScratchFolder(Path parent) throws IOException {
        folder = Files.createTempDirectory(parent, "ashlar-tour-");
        hook = new StopHook(this::remove);
    }

    Path file(String name) {
        return folder.resolve(name);
    }

    /** The whole folder with what is in it is removed; what can't be stays, nobody could do anything about it here. */
    private synchronized void remove() {
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
            for (Path file : files) {
                Files.deleteIfExists(file);
            }
        } catch (IOException e) {
            // Already gone.
        }
        try {
            Files.deleteIfExists(folder);
        } catch (IOException e) {
            // A file has appeared in it since.
        }
    }

    @Override
    public void close() {
        remove();
        hook.close();
    }
}
