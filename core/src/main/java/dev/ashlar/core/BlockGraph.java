package dev.ashlar.core;

import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.MeasureRequest;
import dev.ashlar.core.spi.MeasuredSize;
import dev.ashlar.core.spi.SecretSource;
import dev.ashlar.core.spi.SizeMeasurable;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * All nodes that are open together: opens images, creates them, drains. Any thread.
 *
 * <p>The graph's lock is held for changes of nodes and edges and for walks along them, never while a driver does I/O and never
 * while anyone waits (G4).
 */
public final class BlockGraph implements AutoCloseable {
    private final DriverRegistry registry;
    private final GraphLock lock = new GraphLock();
    private final DrainControl drains = new DrainControl(lock);
    private final ControlLock changes = new ControlLock();

    // Guarded by the lock.
    private final Map<String, BlockNode> nodes = new LinkedHashMap<>();
    private final NodeNames names = new NodeNames();
    private final Set<BlockBackend> backends = new LinkedHashSet<>();
    private final Set<BlockNode> owned = new LinkedHashSet<>();
    private boolean closed;

    private volatile SecretSource secrets = SecretSource.NONE;
    private volatile Consumer<String> notices = line -> {};

    private BlockGraph(@Nullable List<BlockDriver> drivers) {
        this.registry = new DriverRegistry(drivers);
    }

    /**
     * Says where lines go that tell of damage to an image which is noticed in passing; without this they are lost.
     *
     * @param consumer called by any thread
     */
    public void onNotice(Consumer<String> consumer) {
        notices = consumer;
    }

