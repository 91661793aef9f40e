package dev.ashlar.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.request.Parking;
import dev.ashlar.core.request.RequestTracker;
import dev.ashlar.core.snapshot.SnapshotRequest;
import dev.ashlar.core.toy.MemoryDisk;
import dev.ashlar.core.toy.World;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Deque;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Actors that read, write, flush, drain, attach, detach, replace, insert, remove, reopen, snapshot and delete on one graph, and the plain
 * model that tells what must hold between any two of their steps: which drains last, who is inside the disk, what each page holds, which
 * writes are durable. On stepped threads and on real ones alike.
 */
final class GraphActors {
    static final int WRITERS = 3;
    private static final int PAGES = 4;
    private static final int SIZE = (WRITERS * PAGES + 1) * 4096;
    /** Nodes above one another; filters and overlays stop to come then. */
    private static final int MOST_NODES = 24;

    private static final boolean TRACING = Boolean.getBoolean("ashlar.steps.trace");

    final World world = new World();
    final BlockBackend disk;
    final AtomicInteger stableLooks = new AtomicInteger();
    final AtomicInteger refusals = new AtomicInteger();
    final AtomicInteger changes = new AtomicInteger();
    final AtomicInteger undone = new AtomicInteger();
    /** Ends of drains that let several go. */
    final AtomicInteger resumed = new AtomicInteger();

    private final boolean stepped;
    private final AtomicInteger names = new AtomicInteger();
    private final AtomicLong clock = new AtomicLong();
    /** Drains whose begin has returned and whose end has not been asked for. */
    private final List<Drain> drains = new CopyOnWriteArrayList<>();
    /** Threads inside the disk on behalf of a user, with that user. */
    private final Map<Thread, BlockBackend> inside = new ConcurrentHashMap<>();
    /** Per disk, when it was flushed last, and per thread what the write under way touched. */
    private final Map<MemoryDisk, Long> flushedAt = new ConcurrentHashMap<>();

    private final Map<Thread, Map<MemoryDisk, Long>> touched = new ConcurrentHashMap<>();
    private final Map<MemoryDisk, Long> writtenAt = new ConcurrentHashMap<>();
    /** Threads of which the next opening of a driver fails, in the middle of a change. */
    private final Set<Thread> failing = ConcurrentHashMap.newKeySet();

    /** Threads that each node held back when it was looked at last. */
    private final Map<BlockNode, List<Long>> heldBack = new HashMap<>();

    private final AtomicInteger inControl = new AtomicInteger();

    private static void trace(String what) {
        if (TRACING) {
            System.out.println(Thread.currentThread().getName() + ": " + what);
        }
    }

    /** What each node holds there. */
    private void traceContent(long offset) throws BlockException {
        for (BlockNode node : world.graph.nodes()) {
            byte[] read = new byte[1];
            node.layer().read(offset, MemorySegment.ofArray(read), dev.ashlar.core.request.Origin.PARENT);
            StringBuilder below = new StringBuilder();
            for (ChildEdge edge : node.children()) {
                below.append(' ')
                        .append(edge.name())
                        .append(':')
                        .append(edge.node().name());
            }
            trace(node + " holds " + read[0] + " over" + below);
        }
    }

    private record Drain(DrainControl.Reach reach, BlockNode target) {}

    GraphActors(boolean stepped) throws BlockException {
        this.stepped = stepped;
        world.toy.refusal = () -> failing.remove(Thread.currentThread());
        image("disk");
        disk = world.graph.open(
                "disk", OpenOptions.readWrite().format("toy").nodeName("disk").deviceName("main"));
    }

    private void image(String name) {
        world.toyImage(name, 4096, SIZE);
        MemoryDisk file = world.disk(name);
        file.hook = (operation, offset, length) -> inTheDisk(file, operation);
    }

    private void inTheDisk(MemoryDisk file, String operation) {
        Thread me = Thread.currentThread();
        if (operation.equals("flush")) {
            flushedAt.put(file, clock.incrementAndGet());
            return;
        }
        if (operation.equals("write")) {
            touched.computeIfAbsent(me, t -> new HashMap<>()).put(file, clock.incrementAndGet());
        }
        BlockBackend user = asking.get(me);
        if (user == null) {
            return;
        }
        inside.put(me, user);
        try {
            Parking.step();
            if ((clock.incrementAndGet() & 15) == 0) {
                // D9: each of these would wait for the request that asks.
                assertThrows(IllegalStateException.class, () -> user.drain().close());
                assertThrows(IllegalStateException.class, user::close);
                assertThrows(IllegalStateException.class, () -> user.root().<Boolean>whileDrained(() -> true));
            }
        } finally {
            inside.remove(me);
        }
    }

