package dev.ashlar.core.filter;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.DrainedSection;
import dev.ashlar.core.spi.BlockEvent;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Timeout(60)
class BlkdebugTest {
    private final FilterWorld world = new FilterWorld();

    @BeforeEach
    void disk() {
        world.memory.disk("disk", 1 << 20);
    }

    @AfterEach
    void end() throws Exception {
        world.close();
    }

    private BlockBackend open(String rules) throws BlockException {
        return world.open("driver=blkdebug,image.driver=mem,image.filename=disk," + rules);
    }

    private static BlockException.Kind failure(BlockBackend disk, long offset) {
        return assertThrows(BlockException.class, () -> FilterWorld.write(disk, offset, new byte[512]))
                .kind();
    }

    @Test
    void onceAtASector() throws Exception {
        BlockBackend disk = open("inject-error.0.event=write_aio,inject-error.0.sector=8,inject-error.0.once=on,"
                + "inject-error.0.errno=28");
        FilterWorld.write(disk, 0, new byte[512]);
        assertEquals(BlockException.Kind.NO_SPACE, failure(disk, 4096));
        FilterWorld.write(disk, 4096, new byte[512]);
    }

    @Test
    void alwaysFromTheNthOn() throws Exception {
        BlockBackend disk = open("inject-error.0.event=none,inject-error.0.iotype=write,inject-error.0.nth=3");
        FilterWorld.write(disk, 0, new byte[512]);
        assertEquals(512, FilterWorld.read(disk, 0, 512).length);
        FilterWorld.write(disk, 0, new byte[512]);
        assertEquals(BlockException.Kind.IO, failure(disk, 0));
        assertEquals(BlockException.Kind.IO, failure(disk, 512));
        assertEquals(512, FilterWorld.read(disk, 0, 512).length);
    }

    @Test
    void statesChooseTheCall() throws Exception {
        BlockBackend disk = open("set-state.0.event=write_aio,set-state.0.state=1,set-state.0.new_state=2,"
                + "set-state.1.event=write_aio,set-state.1.state=2,set-state.1.new_state=3,"
                + "inject-error.0.event=write_aio,inject-error.0.state=3,inject-error.0.once=on,"
                + "inject-error.0.immediately=on");
        FilterWorld.write(disk, 0, new byte[512]);
        FilterWorld.write(disk, 0, new byte[512]);
        assertEquals(BlockException.Kind.IO, failure(disk, 0));
        FilterWorld.write(disk, 0, new byte[512]);
    }

    @Test
    void aFlushFailsForGood() throws Exception {
        BlockBackend disk = open("inject-error.0.event=flush_to_disk,inject-error.0.once=on");
        FilterWorld.write(disk, 0, new byte[512]);
        assertThrows(BlockException.class, disk::flush);
        // F1: never a good flush after a failed one.
        assertThrows(BlockException.class, disk::flush);
    }

