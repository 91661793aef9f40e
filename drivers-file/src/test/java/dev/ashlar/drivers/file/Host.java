package dev.ashlar.drivers.file;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.ChildRole;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.CreateRequest;
import dev.ashlar.core.spi.ImageReference;
import dev.ashlar.core.spi.OpenRequest;
import dev.ashlar.core.spi.ProtocolInstance;
import dev.ashlar.nativeio.AlignedBuffers;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** What tests of this module need of the host: open requests, memory, and other programs. */
final class Host {
    private Host() {}

    /** A request as core makes it. */
    record Request(Map<String, String> options, Set<Flag> flags) implements OpenRequest {
        @Override
        public String nodeName() {
            return "node";
        }

        @Override
        public boolean has(Flag flag) {
            return flags.contains(flag);
        }

        @Override
        public ChildAccess file() {
            throw new IllegalStateException("a protocol has no child");
        }

        @Override
        public ChildAccess openReference(String childName, Set<ChildRole> roles, ImageReference reference) {
            throw new IllegalStateException("a protocol refers to nothing");
        }
    }

    static ProtocolInstance open(BlockDriver driver, String fileName, OpenRequest.Flag... flags) throws BlockException {
        Set<OpenRequest.Flag> set = EnumSet.noneOf(OpenRequest.Flag.class);
        set.addAll(List.of(flags));
        return (ProtocolInstance) driver.open(new Request(Map.of("filename", fileName), set));
    }

    static void create(BlockDriver driver, Map<String, String> options) throws BlockException {
        driver.create(new CreateRequest() {
            @Override
            public Map<String, String> options() {
                return options;
            }

            @Override
            public ChildAccess file() {
                throw new IllegalStateException("a protocol has no child");
            }
        });
    }

    static MemorySegment filled(long lengthBytes, int value) {
        return AlignedBuffers.allocate(Arena.ofAuto(), lengthBytes).fill((byte) value);
    }

    /** Exit status and output, both streams together, of a program. */
    record Result(int status, String output) {}

    static Result run(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Result(process.waitFor(), output);
    }

    /** Skips the test, saying so, where QEMU's tools are not installed. */
    static void needsQemu() {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/qemu-io")), "skipped: qemu-io is not installed");
    }

    /** A loop device; detached by {@link #detach}. Skips the test, saying so, where the host does not allow it. */
    static String attachLoop(Path file, int sectorBytes) throws IOException, InterruptedException {
        assumeTrue(Files.isWritable(Path.of("/dev/loop-control")), "skipped: loop devices need root");
        Result result = run("losetup", "--find", "--show", "--sector-size", "" + sectorBytes, file.toString());
        assumeTrue(result.status() == 0, "skipped: losetup said " + result.output());
        return result.output().strip();
    }

    static void detach(String loop) throws IOException, InterruptedException {
        assertEquals(0, run("losetup", "--detach", loop).status());
    }
}
