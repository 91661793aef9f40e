package dev.ashlar.core;

import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.request.BriefLock;
import dev.ashlar.core.spi.BlockDriver;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * All nodes that are open together: opens images, creates them, drains. Any thread.
 *
 * <p>The graph's lock is held for changes of nodes and edges and for walks along them, never while a driver does I/O and never
 * while anyone waits (G4).
 */
public final class BlockGraph implements AutoCloseable {
    private final DriverRegistry registry;
    private final BriefLock lock = new BriefLock();

    // Guarded by the lock.
    private final Map<String, BlockNode> nodes = new LinkedHashMap<>();
    private final Set<String> reservedNames = new LinkedHashSet<>();
    private final Set<BlockBackend> backends = new LinkedHashSet<>();
    private final List<DrainedSection> sections = new ArrayList<>();
    private long nextName;
    private boolean closed;

    private BlockGraph(@Nullable List<BlockDriver> drivers) {
        this.registry = new DriverRegistry(drivers);
    }

    /** A graph whose drivers are found by {@link java.util.ServiceLoader} when they are first needed. */
    public static BlockGraph create() {
        return new BlockGraph(null);
    }

    /** A graph with these drivers and no others. */
    public static BlockGraph create(List<BlockDriver> drivers) {
        return new BlockGraph(drivers);
    }

    /**
     * Opens an image: the file by the protocol that its name asks for (or as a {@code json:} name describes it), the format that {@code options} name or that probing finds,
     * then its backing chain.
     *
     * @return a backend on the topmost node; closing it closes what it opened
     * @throws BlockException of the layer that failed, in its words; nothing stays open
     */
    public BlockBackend open(String fileName, OpenOptions options) throws BlockException {
        return NodeOpener.openBackend(this, fileName, options);
    }

    /**
     * Opens what {@link OpenOptions#driverOptions} describe alone, without a file name of its own.
     *
     * @throws BlockException as {@link #open(String, OpenOptions)}
     */
    public BlockBackend open(OpenOptions options) throws BlockException {
        return NodeOpener.openBackend(this, null, options);
    }

    /**
     * Creates an image; an existing file is overwritten. Durable, name included, when this returns (R8).
     *
     * @param format name of the format, or of a protocol for a bare file
     * @param options by name as text, {@code size} in bytes among them
     */
    public void createImage(String fileName, String format, Map<String, String> options) throws BlockException {
        new ImageCreation(this, fileName, format, options).run();
    }

    /** The name of the format that {@link #open} would choose by probing. */
    public String probe(String fileName) throws BlockException {
        return NodeOpener.probeFormat(this, fileName);
    }

    /** All drivers. */
    public List<BlockDriver> drivers() {
        return registry.all();
    }

    /** The driver of that name. */
    public Optional<BlockDriver> driver(String name) {
        return Optional.ofNullable(registry.find(name));
    }

    /** All nodes, in the order in which they were opened. */
    public List<BlockNode> nodes() {
        lock.lock();
        try {
            return List.copyOf(nodes.values());
        } finally {
            lock.unlock();
        }
    }

    /** The node of that name. */
    public Optional<BlockNode> node(String name) {
        lock.lock();
        try {
            return Optional.ofNullable(nodes.get(name));
        } finally {
            lock.unlock();
        }
    }

    /** Drains every node; nodes that are opened meanwhile stand still as well. */
    public DrainedSection drainAll() {
        return beginDrain(null);
    }

    /** Closes every backend that is still open, and with them all nodes. */
    @Override
    public void close() throws BlockException {
        List<BlockBackend> open;
        lock.lock();
        try {
            closed = true;
            open = new ArrayList<>(backends);
        } finally {
            lock.unlock();
        }
        Collections.reverse(open);
        BlockException failure = null;
        for (BlockBackend backend : open) {
            try {
                backend.close();
            } catch (BlockException e) {
                failure = failure == null ? e : failure;
            }
        }
        if (failure != null) {
            throw failure;
        }
    }

    DriverRegistry registry() {
        return registry;
    }

    /**
     * Stops all requests to some nodes together: all are asked to stop before the first is waited for.
     *
     * @param targets at least one node of this graph
     */
    public DrainedSection drain(List<BlockNode> targets) {
        if (targets.isEmpty()) {
            throw new IllegalArgumentException("no nodes to drain");
        }
        return beginDrain(List.copyOf(targets));
    }

    boolean isUsedByBackend(BlockNode node) {
        lock.lock();
        try {
            for (BlockBackend backend : backends) {
                if (backend.root() == node) {
                    return true;
                }
            }
            return false;
        } finally {
            lock.unlock();
        }
    }

    boolean isRoot(BlockNode node) {
        lock.lock();
        try {
            return node.parentEdges().isEmpty();
        } finally {
            lock.unlock();
        }
    }

    DrainedSection drain(BlockNode node) {
        return beginDrain(List.of(node));
    }