    private final Map<Thread, BlockBackend> asking = new ConcurrentHashMap<>();

    private interface Request {
        void run() throws BlockException;
    }

    private void ask(BlockBackend user, Request request) throws BlockException {
        asking.put(Thread.currentThread(), user);
        try {
            request.run();
        } finally {
            asking.remove(Thread.currentThread());
        }
    }

    private <T> T control(BlockNode.ControlOperation<T> operation) throws BlockException {
        inControl.incrementAndGet();
        try {
            return operation.run();
        } finally {
            inControl.decrementAndGet();
        }
    }

    /** Each writer owns its pages: what it wrote last is what it reads, wherever the graph has led it; and what it flushed is durable. */
    void readAndWrite(int me, Random random, int actions) throws BlockException {
        byte[] model = new byte[PAGES];
        for (int i = 0; i < actions; i++) {
            Parking.step();
            int page = random.nextInt(PAGES);
            long offset = (me * (long) PAGES + page) * 4096 + (random.nextBoolean() ? 0 : 100);
            byte value = (byte) random.nextInt();
            switch (random.nextInt(5)) {
                case 0, 1 -> write(offset - offset % 4096, value, model, page);
                case 2 -> flush();
                case 3 -> {
                    // All overlap there: serialising requests one after another (F2).
                    write(SIZE - 4096 + random.nextInt(4000), value, new byte[1], 0);
                }
                default -> {}
            }
            byte[] read = new byte[1];
            ask(disk, () -> disk.read(offset - offset % 4096, MemorySegment.ofArray(read)));
            if (model[page] != read[0]) {
                traceContent(offset - offset % 4096);
            }
            assertEquals(model[page], read[0], "page " + page + " of writer " + me);
            Thread.interrupted();
        }
    }

    private void write(long offset, byte value, byte[] model, int at) throws BlockException {
        touched.remove(Thread.currentThread());
        try {
            ask(disk, () -> disk.write(offset, MemorySegment.ofArray(new byte[] {value})));
            model[at] = value;
            trace("wrote " + value + " at " + offset);
        } catch (BlockException e) {
            assertEquals(Kind.READ_ONLY, e.kind(), e.getMessage());
        }
        Map<MemoryDisk, Long> files = touched.remove(Thread.currentThread());
        if (files != null) {
            // On real threads a flush may come between the end of a write and this line: there the beginning counts.
            long now = clock.incrementAndGet();
            files.forEach((file, begun) -> writtenAt.merge(file, stepped ? now : begun, Math::max));
        }
    }

    /** F1: whatever had completed is in the disk when the flush returns, wherever it was written. */
    private void flush() throws BlockException {
        Map<MemoryDisk, Long> before = new HashMap<>(writtenAt);
        ask(disk, disk::flush);
        for (Map.Entry<MemoryDisk, Long> written : before.entrySet()) {
            assertTrue(
                    flushedAt.getOrDefault(written.getKey(), 0L) > written.getValue(),
                    "F1: " + written.getKey().name + " was not flushed");
        }
    }

    /** Drains nested in one another, with control operations and deletions inside. */
    void drain(Random random, int actions) throws BlockException {
        for (int i = 0; i < actions; i++) {
            Parking.step();
            drainSomething(random, 0);
            Thread.interrupted();
        }
    }

