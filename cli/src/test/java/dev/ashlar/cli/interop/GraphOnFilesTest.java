package dev.ashlar.cli.interop;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.BlockNode;
import dev.ashlar.core.BlockQueue;
import dev.ashlar.core.OpenOptions;
import java.io.File;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * D4, D7, G5, F1 on real qcow2 files: a backing chain is opened again with O_DIRECT and without, read-only and writable, filters and
 * overlays come and go, all while threads and a queue read and write; afterwards no descriptor is left.
 */
@Timeout(120)
class GraphOnFilesTest {
    private static final long SIZE = 16L << 20;

    @TempDir
    Path folder;

    private final BlockGraph graph = BlockGraph.create();
    private BlockBackend disk;
    private BlockNode base;

    private final AtomicBoolean stop = new AtomicBoolean();
    private final AtomicReference<Throwable> failure = new AtomicReference<>();
    private final List<Thread> threads = new ArrayList<>();

    @BeforeEach
    void chain() throws BlockException {
        String below = folder.resolve("base.qcow2").toString();
        String top = folder.resolve("top.qcow2").toString();
        graph.createImage(below, "qcow2", Map.of("size", String.valueOf(SIZE)));
        try (BlockBackend writer = graph.open(below, OpenOptions.readWrite().format("qcow2"))) {
            writer.write(8 << 20, MemorySegment.ofArray(new byte[] {42}));
        }
        graph.createImage(
                top, "qcow2", Map.of("size", String.valueOf(SIZE), "backing_file", below, "backing_fmt", "qcow2"));
        disk = graph.open(top, OpenOptions.readWrite().format("qcow2").nodeName("top"));
        base = disk.root().backing().orElseThrow();
    }

    @AfterEach
    void nothingStaysOpen() throws Exception {
        graph.close();
        assertEquals(0, graph.nodes().size());
        assertEquals(List.of(), openFiles());
    }

    /** Files of this test that the process still has open. */
    private List<String> openFiles() throws Exception {
        List<String> open = new ArrayList<>();
        File[] descriptors = new File("/proc/self/fd").listFiles();
        for (File descriptor : descriptors == null ? new File[0] : descriptors) {
            try {
                String target = Files.readSymbolicLink(descriptor.toPath()).toString();
                if (target.startsWith(folder.toString())) {
                    open.add(target);
                }
            } catch (java.nio.file.NoSuchFileException e) {
                // The descriptor of the listing itself.
            }
        }
        return open;
    }

    private void startUsers() {
        for (int t = 0; t < 2; t++) {
            long offset = t * (1L << 20);
            threads.add(Thread.ofVirtual()
                    .start(() -> guarded(() -> {
                        byte[] read = new byte[3];
                        for (int i = 0; !stop.get(); i++) {
                            byte[] bytes = {(byte) i, 1, 2};
                            long at = offset + i % 20 * 65_000L;
                            disk.write(at, MemorySegment.ofArray(bytes));
                            disk.read(at, MemorySegment.ofArray(read));
                            assertEquals(bytes[0], read[0]);
                            if (i % 16 == 0) {
                                disk.flush();
                            }
                        }
                    })));
        }
        threads.add(Thread.ofPlatform()
                .start(() -> guarded(() -> {
                    try (Arena arena = Arena.ofConfined();
                            BlockQueue queue = disk.openQueue(4)) {
                        MemorySegment buffer = arena.allocate(4096, 4096);
                        for (int i = 0; !stop.get(); i++) {
                            buffer.fill((byte) i);
                            long at = (6L << 20) + i % 8 * 4096L;
                            queue.write(at, buffer, 1);
                            queue.await(1, (token, result) -> assertEquals(4096, result));
                            buffer.fill((byte) -1);
                            queue.read(at, buffer, 2);
                            queue.await(1, (token, result) -> assertEquals(4096, result));
                            assertEquals((byte) i, buffer.get(ValueLayout.JAVA_BYTE, 4095));
                        }
                    }
                })));
    }

    private interface Body {
        void run() throws Exception;
    }

    private void guarded(Body body) {
        try {
            body.run();
        } catch (Throwable e) {
            failure.compareAndSet(null, e);
        }
    }

    private void stopUsers() throws Exception {
        stop.set(true);
        for (Thread thread : threads) {
            thread.join();
        }
        if (failure.get() != null) {
            throw new AssertionError(failure.get());
        }
    }

    private void direct(String onOrOff) throws BlockException {
        graph.transaction()
                .reopen(disk.root(), Map.of("cache.direct", onOrOff))
                .reopen(base, Map.of("cache.direct", onOrOff))
                .commit();
    }

