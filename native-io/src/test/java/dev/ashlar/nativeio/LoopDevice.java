package dev.ashlar.nativeio;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** A loop device over a file for one test; skips the test, saying so, where the host does not allow it. */
final class LoopDevice implements AutoCloseable {
    private final String name;

    private LoopDevice(String name) {
        this.name = name;
    }

    static LoopDevice attach(Path file, int sectorBytes) throws IOException, InterruptedException {
        assumeTrue(Files.isWritable(Path.of("/dev/loop-control")), "skipped: loop devices need root");
        Process process = new ProcessBuilder(
                        "losetup", "--find", "--show", "--sector-size", "" + sectorBytes, file.toString())
                .redirectErrorStream(true)
                .start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        assumeTrue(process.waitFor() == 0, "skipped: losetup said " + output);
        return new LoopDevice(output);
    }

    String name() {
        return name;
    }

    @Override
    public void close() throws IOException {
        new ProcessBuilder("losetup", "--detach", name)
                .inheritIO()
                .start()
                .onExit()
                .join();
    }
}
