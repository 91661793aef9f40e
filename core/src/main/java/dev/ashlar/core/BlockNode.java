package dev.ashlar.core;

import dev.ashlar.core.bitmap.NodeBitmaps;
import dev.ashlar.core.request.DrainCallback;
import dev.ashlar.core.request.Layer;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.DriverInstance;
import dev.ashlar.core.spi.FormatInfo;
import dev.ashlar.core.spi.FormatInstance;
import dev.ashlar.core.spi.ImageReference;
import dev.ashlar.core.spi.ProtocolInstance;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One open layer of the graph: an instance of a driver and the edges to its children. Any thread.
 *
 * <p>A node lives as long as a backend, a parent or a view of one of its snapshots needs it; its graph closes it then.
 */
public final class BlockNode {
    private final BlockGraph graph;
    private final BlockDriver driver;
    private final String fileName;
    private final Layer layer;
    private volatile PermissionRules.Mode mode;
    private volatile List<ChildEdge> children;
    /** The node whose snapshot this one shows, kept open by it. */
    private final @Nullable BlockNode origin;

    /** One control operation (resize, snapshot, check, close) at a time. Taken before a drain, never inside one. */
    private final ControlLock controlLock = new ControlLock();

    private final NodeHolders holders = new NodeHolders(this);

    /** Guarded by the graph's lock. */
    private int drains;

    /** The driver is closed and about to be opened again; for those that ask without standing in line for the node. */
    private volatile boolean betweenDrivers;

    /** How to open the driver again; null for files and for views of snapshots. Set before the node is known to others. */
    private @Nullable DriverReopening reopening;

    /** Set before the node is known to others. */
    private @Nullable BlockNode implicitBacking;

    private boolean backingSuppressed;

    private @Nullable LocksTaken locks;

    BlockNode(
            BlockGraph graph,
            BlockDriver driver,
            String fileName,
            Layer layer,
            PermissionRules.Mode mode,
            List<ChildEdge> children,
            @Nullable BlockNode origin) {
        this.graph = graph;
        this.driver = driver;
        this.fileName = fileName;
        this.layer = layer;
        this.mode = mode;
        this.children = List.copyOf(children);
        this.origin = origin;
        layer.bitmaps().attach(new BitmapDisk(this));
    }

    /** Unique in the graph. */
    public String name() {
        return layer.name();
    }

    /** Name of the driver, for instance {@code qcow2}. */
    public String driverName() {
        return driver.name();
    }

    /** Name of the file at the primary end of this node, as the user or the parent image gave it. */
    public String fileName() {
        return fileName;
    }

    /** How the node can be named so that opening the name gives the same content. */
    public NodeDescription description() {
        return NodeDescription.of(this);
    }

    /** Whether writes are refused to everybody. */
    public boolean isReadOnly() {
        return layer.isReadOnly();
    }

    /** Whether the node has a medium: its driver and those of all children are open. */
    public boolean isInserted() {
        if (layer.isClosed() && !betweenDrivers) {
            return false;
        }
        for (ChildEdge edge : children) {
            if (!edge.node().isInserted()) {
                return false;
            }
        }
        return true;
    }

    /** As {@link #isInserted}, and at this very moment: not between the closing of a driver and its opening again. */
    boolean isOpenThroughout() {
        if (layer.isClosed()) {
            return false;
        }
        for (ChildEdge edge : children) {
            if (!edge.node().isOpenThroughout()) {
                return false;
            }
        }
        return true;
    }

    /** Closes the driver, to open it again within the same control operation. On a drained node. */
    void closeBetweenDrivers() throws BlockException {
        betweenDrivers = true;
        layer.closeInstance();
    }

    /** What has no driver now has none for good. */
    void endBetweenDrivers() {
        betweenDrivers = false;
    }

    /** Whether a flush or a metadata write failed, so that nothing is written any more until the image is opened again. */
    public boolean isFailed() {
        return layer.failStop().isFailed();
    }

    /** Whether a backend is attached to this node itself. */
    public boolean isUsedByBackend() {
        return graph.isUsedByBackend(this);
    }