    private void drainSomething(Random random, int depth) throws BlockException {
        List<BlockNode> nodes = world.graph.nodes();
        BlockNode target = nodes.get(random.nextInt(nodes.size()));
        DrainControl.Reach reach = DrainControl.Reach.values()[random.nextInt(3)];
        DrainedSection section = control(() -> switch (reach) {
            case PARENTS -> target.drain();
            case SUBTREE -> target.drainSubtree();
            case EVERYTHING -> world.graph.drainAll();
        });
        Drain drain = new Drain(reach, target);
        drains.add(drain);
        try {
            for (int n = random.nextInt(4); n >= 0; n--) {
                checkDrain(drain);
                switch (random.nextInt(6)) {
                    case 0 -> snapshot(disk.root());
                    case 1 -> deleteInside(random);
                    case 2 -> {
                        if (depth < 2) {
                            drainSomething(random, depth + 1);
                        }
                    }
                    default -> Parking.step();
                }
            }
            checkDrain(drain);
        } finally {
            drains.remove(drain);
            control(() -> {
                section.close();
                return true;
            });
        }
    }

    /** D8: a node that is opened, used and deleted while it stands still. */
    private void deleteInside(Random random) throws BlockException {
        String name = "side" + names.incrementAndGet();
        control(() -> {
            image(name);
            BlockBackend side =
                    world.graph.open(name, OpenOptions.readWrite().format("toy").nodeName(name));
            DrainedSection inner =
                    random.nextBoolean() ? side.drain() : side.root().drainSubtree();
            Parking.step();
            side.close();
            assertTrue(world.graph.node(name).isEmpty());
            Parking.step();
            inner.close();
            return true;
        });
    }

    private void snapshot(BlockNode top) throws BlockException {
        if (top.driverName().equals("toy") && !top.isReadOnly()) {
            control(() -> {
                trace("takes a snapshot of " + top);
                try {
                    dev.ashlar.core.snapshot.Snapshots.of(top)
                            .create(new SnapshotRequest(
                                    "", "s" + names.incrementAndGet(), 0, 0, 0, 0, OptionalLong.empty()));
                } catch (BlockException e) {
                    refused(e);
                }
                return true;
            });
        }
    }

    /** Filters in and out, overlays on top, openings anew, users that come and go. Others do the same: some of it is refused. */
    void change(Random random, int actions) throws BlockException {
        Deque<BlockNode> own = new ArrayDeque<>();
        for (int i = 0; i < actions; i++) {
            Parking.step();
            switch (random.nextInt(7)) {
                case 0, 1 -> control(() -> insertFilter(own, random));
                case 2 -> control(() -> putOverlay(own));
                case 3 -> control(() -> removeFilter(own));
                case 4 -> control(() -> reopen(random));
                case 5 -> snapshot(disk.root());
                default -> guest();
            }
            Thread.interrupted();
        }
    }

    private boolean insertFilter(Deque<BlockNode> own, Random random) throws BlockException {
        BlockNode top = disk.root();
        BlockNode below = random.nextBoolean() ? top : top.children().get(0).node();
        if (world.graph.nodes().size() > MOST_NODES) {
            return false;
        }
        BlockNode filter;
        try {
            filter = world.graph.openNode(
                    null, OpenOptions.readWrite().driverOptions(Map.of("driver", "pass", "file", below.name())));
        } catch (BlockException e) {
            return refused(e);
        }
        own.push(filter);
        Thread me = Thread.currentThread();
        if (random.nextInt(3) == 0) {
            failing.add(me);
        }
        try {
            world.graph.transaction().insert(below, filter).commit();
            trace("put " + filter + " over " + below);
            changes.incrementAndGet();
            return true;
        } catch (BlockException | IllegalArgumentException e) {
            if (e instanceof BlockException refusal && refusal.kind() == Kind.CORRUPT) {
                assertEquals(0, refusal.getSuppressed().length, "an undo failed");
                assertFalse(failing.contains(me));
                assertTrue(filter.isRoot(), "an edge was left behind");
                trace("undid " + filter + " over " + below);
                undone.incrementAndGet();
                return false;
            }
            return refused(e);
        } finally {
            failing.remove(me);
        }
    }

    private boolean putOverlay(Deque<BlockNode> own) throws BlockException {
        BlockNode top = disk.root();
        if (world.graph.nodes().size() > MOST_NODES) {
            return false;
        }
        String name = "over" + names.incrementAndGet();
        image(name);
        BlockNode overlay;
        try {
            overlay = world.graph.openNode(
                    name,
                    OpenOptions.readWrite()
                            .nodeName(name)
                            .driverOptions(Map.of("driver", "toy", "backing", top.name())));
        } catch (BlockException e) {
            return refused(e);
        }
        try {
            world.graph.transaction().replace(top, overlay).commit();
            trace("put " + overlay + " over " + top);
            changes.incrementAndGet();
            return true;
        } catch (BlockException e) {
            refused(e);
            own.push(overlay);
            return false;
        }
    }

