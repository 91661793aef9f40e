package dev.ashlar.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.FlatOptions;
import dev.ashlar.core.OpenOptions;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/** The filter {@code preallocate} on a file of the host, with drivers as a program finds them. */
class PreallocateOnHostTest {
    @Test
    void theFileIsLongWhileOpenAndShortAfterwards() throws Exception {
        Path folder = Files.createTempDirectory(Path.of("target").toAbsolutePath(), "preallocate");
        Path image = folder.resolve("disk.qcow2");
        try (BlockGraph graph = BlockGraph.create()) {
            graph.createImage(image.toString(), "qcow2", Map.of("size", "67108864"));
            long empty = Files.size(image);
            String options = "driver=qcow2,file.driver=preallocate,file.prealloc-size=8M,file.file.driver=file,"
                    + "file.file.filename=" + image.toString().replace(",", ",,");
            try (BlockBackend disk = graph.open(OpenOptions.readWrite().driverOptions(FlatOptions.ofKeyval(options)))) {
                for (int i = 0; i < 8; i++) {
                    disk.write(i << 16, MemorySegment.ofArray(new byte[1 << 16]));
                }
                disk.flush();
                long open = Files.size(image);
                assertTrue(open >= 8 << 20 && open % (1 << 20) == 0, "length while open: " + open);
                assertTrue(disk.allocatedBytes() >= 8 << 20, "reserved on the host: " + disk.allocatedBytes());
            }
            long closed = Files.size(image);
            assertTrue(closed > empty && closed < 2 << 20, "length afterwards: " + closed);
            Assumptions.assumeTrue(
                    Files.isExecutable(Path.of("/usr/bin/qemu-img")), "qemu-img is not installed (package qemu-utils)");
            Process check = new ProcessBuilder("/usr/bin/qemu-img", "check", image.toString())
                    .redirectErrorStream(true)
                    .redirectOutput(folder.resolve("check").toFile())
                    .start();
            assertEquals(0, check.waitFor(), Files.readString(folder.resolve("check")));
        } finally {
            Files.deleteIfExists(folder.resolve("check"));
            Files.deleteIfExists(image);
            Files.deleteIfExists(folder);
        }
    }
}