    /** Whether nobody is attached to this node but the graph's owner. */
    public boolean isRoot() {
        return graph.isRoot(this);
    }

    /** The dirty bitmaps of this node. */
    public NodeBitmaps bitmaps() {
        return layer.bitmaps();
    }

    /** Makes what was written durable, as control code: not held back by a drain. Nothing for a read-only node. */
    public void flush() throws BlockException {
        if (!isReadOnly()) {
            layer.flush(dev.ashlar.core.request.Origin.PARENT);
        }
    }

    /**
     * The machine's state that goes with this node's live disk.
     *
     * @return to be closed by the caller, before the node is
     * @throws BlockException UNSUPPORTED if the driver has no room for one
     */
    public VmState openVmState() throws BlockException {
        return openVmState(true);
    }

    /** As {@link #openVmState()}. @param writing whether it will be changed; if not, changes are refused */
    public VmState openVmState(boolean writing) throws BlockException {
        return VmState.open(this, writing);
    }

    /**
     * Runs an operation while this node's driver is closed and opens it again over the same children, with the same options. The children
     * stay open throughout. Called on a drained node, by a control operation; a {@link CommonDrain}, where others use nodes above this one.
     *
     * @return what the operation returns
     * @throws BlockException BUSY while a snapshot of the node is open for reading, then nothing has happened; of the operation, which goes
     *     before one of the opening; if the driver could not be opened again the node is left without one ({@link #isInserted}) and without
     *     children
     * @throws IllegalStateException if this is a file, or a view of a snapshot
     */
    public <T> T whileDriverClosed(ControlOperation<T> operation) throws BlockException {
        DriverReopening how = reopening;
        if (how == null || layer.instance() instanceof ProtocolInstance) {
            throw new IllegalStateException("node '" + name() + "' can't be opened again");
        }
        return how.around(operation);
    }

    /** Virtual size in bytes. */
    public long lengthBytes() throws BlockException {
        return layer.lengthBytes();
    }

    /** Edges to children, the primary one first. */
    public List<ChildEdge> children() {
        return children;
    }

    /** The open backing node. */
    public Optional<BlockNode> backing() {
        for (ChildEdge edge : children) {
            if (edge.has(ChildRole.COW)) {
                return Optional.of(edge.node());
            }
        }
        return Optional.empty();
    }

    /** The backing file that the image names, be it open or not. */
    public Optional<ImageReference> backingReference() {
        return layer.instance() instanceof FormatInstance format ? format.backing() : Optional.empty();
    }

    /** Facts about the image, where the node is one. */
    public Optional<FormatInfo> formatInfo() throws BlockException {
        return layer.instance() instanceof FormatInstance format ? Optional.of(format.info()) : Optional.empty();
    }

    /**
     * What the driver can do beside reading and writing. The caller keeps to the rules of the capability: where it asks for a
     * drained node, drain it first.
     */
    public <T> Optional<T> capability(Class<T> type) {
        if (layer.isClosed()) {
            return Optional.empty();
        }
        return layer.instance().capability(type);
    }

    /**
     * Stops all requests of users to this node, directly or through parents, and waits until none is under way (D1).
     *
     * @throws IllegalStateException if the calling thread is inside a request of one of these nodes (D9)
     */
    public DrainedSection drain() {
        return graph.drain(List.of(this));
    }

    /** As {@link #drain}, for this node and all below it, with everything that stands above any of them (D3). */
    public DrainedSection drainSubtree() {
        return graph.drainSubtree(this);
    }

    /**
     * Opens the content of an internal snapshot for reading, beside the live disk. This node stays open until the view is closed; what would
     * open its driver again is refused with BUSY until then.
     *
     * @param snapshot an entry of the driver's list
     * @throws BlockException UNSUPPORTED if the driver has no snapshots; NOT_FOUND
     */
    public BlockBackend openSnapshot(dev.ashlar.core.snapshot.SnapshotInfo snapshot) throws BlockException {
        return SnapshotView.open(graph, this, snapshot);
    }

