package dev.ashlar.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.toy.MemoryDisk;
import dev.ashlar.core.toy.World;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Names, sharing, permissions and life of nodes. */
@Timeout(60)
class GraphTest {
    private final World world = new World();

    @AfterEach
    void nothingLeaks() throws BlockException {
        world.close();
        assertEquals(0, world.graph.nodes().size());
        for (MemoryDisk disk : world.memory.disks.values()) {
            assertEquals(0, disk.openInstances, disk.name);
            assertEquals(0, disk.locks.size(), disk.name);
        }
    }

    private BlockNode file(String name) throws BlockException {
        world.memory.disk(name, 65536);
        return world.graph.openNode(name, OpenOptions.readWrite().format("mem").nodeName(name));
    }

    private String refusedName(String name) {
        return assertThrows(
                        BlockException.class,
                        () -> world.graph.openNode(
                                "d", OpenOptions.readWrite().format("mem").nodeName(name)))
                .getMessage();
    }

    @Test
    void namesFollowTheRulesOfQemu() throws BlockException {
        file("d");
        assertEquals("Duplicate nodes with node-name='d'", refusedName("d"));
        assertEquals("Invalid node-name: '#block'", refusedName("#block"));
        assertEquals("Invalid node-name: '1a'", refusedName("1a"));
        assertEquals("Invalid node-name: ''", refusedName(""));
        assertEquals("Node name too long", refusedName("a".repeat(32)));
        BlockBackend device = world.graph.attach("virtio0", world.graph.lookUp("d"), true);
        assertEquals("node-name=virtio0 is conflicting with a device id", refusedName("virtio0"));
        assertSame(device.root(), world.graph.lookUp("virtio0"));
        assertEquals(
                "Cannot find device='x' nor node-name='x'",
                assertThrows(BlockException.class, () -> world.graph.lookUp("x"))
                        .getMessage());
        assertEquals(
                Kind.EXISTS,
                assertThrows(BlockException.class, () -> world.graph.attach("virtio0", device.root(), false))
                        .kind());
        assertThrows(BlockException.class, () -> world.graph.attach("d", device.root(), false));
        BlockNode generated = world.graph.openNode("d", OpenOptions.readOnly().format("mem"));
        assertTrue(generated.name().startsWith("#block"));
        world.graph.closeNode(generated);
        assertTrue(world.graph.node(generated.name()).isEmpty());
    }

    /** A node shared by two parents lives as long as one of them; a node in use is not given up. */
    @Test
    void nodesAreSharedAndCounted() throws BlockException {
        BlockNode base = file("base");
        world.toyImage("a", 4096, 65536);
        world.toyImage("b", 4096, 65536);
        OpenOptions overBase =
                OpenOptions.readWrite().format("toy").driverOptions(Map.of("backing", "base", "driver", "toy"));
        try (BlockBackend writer = world.graph.attach(null, base, true)) {
            writer.write(100, MemorySegment.ofArray(new byte[] {42}));
        }
        BlockBackend a = world.graph.open("a", overBase);
        BlockBackend b = world.graph.open("b", overBase);
        assertSame(base, a.root().backing().orElseThrow());
        assertSame(base, b.root().backing().orElseThrow());
        byte[] bytes = new byte[1];
        b.read(100, MemorySegment.ofArray(bytes));
        assertEquals(42, bytes[0]);
        BlockException e = assertThrows(BlockException.class, () -> world.graph.closeNode(base));
        assertEquals("Node base is in use", e.getMessage());
        a.close();
        b.read(100, MemorySegment.ofArray(bytes));
        b.close();
        assertEquals(1, world.graph.nodes().size());
        world.graph.closeNode(base);
        assertThrows(BlockException.class, () -> world.graph.closeNode(base));
    }

    /** G5: a conflict names both users, the node and the permissions, and leaves all as it was. */
    @Test
    void conflictsAreRefusedWithAllNames() throws BlockException {
        world.toyImage("disk", 4096, 65536);
        BlockBackend disk =
                world.graph.open("disk", OpenOptions.readWrite().format("toy").nodeName("top"));
        BlockNode file = disk.root().children().get(0).node();
        BlockException e = assertThrows(BlockException.class, () -> world.graph.attach("guest", file, true));
        assertEquals(
                "Permission conflict on node '" + file.name() + "': permissions 'write, resize' are both required by "
                        + "block device 'guest' (uses node '" + file.name() + "' as 'root' child) and unshared by "
                        + "node 'top' (uses node '" + file.name() + "' as 'file' child).",
                e.getMessage());
        try (GraphLock.Locked locked = world.graph.lock().lock()) {
            locked.requireValid();
            assertEquals(1, file.parentEdges().size());
        }
        world.graph.attach("guest", file, false).close();
        disk.write(0, MemorySegment.ofArray(new byte[100]));
        // The other way round: an image can't take a file that someone writes to.
        BlockNode bare = file("bare");
        BlockBackend writer = world.graph.attach("writer", bare, true);
        world.toy.image("bare", 4096, 65536);
        OpenOptions overBare = OpenOptions.readWrite().driverOptions(Map.of("driver", "toy", "file", "bare"));
        e = assertThrows(BlockException.class, () -> world.graph.open(overBare));
        assertTrue(e.getMessage().contains("unshared by"), e.getMessage());
        writer.close();
        world.graph.open(overBare).close();
        disk.close();
    }

    @Test
    void rolesExcludeOneAnother() throws BlockException {
        BlockNode node = file("n");
        assertThrows(
                IllegalArgumentException.class,
                () -> new ChildEdge("backing", Set.of(ChildRole.COW, ChildRole.DATA), node));
        assertThrows(
                IllegalArgumentException.class,
                () -> new ChildEdge("file", Set.of(ChildRole.FILTERED, ChildRole.METADATA), node));
        assertFalse(new ChildEdge("file", Set.of(ChildRole.FILTERED, ChildRole.PRIMARY), node).has(ChildRole.COW));
    }

    /** G3, G4: who holds the graph's lock has nothing to show where waiting is asked for. */
    @Test
    void noDrainUnderTheGraphsLock() throws BlockException {
        BlockNode node = file("n");
        GraphLock lock = world.graph.lock();
        GraphLock.Unlocked early = lock.unlocked();
        GraphLock.Locked locked = early.lock();
        try {
            assertThrows(IllegalStateException.class, node::drain);
            assertThrows(IllegalStateException.class, node::drainSubtree);
            assertThrows(IllegalStateException.class, world.graph::drainAll);
            assertThrows(IllegalStateException.class, lock::unlocked);
            assertThrows(IllegalStateException.class, early::lock);
            assertThrows(IllegalStateException.class, lock::lock);
        } finally {
            locked.close();
        }
        assertThrows(IllegalStateException.class, () -> world.graph.known(locked));
        assertThrows(IllegalStateException.class, locked::unlock);
        node.drain().close();
        assertFalse(node.layer().tracker().isDrained());
    }
}