    private boolean removeFilter(Deque<BlockNode> own) throws BlockException {
        BlockNode node = own.peek();
        if (node == null) {
            return false;
        }
        try {
            if (node.driverName().equals("pass")) {
                world.graph.transaction().remove(node).commit();
            }
            world.graph.closeNode(node);
            own.pop();
            trace("closed " + node);
            changes.incrementAndGet();
            return true;
        } catch (BlockException e) {
            return refused(e);
        }
    }

    private boolean reopen(Random random) throws BlockException {
        BlockNode top = disk.root();
        // One below may be used by others, or by nodes that are just being closed.
        for (int down = random.nextInt(3); down > 0 && top.children().size() == 1; down--) {
            BlockNode below = top.children().get(0).node();
            top = below.children().isEmpty() ? top : below;
        }
        return reopen(top, random);
    }

    private boolean reopen(BlockNode top, Random random) throws BlockException {
        try {
            if (random.nextBoolean()) {
                world.graph
                        .transaction()
                        .reopen(top, Map.of("colour", "c" + random.nextInt(3)))
                        .commit();
            } else {
                world.graph.transaction().setReadOnly(top, true).commit();
                Parking.step();
                world.graph.transaction().setReadOnly(top, false).commit();
            }
            changes.incrementAndGet();
            trace("opened " + top + " again");
            return true;
        } catch (BlockException e) {
            refused(e);
            if (top.isReadOnly() && top.isInserted()) {
                world.graph.transaction().setReadOnly(top, false).commit();
            }
            return false;
        }
    }

    private void guest() throws BlockException {
        BlockBackend guest;
        try {
            guest = control(() -> world.graph.attach("guest" + names.incrementAndGet(), disk.root(), false));
        } catch (BlockException e) {
            refused(e);
            return;
        }
        ask(guest, () -> guest.read(0, MemorySegment.ofArray(new byte[100])));
        assertThrows(BlockException.class, () -> guest.write(0, MemorySegment.ofArray(new byte[1])));
        control(() -> {
            guest.close();
            return true;
        });
    }

    /** What several that change one graph may meet; anything else is a failure. */
    private boolean refused(Exception e) {
        refusals.incrementAndGet();
        trace("refused: " + e.getMessage());
        if (e instanceof BlockException refusal) {
            assertTrue(
                    EnumSet.of(
                                    Kind.NOT_FOUND,
                                    Kind.BUSY,
                                    Kind.INVALID,
                                    Kind.PERMISSION,
                                    Kind.READ_ONLY,
                                    Kind.UNSUPPORTED)
                            .contains(refusal.kind()),
                    String.valueOf(refusal));
            assertEquals(0, refusal.getSuppressed().length, "an undo failed");
        }
        return false;
    }

    /** What must hold between two steps. */
    void checkAll() {
        assertFalse(world.graph.lock().isHeld(), "G4: somebody waits with the graph's lock");
        for (Drain drain : drains) {
            checkDrain(drain);
        }
        if (stepped) {
            checkHeldBack();
        }
        boolean unchanging = world.graph.changes().tryLock();
        try {
            try (GraphLock.Locked locked = world.graph.lock().lock()) {
                checkShape(locked, unchanging);
            }
        } finally {
            if (unchanging) {
                world.graph.changes().unlock();
            }
        }
    }

    /**
     * D7, from one step to the next: while a node is drained nobody that it holds back leaves or is overtaken; when it is not any more, all
     * of them are registered, in the order in which they came.
     */
    private void checkHeldBack() {
        Map<BlockNode, List<Long>> now = new HashMap<>();
        for (BlockNode node : world.graph.nodes()) {
            RequestTracker tracker = node.layer().tracker();
            RequestTracker.Standing standing = tracker.standing();
            List<Long> all = new ArrayList<>(standing.registered());
            all.addAll(standing.held());
            List<Long> before = heldBack.getOrDefault(node, List.of());
            List<Long> there = new ArrayList<>(tracker.isDrained() ? standing.held() : standing.registered());
            there.retainAll(before);
            assertEquals(before, there, () -> "D7: held back at " + node);
            assertTrue(tracker.isDrained() || standing.held().isEmpty(), () -> "D7: still held back at " + node);
            for (long threadId : standing.held()) {
                assertEquals(1, Collections.frequency(all, threadId), () -> "D7: twice in " + node);
            }
            if (!before.isEmpty() && !tracker.isDrained()) {
                resumed.addAndGet(before.size() > 1 ? 1 : 0);
            }
            now.put(node, standing.held());
        }
        heldBack.clear();
        heldBack.putAll(now);
    }