    /**
     * Runs a control operation (resize, snapshot, check) on this node: drained, and one at a time.
     *
     * @throws IllegalStateException as {@link #drain}
     */
    public <T> T whileDrained(ControlOperation<T> operation) throws BlockException {
        graph.requireOutside(List.of(this));
        controlLock.lock();
        try (DrainedSection section = drain()) {
            assert section.nodes().contains(this);
            return operation.run();
        } finally {
            controlLock.unlock();
        }
    }

    /** Runs while no control operation of others runs on this node. Requests go on; the operation may drain the node itself. */
    public <T> T whileControlled(ControlOperation<T> operation) throws BlockException {
        graph.requireOutside(List.of(this));
        controlLock.lock();
        try {
            return operation.run();
        } finally {
            controlLock.unlock();
        }
    }

    /** What {@link #whileDrained} runs. */
    @FunctionalInterface
    public interface ControlOperation<T> {
        T run() throws BlockException;
    }

    @Override
    public String toString() {
        return "node " + name() + " (" + driverName() + ")";
    }

    BlockGraph graph() {
        return graph;
    }

    ControlLock controlLock() {
        return controlLock;
    }

    BlockDriver driver() {
        return driver;
    }

    Layer layer() {
        return layer;
    }

    PermissionRules.Mode mode() {
        return mode;
    }

    /** Under the graph's lock, drained. */
    void changeMode(PermissionRules.Mode now) {
        mode = now;
    }

    @Nullable
    DriverReopening reopening() {
        return reopening;
    }

    @Nullable
    LocksTaken locks() {
        return locks;
    }

    /** What the file's locks were set to; by the thread that holds the graph's change lock. */
    record LocksTaken(EnumSet<Permission> used, EnumSet<Permission> shared) {}

    @Nullable
    BlockNode origin() {
        return origin;
    }

    /** Remembers the backing file that was opened because the image names it. */
    void rememberImplicitBacking(BlockNode backing) {
        implicitBacking = backing;
    }

    /** The image names a backing file that was left out on purpose. */
    void rememberSuppressedBacking() {
        backingSuppressed = true;
    }

    boolean isBackingImplicit(ChildEdge edge) {
        return implicitBacking == edge.node();
    }

    boolean isBackingSuppressed() {
        return backingSuppressed;
    }

    /** As {@link #children}, for package use. */
    List<ChildEdge> edges() {
        return children;
    }

    void rememberReopening(DriverReopening how) {
        reopening = how;
    }

    /** The driver is gone for good: nothing is below any more. */
    void dropChildren() {
        children = List.of();
    }

    /** Who keeps the node open. */
    NodeHolders holders() {
        return holders;
    }

    /** Edges from parents and backends; under the graph's lock (G2). */
    List<ChildEdge> parentEdges() {
        return holders.edges();
    }

    /** Tells driver and gate of a drain. Under the graph's lock. If the driver throws, it is as if it had not been called. */
    void quiesce(long holderId) {
        layer.tracker().drainBegin(holderId);
        boolean told = false;
        try {
            if (drains == 0 && !layer.isClosed()) {
                DrainCallback.run(layer.instance()::drainBegin);
            }
            drains++;
            told = true;
        } finally {
            if (!told) {
                layer.tracker().drainEnd(holderId);
            }
        }
    }

    /** Counterpart of {@link #quiesce}; undone even if the driver throws. */
    void unquiesce(long holderId) {
        assert drains > 0 : "D2: an end without a begin at node " + name();
        try {
            if (--drains == 0 && !layer.isClosed()) {
                DrainCallback.run(layer.instance()::drainEnd);
            }
        } finally {
            layer.tracker().drainEnd(holderId);
        }
    }

    /** Puts a driver's new instance in place of a closed one; it hears of the drain that lasts, and so of its end. */
    void putInstance(DriverInstance fresh) {
        try (GraphLock.Locked locked = graph.lock().lock()) {
            locked.requireValid();
            layer.reopen(fresh);
            betweenDrivers = false;
            if (drains > 0) {
                DrainCallback.run(fresh::drainBegin);
            }
        }
    }

    void rememberLocks(LocksTaken taken) {
        locks = taken;
    }
}
