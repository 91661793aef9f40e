package dev.ashlar.testkit.host;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.stream.Stream;

/** A fresh directory that {@link #close} removes with all in it. The place is as with {@link ScratchDir}. */
public record ScratchDirectory(Path path) implements AutoCloseable {
    public static ScratchDirectory create() {
        try {
            Path parent = Path.of(System.getProperty("ashlar.test.dir", "/var/tmp"));
            return new ScratchDirectory(Files.createTempDirectory(parent, "ashlar-test-"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        try (Stream<Path> paths = Files.walk(path)) {
            for (Path each : paths.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(each);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