    Consumer<String> notices() {
        return line -> notices.accept(line);
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
     * Opens an image: the file by the protocol that its name asks for (or as a {@code json:} name describes
     * it), the format that {@code options} name or that probing finds, then its backing chain.
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

    /**
     * Tells how large a new image gets, without creating it.
     *
     * @param format name of the format
     * @param options as for {@link #createImage}
     * @param content what it is to hold, for instance a snapshot; null: nothing
     * @param image the node whose bitmaps it is to hold; given where {@code content} is
     * @throws BlockException UNSUPPORTED where the format can't tell; else as {@link SizeMeasurable#measure}
     */
    public MeasuredSize measure(
            String format, Map<String, String> options, @Nullable BlockBackend content, @Nullable BlockNode image)
            throws BlockException {
        if (!(registry.find(format) instanceof SizeMeasurable measurable)) {
            throw new BlockException(
                    Kind.UNSUPPORTED,
                    "Block driver '" + FileNames.escape(format) + "' does not support size measurement");
        }
        MeasuredBackend source = content == null || image == null ? null : new MeasuredBackend(content, image);
        return measurable.measure(new MeasureRequest(options, secrets, source));
    }

    /** The name of the format that {@link #open} would choose by probing. */
    public String probe(String fileName) throws BlockException {
        return NodeOpener.probeFormat(this, fileName);
    }

    /** Where drivers that are opened or create an image from now on get their secrets; without, there are none. */
    public void useSecrets(SecretSource source) {
        secrets = source;
    }

    /** All drivers. */
    public List<BlockDriver> drivers() {
        return registry.all();
    }

    /** The driver of that name. */
    public Optional<BlockDriver> driver(String name) {
        return Optional.ofNullable(registry.find(name));
    }

    /**
     * Opens nodes without a user: the graph itself keeps the topmost one until {@link #closeNode}. Others attach to it by name.
     *
     * @throws BlockException as {@link #open(String, OpenOptions)}
     */
    public BlockNode openNode(@Nullable String fileName, OpenOptions options) throws BlockException {
        return NodeOpener.openOwned(this, fileName, options);
    }

    /**
     * Gives up a node that {@link #openNode} opened; it closes, with what only it needs.
     *
     * @throws BlockException BUSY while a node or a backend uses it; INVALID if it is not the graph's own
     */
    public void closeNode(BlockNode node) throws BlockException {
        requireOutside(List.of(node));
        try (GraphLock.Locked locked = lock.lock()) {
            locked.requireValid();
            if (!owned.contains(node)) {
                throw new BlockException(Kind.INVALID, "Node " + node.name() + " is not owned by the monitor");
            }
            if (!node.parentEdges().isEmpty()) {
                throw new BlockException(Kind.BUSY, "Node " + node.name() + " is in use");
            }
            owned.remove(node);
        }
        closeIfUnneeded(node);
    }

    /**
     * Attaches a user to a node that is open. Several may be attached to one node, as far as their permissions go together (G5).
     *
     * @param deviceName unique among devices and nodes; null: a user without a name
     * @param writing whether the user will write; if not, its writes are refused
     * @throws BlockException PERMISSION naming both users, the node and the permissions; READ_ONLY; EXISTS, INVALID for the name
     */
    public BlockBackend attach(@Nullable String deviceName, BlockNode node, boolean writing) throws BlockException {
        if (writing && node.isReadOnly()) {
            throw new BlockException(Kind.READ_ONLY, "Block node is read-only");
        }
        ChildEdge edge = ChildEdge.ofUser(deviceName, node);
        PermissionRules.ofBackend(edge, new PermissionRules.Mode(writing, false, false));
        if (!writing) {
            edge.becomeReader();
        }
        BlockBackend backend = new BlockBackend(this, edge, false);
        attachBackend(backend, edge);
        return backend;
    }

    /** A change of several edges and modes at once. */
    public GraphTransaction transaction() {
        return new GraphTransaction(this);
    }

    /** All nodes, in the order in which they were opened. */
    public List<BlockNode> nodes() {
        try (GraphLock.Locked locked = lock.lock()) {
            return List.copyOf(known(locked));
        }
    }

    /** The node of that name. */
    public Optional<BlockNode> node(String name) {
        try (GraphLock.Locked locked = lock.lock()) {
            locked.requireValid();
            return Optional.ofNullable(nodes.get(name));
        }
    }

    /** The node of that name, or the topmost one of the device of that name. @throws BlockException NOT_FOUND */
    public BlockNode lookUp(String deviceOrNode) throws BlockException {
        try (GraphLock.Locked locked = lock.lock()) {
            locked.requireValid();
            BlockBackend device = device(deviceOrNode);
            BlockNode node = device != null ? device.root() : nodes.get(deviceOrNode);
            if (node == null) {
                String name = FileNames.escape(deviceOrNode);
                throw new BlockException(
                        Kind.NOT_FOUND, "Cannot find device='" + name + "' nor node-name='" + name + "'");
            }
            return node;
        }
    }

    /** Drains every node; nodes that are opened meanwhile stand still as well. */
    public DrainedSection drainAll() {
        return drains.begin(lock.unlocked(), this, DrainControl.Reach.EVERYTHING, List.of());
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
        return drains.begin(lock.unlocked(), this, DrainControl.Reach.PARENTS, List.copyOf(targets));
    }

    /** The nodes and all that stands above them, parents before children. */
    List<BlockNode> withParents(Collection<BlockNode> some) {
        Set<BlockNode> all = new LinkedHashSet<>();
        try (GraphLock.Locked locked = lock.lock()) {
            locked.requireValid();
            for (BlockNode node : some) {
                DrainControl.addWithParents(node, all);
            }
        }
        return List.copyOf(all);
    }

    /** D9: before locks are waited for whose holders may wait for the caller's own request. */
    void requireOutside(List<BlockNode> targets) {
        try (GraphLock.Locked locked = lock.lock()) {
            drains.requireOutside(locked, targets);
        }
    }

    /** Closes every backend that is still open, then what the graph itself keeps, and with them all nodes. */
    @Override
    public void close() throws BlockException {
        List<BlockBackend> open;
        List<BlockNode> kept;
        try (GraphLock.Locked locked = lock.lock()) {
            locked.requireValid();
            closed = true;
            open = new ArrayList<>(backends).reversed();
            kept = new ArrayList<>(owned).reversed();
            owned.clear();
        }
        BlockException failure = null;
        for (BlockBackend backend : open) {
            try {
                backend.close();
            } catch (BlockException e) {
                failure = failure == null ? e : failure;
            }
        }
        for (BlockNode node : kept) {
            try {
                closeIfUnneeded(node);
            } catch (BlockException e) {
                failure = failure == null ? e : failure;
            }
        }
        if (failure != null) {
            throw failure;
        }
    }

    SecretSource secrets() {
        return secrets;
    }

    DriverRegistry registry() {
        return registry;
    }

    GraphLock lock() {
        return lock;
    }

    /** One change of the graph's edges, permissions and modes at a time (G1). Taken after control locks of nodes, before a drain. */
    ControlLock changes() {
        return changes;
    }

    Collection<BlockNode> known(GraphLock.Locked locked) {
        locked.requireValid();
        return nodes.values();
    }

    boolean isKnown(GraphLock.Locked locked, BlockNode node) {
        locked.requireValid();
        return nodes.get(node.name()) == node;
    }

    boolean isUsedByBackend(BlockNode node) {
        try (GraphLock.Locked locked = lock.lock()) {
            locked.requireValid();
            for (BlockBackend backend : backends) {
                if (backend.root() == node) {
                    return true;
                }
            }
            return false;
        }
    }

    boolean isRoot(BlockNode node) {
        try (GraphLock.Locked locked = lock.lock()) {
            locked.requireValid();
            return node.parentEdges().isEmpty();
        }
    }

    DrainedSection drainSubtree(BlockNode node) {
        return drains.begin(lock.unlocked(), this, DrainControl.Reach.SUBTREE, List.of(node));
    }

    void endDrain(DrainedSection section) {
        drains.end(section);
    }

    /** To be called after edges were changed, with both locks still held. */
    void edgesChanged(GraphLock.Locked locked) {
        if (!changes.isHeldByThisThread()) {
            throw new IllegalStateException("G1: a change of the graph without the change lock");
        }
        assert drains.isOutsideOfAll(locked, this) : "G1: a request changes the graph";
        drains.graphChanged(locked, this);
    }

    /** A name for a node that is being opened: the wanted one, or a generated one. */
    String reserveName(@Nullable String wanted) throws BlockException {
        try (GraphLock.Locked locked = lock.lock()) {
            locked.requireValid();
            if (closed) {
                throw new IllegalStateException("the graph is closed");
            }
            return names.reserve(wanted, nodes.keySet(), deviceNames());
        }
    }

    void releaseName(String name) {
        try (GraphLock.Locked locked = lock.lock()) {
            locked.requireValid();
            names.release(name);
        }
    }

    /** Makes an open node known, with its edges; it stands still at once if a section covers it (D4). */
    void add(BlockNode node) {
        changes.lock();
        try (GraphLock.Locked locked = lock.lock()) {
            names.release(node.name());
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
            edgesChanged(locked);
        } finally {
            changes.unlock();
        }
    }

    /** Keeps a node without a user. */
    void own(BlockNode node) {
        try (GraphLock.Locked locked = lock.lock()) {
            locked.requireValid();
            owned.add(node);
        }
    }

    /**
     * Adds an edge, whose parent may still be being opened, if its permissions go together with those of others (G5).
     *
     * @throws BlockException NOT_FOUND if the child is being closed; PERMISSION, LOCKED; then nothing has changed
     */
    void attach(ChildEdge edge) throws BlockException {
        changes.lock();
        try {
            BlockNode child = edge.node();
            try (GraphLock.Locked locked = lock.lock()) {
                locked.requireValid();
                assert drains.isOutsideOfAll(locked, this) : "G1: a request changes the graph";
                if (child.isClosing()) {
                    throw new BlockException(
                            Kind.NOT_FOUND, "Failed to find node with node-name='" + child.name() + "'");
                }
                child.parentEdges().add(edge);
            }
            boolean done = false;
            try {
                PermissionUpdate.run(this);
                done = true;
            } finally {
                if (!done) {
                    try (GraphLock.Locked locked = lock.lock()) {
                        locked.requireValid();
                        child.parentEdges().remove(edge);
                    }
                }
            }
        } finally {
            changes.unlock();
        }
    }

    void attachBackend(BlockBackend backend, ChildEdge edge) throws BlockException {
        String device = edge.deviceName();
        try (GraphLock.Locked locked = lock.lock()) {
            locked.requireValid();
            if (device != null) {
                names.checkDevice(device, nodes.keySet(), deviceNames());
            }
            backends.add(backend);
        }
        boolean done = false;
        try {
            attach(edge);
            done = true;
        } finally {
            if (!done) {
                forgetBackend(backend);
            }
        }
    }

    void detachBackend(BlockBackend backend, ChildEdge edge) throws BlockException {
        forgetBackend(backend);
        detach(edge);
    }

    /** Removes an edge and closes what nobody needs any more. */
    void detach(ChildEdge edge) throws BlockException {
        BlockNode child;
        changes.lock();
        try {
            try (GraphLock.Locked locked = lock.lock()) {
                // Asked only now: until here the edge may be led elsewhere.
                child = edge.node();
                child.parentEdges().remove(edge);
                edgesChanged(locked);
            }
            PermissionUpdate.relax(this);
        } finally {
            changes.unlock();
        }
        closeIfUnneeded(child);
    }

    /** Closes a node that has no users left, then its children. The first failure is thrown after all is closed (D8). */
    void closeIfUnneeded(BlockNode node) throws BlockException {
        // Not while a change is under way: it may be about to lead somebody here.
        changes.lock();
        try (GraphLock.Locked locked = lock.lock()) {
            if (!isKnown(locked, node) || owned.contains(node) || !node.claimClosing()) {
                return;
            }
        } finally {
            changes.unlock();
        }
        BlockException failure = null;
        try {
            closeUnused(node);
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
            try (GraphLock.Locked locked = lock.lock()) {
                locked.requireValid();
                origin.addView(-1);
            }
            closeIfUnneeded(origin);
        }
        if (failure != null) {
            throw failure;
        }
    }

    /** Closes nodes that were kept only because a queue could still reach their files. */
    void closeLeftovers() throws BlockException {
        for (BlockNode node : nodes().reversed()) {
            if (node.isLeftover()) {
                closeIfUnneeded(node);
            }
        }
    }

    private void closeUnused(BlockNode node) throws BlockException {
        node.controlLock().lock();
        try (DrainedSection section = node.drain()) {
            assert section.nodes().contains(node);
            // A driver that could not be opened again is closed already.
            if (!node.layer().isClosed()) {
                node.layer().closeInstance();
            }
        } finally {
            forget(node);
            node.controlLock().unlock();
        }
    }

    private void forget(BlockNode node) {
        changes.lock();
        try (GraphLock.Locked locked = lock.lock()) {
            nodes.remove(node.name());
            edgesChanged(locked);
        } finally {
            changes.unlock();
        }
    }

    private void forgetBackend(BlockBackend backend) {
        try (GraphLock.Locked locked = lock.lock()) {
            locked.requireValid();
            backends.remove(backend);
        }
    }

    private Set<String> deviceNames() {
        Set<String> devices = new LinkedHashSet<>();
        for (BlockBackend backend : backends) {
            String name = backend.deviceName();
            if (name != null) {
                devices.add(name);
            }
        }
        return devices;
    }

    private @Nullable BlockBackend device(String name) {
        for (BlockBackend backend : backends) {
            if (name.equals(backend.deviceName())) {
                return backend;
            }
        }
        return null;
    }
}