    /** D1–D3 for a drain that lasts, by edges as they are at the moment. */
    private void checkDrain(Drain drain) {
        try (GraphLock.Locked locked = world.graph.lock().lock()) {
            Collection<BlockNode> known = world.graph.known(locked);
            for (BlockNode node : known) {
                if (!isReached(known, drain, node)) {
                    continue;
                }
                assertTrue(node.layer().tracker().isDrained(), () -> "D1: " + node + " under " + drain);
                if (stepped) {
                    assertEquals(0, node.layer().tracker().inFlight(), () -> "D1: in " + node + " under " + drain);
                }
                for (BlockBackend user : inside.values()) {
                    assertFalse(user.root() == node, () -> "D1: a request of a user in " + node + " under " + drain);
                }
            }
        }
    }

    /** The model's own idea of what a drain reaches, by looking down from each node. */
    private static boolean isReached(Collection<BlockNode> known, Drain drain, BlockNode node) {
        if (drain.reach() == DrainControl.Reach.EVERYTHING) {
            return true;
        }
        if (!known.contains(drain.target())) {
            return false;
        }
        Set<BlockNode> stopped = new LinkedHashSet<>();
        stopped.add(drain.target());
        if (drain.reach() == DrainControl.Reach.SUBTREE) {
            addBelow(drain.target(), stopped);
        }
        Set<BlockNode> below = new LinkedHashSet<>();
        below.add(node);
        addBelow(node, below);
        below.retainAll(stopped);
        return !below.isEmpty();
    }

    private static void addBelow(BlockNode node, Set<BlockNode> into) {
        for (ChildEdge edge : node.edges()) {
            if (into.add(edge.node())) {
                addBelow(edge.node(), into);
            }
        }
    }

    private void checkShape(GraphLock.Locked locked, boolean unchanging) {
        Collection<BlockNode> known = world.graph.known(locked);
        boolean stable = inControl.get() == 0;
        stableLooks.addAndGet(stable ? 1 : 0);
        for (BlockNode node : known) {
            for (ChildEdge edge : node.edges()) {
                assertEquals(
                        1,
                        edge.node().parentEdges().stream()
                                .filter(e -> e == edge)
                                .count(),
                        () -> "G1: the edge from " + node);
                assertFalse(
                        edge.node().holders().isClosing() && !node.holders().isClosing(), () -> "D8: below " + node);
            }
            for (ChildEdge edge : node.parentEdges()) {
                assertTrue(edge.node() == node, () -> "G1: an edge to " + node + " leads elsewhere");
                if (unchanging) {
                    for (ChildEdge other : node.parentEdges()) {
                        assertTrue(
                                edge == other || other.shared().containsAll(edge.used()),
                                () -> "G5: " + edge.userDescription() + " and " + other.userDescription());
                    }
                }
            }
            if (stable) {
                // D2, D3: neither more nor less than what the drains that last reach.
                boolean expected = drains.stream().anyMatch(drain -> isReached(known, drain, node));
                assertEquals(expected, node.layer().tracker().isDrained(), () -> "D2/D3: " + node + " under " + drains);
            }
        }
    }

    /** When all is over: nothing is under way or drained, and after closing nothing is open. */
    void finish() throws BlockException {
        for (BlockNode node : world.graph.nodes()) {
            assertEquals(0, node.layer().tracker().inFlight(), node.name());
            assertFalse(node.layer().tracker().isDrained(), node.name());
        }
        world.close();
        assertEquals(List.of(), new ArrayList<>(world.graph.nodes()));
        for (MemoryDisk file : world.memory.disks.values()) {
            assertEquals(0, file.openInstances, "left open: " + file.name);
            assertEquals(0, file.locks.size(), "left locked: " + file.name);
        }
    }
}
