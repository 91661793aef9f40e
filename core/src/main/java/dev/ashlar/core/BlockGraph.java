package dev.ashlar.core;

import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.MeasureRequest;
import dev.ashlar.core.spi.MeasuredSize;
import dev.ashlar.core.spi.PrintableName;
import dev.ashlar.core.spi.SecretSource;
import dev.ashlar.core.spi.SizeMeasurable;
import java.util.Collection;
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

    private final GraphMembers members = new GraphMembers();
    private final NodeLifecycle lifecycle = new NodeLifecycle(this, members);

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
     * Looks whether {@link #createImage} could make an image of this format under this name; touches nothing.
     *
     * @param fileName null: only the format counts
     * @throws BlockException INVALID for an unknown format, NOT_FOUND for an unknown protocol, UNSUPPORTED where one of them can't create anything
     */
    public void requireCreatable(@Nullable String fileName, String format) throws BlockException {
        ImageCreation.requireSupport(registry, fileName, format);
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
                    "Block driver '" + PrintableName.of(format) + "' does not support size measurement");
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
        lifecycle.disown(node);
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
        lifecycle.attach(backend, edge);
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
            return Optional.ofNullable(members.node(locked, name));
        }
    }

    /** The node of that name, or the topmost one of the device of that name. @throws BlockException NOT_FOUND */
    public BlockNode lookUp(String deviceOrNode) throws BlockException {
        try (GraphLock.Locked locked = lock.lock()) {
            return members.lookUp(locked, deviceOrNode);
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
        lifecycle.closeAll();
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

    /** How nodes come and go. */
    NodeLifecycle lifecycle() {
        return lifecycle;
    }

    Collection<BlockNode> known(GraphLock.Locked locked) {
        return members.nodes(locked);
    }

    boolean isKnown(GraphLock.Locked locked, BlockNode node) {
        return members.contains(locked, node);
    }

    boolean isUsedByBackend(BlockNode node) {
        try (GraphLock.Locked locked = lock.lock()) {
            return members.isUsedByBackend(locked, node);
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
        requireChangeable(locked);
        drains.graphChanged(locked, this);
    }

    /** G1: never from inside a request. */
    void requireChangeable(GraphLock.Locked locked) {
        locked.requireValid();
        assert drains.isOutsideOfAll(locked, this) : "G1: a request changes the graph";
    }
}
