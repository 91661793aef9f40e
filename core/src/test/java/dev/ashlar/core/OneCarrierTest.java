package dev.ashlar.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OneCarrierTest {
    /** C2: with one carrier thread, and that one taken or all I/O stuck, control actions still run. */
    @Test
    void controlActionsNeedNoCarrier(@TempDir Path folder) throws Exception {
        Path told = folder.resolve("told");
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-ea",
                        "-XX:TieredStopAtLevel=1",
                        "-Djdk.virtualThreadScheduler.parallelism=1",
                        "-Djdk.virtualThreadScheduler.maxPoolSize=1",
                        "-cp",
                        root(BlockGraph.class) + File.pathSeparator + root(OneCarrierMain.class),
                        OneCarrierMain.class.getName())
                .redirectErrorStream(true)
                .redirectOutput(told.toFile())
                .start();
        boolean ended = process.waitFor(60, TimeUnit.SECONDS);
        process.destroyForcibly();
        String output = Files.readString(told);
        assertTrue(ended, output);
        assertEquals(
                List.of(
                        "drained among threads that never block",
                        "drained beside stuck requests",
                        "opened, resized and closed beside stuck requests",
                        "the stuck disk's drain waits",
                        "4 nodes"),
                output.lines().toList());
    }

    /** The folder that holds a class; that of tests may be patched into the module. */
    private static String root(Class<?> type) throws Exception {
        String path = type.getName().replace('.', '/') + ".class";
        URI file = type.getResource("/" + path).toURI();
        Path at = Path.of(file);
        for (int i = path.split("/").length; i > 0; i--) {
            at = at.getParent();
        }
        return at.toString();
    }
}