    @Test
    void limitsAreKept() throws Exception {
        List<String> seen = new ArrayList<>();
        world.memory.disks.get("disk").hook =
                (operation, offset, length) -> seen.add(operation + " " + offset + "+" + length);
        BlockBackend disk = open("align=4096,max-transfer=8192,opt-write-zero=8192,max-write-zero=16384");
        FilterWorld.write(disk, 100, new byte[10]);
        assertEquals(List.of("read 0+4096", "write 0+4096"), seen);
        seen.clear();
        FilterWorld.write(disk, 0, new byte[20480]);
        assertEquals(List.of("write 0+8192", "write 8192+8192", "write 16384+4096"), seen);
        seen.clear();
        disk.writeZeroes(4096, 40960, true);
        assertEquals(List.of("write 4096+4096", "zero 8192+16384", "zero 24576+16384", "write 40960+4096"), seen);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "align=3 | Cannot meet constraints with align 3",
                "align=4096,max-transfer=512 | Cannot meet constraints with max-transfer 512",
                "inject-error.0.errno=5 | Missing event name for rule",
                "inject-error.0.event=nonsense | invalid parameter value: nonsense",
                "inject-error.0.event=none,inject-error.0.colour=red | [inject-error] section doesn't support the"
                        + " option 'colour'",
                "inject-error.x.event=none | Invalid parameter 'inject-error.x.event'",
                "inject-error.0.event=none,inject-error.0.iotype=x | invalid parameter value: x",
                "inject-error.0.event=none,inject-error.0.sector=9223372036854775807 | Parameter 'sector' is too large"
            })
    void badOptionsAreRefused(String rules, String message) {
        assertEquals(
                message, assertThrows(BlockException.class, () -> open(rules)).getMessage());
        assertEquals(0, world.memory.disks.get("disk").openInstances);
    }

    @Test
    void rulesComeFromAFileNamedInTheFileName(@TempDir Path folder) throws Exception {
        Path config = folder.resolve("rules");
        Files.writeString(config, "# comment\n[inject-error]\nevent = \"write_aio\"\nerrno = \"28\"\nonce = \"on\"\n");
        BlockBackend disk = world.openFile("blkdebug:" + config + ":disk", "raw");
        assertEquals("raw", disk.formatName());
        assertEquals(BlockException.Kind.NO_SPACE, failure(disk, 0));
        FilterWorld.write(disk, 0, new byte[512]);
        disk.close();
        Files.writeString(config, "[inject-error]\nevent = write_aio\n");
        assertEquals(
                "Could not parse blkdebug config file",
                assertThrows(BlockException.class, () -> world.openFile("blkdebug:" + config + ":disk", "raw"))
                        .getMessage());
    }

    /** D6, D9: a suspended request is under way; the drain ends once it is resumed, and nothing is lost. */
    @Test
    void aDrainWaitsForASuspendedRequest() throws Exception {
        world.toy.image("image", 4096, 1 << 20);
        world.memory.disk("image", 0);
        BlockBackend disk = world.open("driver=toy,file.driver=blkdebug,file.image.filename=image");
        Breakpoints breakpoints = Breakpoints.under(disk.root()).orElseThrow();
        breakpoints.add(BlockEvent.WRITE_AIO, "A");
        byte[] content = FilterWorld.pattern(4096, 3);
        Thread writer = Thread.ofVirtual().start(() -> {
            try {
                FilterWorld.write(disk, 8192, content);
            } catch (BlockException e) {
                throw new IllegalStateException(e);
            }
        });
        breakpoints.awaitSuspended("A");
        assertFalse(breakpoints.resume("B"));
        AtomicBoolean drained = new AtomicBoolean();
        CountDownLatch end = new CountDownLatch(1);
        Thread drainer = Thread.ofPlatform().start(() -> {
            try (DrainedSection section = disk.drain()) {
                assertTrue(section != null);
                drained.set(true);
                end.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        });
        Thread.sleep(50);
        assertFalse(drained.get());
        assertTrue(writer.isAlive());
        assertTrue(breakpoints.resume("A"));
        writer.join();
        end.countDown();
        drainer.join();
        assertTrue(drained.get());
        assertArrayEquals(content, FilterWorld.read(disk, 8192, 4096));
        assertFalse(breakpoints.isSuspended("A"));
    }

    @Test
    void removedBreakpointsLetGo() throws Exception {
        BlockBackend disk = open("align=512");
        Breakpoints breakpoints = Breakpoints.under(disk.root()).orElseThrow();
        assertFalse(breakpoints.remove("A"));
        breakpoints.add(BlockEvent.PWRITEV_RMW_HEAD, "A");
        Thread writer = Thread.ofVirtual().start(() -> {
            try {
                FilterWorld.write(disk, 100, new byte[10]);
            } catch (BlockException e) {
                throw new IllegalStateException(e);
            }
        });
        breakpoints.awaitSuspended("A");
        assertFalse(breakpoints.remove("A"));
        writer.join();
        assertFalse(breakpoints.remove("A"));
    }
}