    private int alignment(BlockNode image) throws BlockException {
        // Only O_DIRECT asks for more than one byte.
        try (BlockBackend file = graph.attach(null, image.children().get(0).node(), false)) {
            return file.limits().requestAlignmentBytes();
        }
    }

    @Test
    void theChainIsOpenedAgainUnderRequests() throws Exception {
        startUsers();
        for (int i = 0; i < 4; i++) {
            direct("on");
            assertTrue(alignment(disk.root()) > 1 && alignment(base) > 1);
            direct("off");
            assertTrue(alignment(disk.root()) == 1 && alignment(base) == 1);
            graph.transaction().setReadOnly(base, false).commit();
            assertFalse(base.isReadOnly());
            graph.transaction()
                    .setReadOnly(base, true)
                    .reopen(base, Map.of("cache.direct", "on"))
                    .commit();
            assertTrue(base.isReadOnly() && alignment(base) > 1);
        }
        stopUsers();
        byte[] read = new byte[1];
        disk.read(8 << 20, MemorySegment.ofArray(read));
        assertEquals(42, read[0]);
        // A queue whose ring belongs to the file as it was opened before goes on, the long way.
        try (Arena arena = Arena.ofConfined();
                BlockQueue queue = disk.openQueue(2)) {
            direct("off");
            MemorySegment buffer = arena.allocate(4096, 4096);
            queue.read(8 << 20, buffer, 1);
            queue.await(1, (token, result) -> assertEquals(4096, result));
            assertEquals(42, buffer.get(ValueLayout.JAVA_BYTE, 0));
        }
    }

    /** One file can't be opened again: the whole chain is as before, whichever part failed. */
    @Test
    void aFailureLeavesTheChainAsItWas() throws Exception {
        for (String name : new String[] {"top.qcow2", "base.qcow2"}) {
            Path there = folder.resolve(name);
            Path away = folder.resolve("away");
            Files.move(there, away);
            BlockException e = assertThrows(BlockException.class, () -> direct("on"));
            assertEquals(BlockException.Kind.NOT_FOUND, e.kind(), e.getMessage());
            assertEquals(0, e.getSuppressed().length, "the way back failed");
            assertTrue(alignment(disk.root()) == 1 && alignment(base) == 1);
            assertTrue(disk.root().isInserted() && !disk.isReadOnly() && base.isReadOnly());
            disk.write(3, MemorySegment.ofArray(new byte[] {7}));
            disk.flush();
            e = assertThrows(
                    BlockException.class,
                    () -> graph.transaction()
                            .setReadOnly(name.startsWith("top") ? disk.root() : base, name.startsWith("top"))
                            .commit());
            assertEquals(0, e.getSuppressed().length, "the way back failed");
            assertTrue(!disk.isReadOnly() && base.isReadOnly());
            disk.write(3, MemorySegment.ofArray(new byte[] {8}));
            Files.move(away, there);
        }
        direct("on");
        byte[] read = new byte[1];
        disk.read(3, MemorySegment.ofArray(read));
        assertEquals(8, read[0]);
    }

    /** A filter in and out, an external snapshot on top, and the pivot back to where the users were, under requests. */
    @Test
    void nodesComeAndGoUnderRequests() throws Exception {
        startUsers();
        BlockNode top = disk.root();
        for (int i = 0; i < 4; i++) {
            BlockNode filter = graph.openNode(
                    null, OpenOptions.readWrite().driverOptions(Map.of("driver", "copy-on-read", "file", "top")));
            graph.transaction().insert(top, filter).commit();
            assertSame(filter, disk.root());
            graph.transaction().remove(filter).commit();
            graph.closeNode(filter);
            assertSame(top, disk.root());
        }
        stopUsers();
        byte[] read = new byte[1];
        disk.write(100, MemorySegment.ofArray(new byte[] {1}));
        String over = folder.resolve("over.qcow2").toString();
        graph.createImage(over, "qcow2", Map.of("size", String.valueOf(SIZE)));
        BlockNode overlay = graph.openNode(
                over, OpenOptions.readWrite().driverOptions(Map.of("driver", "qcow2", "backing", "top")));
        graph.transaction().replace(top, overlay).setReadOnly(top, true).commit();
        disk.write(100, MemorySegment.ofArray(new byte[] {2}));
        disk.read(100, MemorySegment.ofArray(read));
        assertEquals(2, read[0]);
        graph.transaction().setReadOnly(top, false).replace(overlay, top).commit();
        disk.read(100, MemorySegment.ofArray(read));
        assertEquals(1, read[0]);
        graph.closeNode(overlay);
        assertSame(top, disk.root());
        disk.write(100, MemorySegment.ofArray(new byte[] {3}));
    }
}
