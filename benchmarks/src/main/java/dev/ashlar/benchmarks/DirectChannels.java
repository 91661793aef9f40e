package dev.ashlar.benchmarks;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.stream.Stream;

/** The JDK's channels, opened for direct I/O: what Ashlar is measured against. */
final class DirectChannels {
    private DirectChannels() {}

    /** For reading and writing. */
    static FileChannel open(Path file) throws IOException {
        return FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE, directOption());
    }

    // By name: javac warns about the class and cannot be told otherwise.
    private static OpenOption directOption() throws IOException {
        try {
            return Stream.of(
                            Class.forName("com.sun.nio.file.ExtendedOpenOption").getEnumConstants())
                    .filter(constant -> constant.toString().equals("DIRECT"))
                    .map(OpenOption.class::cast)
                    .findFirst()
                    .orElseThrow(() -> new IOException("this JDK has no direct I/O"));
        } catch (ClassNotFoundException e) {
            throw new IOException("this JDK has no direct I/O", e);
        }
    }
}