    private DrainedSection beginDrain(@Nullable List<BlockNode> targets) {
        long holder = Thread.currentThread().threadId();
        DrainedSection section;
        List<BlockNode> waitFor;
        lock.lock();
        try {
            LinkedHashSet<BlockNode> affected = new LinkedHashSet<>();
            for (BlockNode node : targets != null ? targets : nodes.values()) {
                collectWithParents(node, affected);
            }
            for (BlockNode node : affected) {
                if (node.layer().tracker().isInside()) {
                    throw new IllegalStateException("a drain of node '" + node.name()
                            + "' from inside one of its requests would wait for itself");
                }
            }
            for (BlockNode node : affected) {
                node.quiesce(holder);
            }
            waitFor = List.copyOf(affected);
            section = new DrainedSection(this, new ArrayList<>(affected), targets == null, holder);
            sections.add(section);
        } finally {
            lock.unlock();
        }
        // Parents come first: once they are idle nothing new reaches their children.
        for (BlockNode node : waitFor) {
            node.layer().tracker().awaitIdle();
        }
        return section;
    }

    void endDrain(DrainedSection section) {
        lock.lock();
        try {
            section.markEnded();
            sections.remove(section);
            List<BlockNode> drained = section.nodes();
            for (int i = drained.size() - 1; i >= 0; i--) {
                drained.get(i).unquiesce(section.holderId());
            }
        } finally {
            lock.unlock();
        }
    }

    private static void collectWithParents(BlockNode node, Set<BlockNode> into) {
        if (into.contains(node)) {
            return;
        }
        for (ChildEdge edge : node.parentEdges()) {
            BlockNode parent = edge.parent();
            if (parent != null) {
                collectWithParents(parent, into);
            }
        }
        into.add(node);
    }

    /** A name for a node that is being opened: the wanted one, or a generated one. */
    String reserveName(@Nullable String wanted) throws BlockException {
        lock.lock();
        try {
            if (closed) {
                throw new IllegalStateException("the graph is closed");
            }
            if (wanted != null) {
                if (nodes.containsKey(wanted) || !reservedNames.add(wanted)) {
                    throw new BlockException(Kind.EXISTS, "Duplicate nodes with node-name='" + wanted + "'");
                }
                return wanted;
            }
            String name;
            do {
                name = "#block" + nextName++;
            } while (nodes.containsKey(name) || !reservedNames.add(name));
            return name;
        } finally {
            lock.unlock();
        }
    }

    void releaseName(String name) {
        lock.lock();
        try {
            reservedNames.remove(name);
        } finally {
            lock.unlock();
        }
    }

    /** Makes an open node known, with its edges; it stands still at once if a section covers it (D4). */
    void add(BlockNode node) {
        lock.lock();
        try {
            reservedNames.remove(node.name());
            nodes.put(node.name(), node);
            for (ChildEdge edge : node.edges()) {
                edge.bind(node);
                if (!edge.node().parentEdges().contains(edge)) {
                    edge.node().parentEdges().add(edge);
                }
            }
            BlockNode origin = node.origin();
            if (origin != null) {
                origin.addView(1);
            }
            for (DrainedSection section : sections) {
                if (section.covers(node)) {
                    node.quiesce(section.holderId());
                    section.nodes().add(0, node);
                }
            }
        } finally {
            lock.unlock();
        }
    }

    /** Adds an edge whose parent is being opened. */
    void attach(ChildEdge edge) {
        lock.lock();
        try {
            edge.node().parentEdges().add(edge);
        } finally {
            lock.unlock();
        }
    }

    void attachBackend(BlockBackend backend, ChildEdge edge) {
        lock.lock();
        try {
            edge.node().parentEdges().add(edge);
            backends.add(backend);
        } finally {
            lock.unlock();
        }
    }

    void detachBackend(BlockBackend backend, ChildEdge edge) throws BlockException {
        lock.lock();
        try {
            backends.remove(backend);
        } finally {
            lock.unlock();
        }
        detach(edge);
    }

    /** Removes an edge and closes what nobody needs any more. */
    void detach(ChildEdge edge) throws BlockException {
        lock.lock();
        try {
            edge.node().parentEdges().remove(edge);
        } finally {
            lock.unlock();
        }
        closeIfUnneeded(edge.node());
    }

    private void forget(BlockNode node) {
        lock.lock();
        try {
            nodes.remove(node.name());
            for (DrainedSection section : sections) {
                if (section.nodes().remove(node)) {
                    node.unquiesce(section.holderId());
                }
            }
        } finally {
            lock.unlock();
        }
    }

    private boolean isNeeded(BlockNode node) {
        lock.lock();
        try {
            return node.isNeeded() || nodes.get(node.name()) != node;
        } finally {
            lock.unlock();
        }
    }

    /** Closes a node that has no users left, then its children. The first failure is thrown after all is closed. */
    void closeIfUnneeded(BlockNode node) throws BlockException {
        if (isNeeded(node)) {
            return;
        }
        BlockException failure = null;
        try {
            closeNode(node);
        } catch (BlockException e) {
            failure = e;
        }
        for (ChildEdge edge : node.edges()) {
            try {
                detach(edge);
            } catch (BlockException e) {
                failure = failure == null ? e : failure;
            }
        }
        BlockNode origin = node.origin();
        if (origin != null) {
            lock.lock();
            try {
                origin.addView(-1);
            } finally {
                lock.unlock();
            }
            closeIfUnneeded(origin);
        }
        if (failure != null) {
            throw failure;
        }
    }

    private void closeNode(BlockNode node) throws BlockException {
        node.controlLock().lock();
        try (DrainedSection section = drain(node)) {
            assert section.nodes().contains(node);
            if (node.layer().isClosed()) {
                return;
            }
            node.layer().closeInstance();
        } finally {
            forget(node);
            node.controlLock().unlock();
        }
    }
}
