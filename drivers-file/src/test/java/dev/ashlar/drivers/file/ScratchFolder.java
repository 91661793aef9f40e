package dev.ashlar.drivers.file;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * A folder per test on a file system that takes direct I/O: below {@code /var/tmp}, or where the property {@code
 * ashlar.scratch} says, since {@code java.io.tmpdir} is often a memory file system.
 */
final class ScratchFolder implements AfterEachCallback {
    private Path folder = Path.of("");
    private boolean made;

    Path file(String name) {
        try {
            if (!made) {
                Path parent = Path.of(System.getProperty("ashlar.scratch", "/var/tmp"));
                folder = Files.createTempDirectory(parent, "ashlar-test-");
                made = true;
            }
            return folder.resolve(name);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void afterEach(ExtensionContext context) throws IOException {
        if (made) {
            try (Stream<Path> tree = Files.walk(folder)) {
                for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(path);
                }
            }
            made = false;
        }
    }
}
