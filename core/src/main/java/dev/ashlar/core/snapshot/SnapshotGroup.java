package dev.ashlar.core.snapshot;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.BlockNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The internal snapshots of several disks, of a machine for instance: one name, one instant. Operations are all or nothing: every disk of
 * the group stands still from before the first change on; if one of them fails, what was done on the others is undone, and the error says
 * what failed and what became of the rest. The scheme, and what a crash in between leaves, stand in {@code docs/invariants.md} (S1–S6).
 *
 * <p>A disk is reached by its topmost node; two nodes of the group over the same image count once. Any thread. The disks are chosen when
 * the group is made.
 */
public final class SnapshotGroup {
    private final BlockGraph graph;
    private final List<GroupMember> members;
    private final boolean named;

    private SnapshotGroup(BlockGraph graph, List<BlockNode> nodes, boolean named) {
        this.graph = graph;
        this.named = named;
        List<GroupMember> list = new ArrayList<>(nodes.size());
        for (BlockNode node : nodes) {
            list.add(new GroupMember(node));
        }
        this.members = List.copyOf(list);
    }

    /** All disks of a graph: every writable node with a medium that a backend uses or that nobody but the graph holds. */
    public static SnapshotGroup of(BlockGraph graph) {
        List<BlockNode> nodes = new ArrayList<>();
        for (BlockNode node : graph.nodes()) {
            if (isSelected(node)) {
                nodes.add(node);
            }
        }
        return new SnapshotGroup(graph, onePerCarrier(nodes), false);
    }

    /**
     * The disks named.
     *
     * @throws BlockException INVALID "At least one device is required for snapshot"; NOT_FOUND "No block device node 'X'"
     */
    public static SnapshotGroup of(BlockGraph graph, List<String> nodeNames) throws BlockException {
        if (nodeNames.isEmpty()) {
            throw new BlockException(Kind.INVALID, "At least one device is required for snapshot");
        }
        List<BlockNode> nodes = new ArrayList<>();
        for (String name : nodeNames) {
            Optional<BlockNode> node = graph.node(name);
            if (node.isEmpty()) {
                throw new BlockException(Kind.NOT_FOUND, "No block device node '" + name + "'");
            }
            if (!nodes.contains(node.get())) {
                nodes.add(node.get());
            }
        }
        return new SnapshotGroup(graph, onePerCarrier(nodes), true);
    }

    private static boolean isSelected(BlockNode node) {
        return node.isInserted() && !node.isReadOnly() && (node.isUsedByBackend() || node.isRoot());
    }

    /** Of nodes that reach the same snapshots the uppermost stays: its driver must be opened again when one is applied. */
    private static List<BlockNode> onePerCarrier(List<BlockNode> nodes) {
        List<BlockNode> kept = new ArrayList<>();
        for (BlockNode node : nodes) {
            SnapshotCarrier own = SnapshotCarrier.find(node);
            boolean covered = false;
            for (BlockNode other : nodes) {
                SnapshotCarrier its = other == node || own == null ? null : SnapshotCarrier.find(other);
                covered |= its != null && its.path().contains(node);
            }
            if (!covered) {
                kept.add(node);
            }
        }
        return kept;
    }

    /** The disks, each by its topmost node, in the order of their opening or naming. */
    public List<BlockNode> nodes() {
        return List.copyOf(GroupMember.nodes(members));
    }

    /** @throws BlockException UNSUPPORTED naming the first disk that has no snapshots */
    public void requireSupported() throws BlockException {
        for (GroupMember member : members) {
            if (!member.snapshots().isSupported()) {
                throw new BlockException(
                        Kind.UNSUPPORTED, "Device '" + member.name() + "' is writable but does not support snapshots");
            }
        }
    }

    /**
     * Whether every disk has a snapshot of that name.
     *
     * @return false if one lacks it
     * @throws BlockException if the snapshots of one could not be read
     */
    public boolean hasEverywhere(String name) throws BlockException {
        for (GroupMember member : members) {
            if (find(member, name).isEmpty()) {
                return false;
            }
        }
        return true;
    }

    private static Optional<SnapshotInfo> find(GroupMember member, String name) throws BlockException {
        try {
            return member.find(name);
        } catch (BlockException e) {
            throw new BlockException(
                    e.kind(),
                    "Could not check snapshot '" + name + "' on '" + member.name() + "': " + e.getMessage(),
                    e.reason(),
                    e);
        }
    }

    /**
     * The disk that is to keep the state of the machine.
     *
     * @param nodeName the wanted one, or null for the first that can
     * @throws BlockException NOT_FOUND if there is no such disk; UNSUPPORTED if it, or every one, has no snapshots
     */
    public BlockNode vmStateNode(@Nullable String nodeName) throws BlockException {
        for (GroupMember member : members) {
            if (nodeName == null ? member.snapshots().isSupported() : nodeName.equals(member.name())) {
                if (!member.snapshots().isSupported()) {
                    throw vmStateUnsupported(member.name());
                }
                return member.node();
            }
        }
        if (nodeName == null) {
            throw new BlockException(Kind.UNSUPPORTED, "no block device can store vmstate for snapshot");
        }
        if (!named && graph.node(nodeName).isPresent()) {
            throw vmStateUnsupported(nodeName);
        }
        throw new BlockException(Kind.NOT_FOUND, "vmstate block device '" + nodeName + "' does not exist");
    }

    private static BlockException vmStateUnsupported(String name) {
        return new BlockException(Kind.UNSUPPORTED, "vmstate block device '" + name + "' does not support snapshots");
    }

    /**
     * Takes a snapshot of every disk at one instant.
     *
     * @param request name, dates, and the size of the machine's state, which is recorded on {@code vmStateNode} alone; an id is used on
     *     every disk, none lets each driver choose
     * @param vmStateNode the disk to which the state was written before, or null
     * @throws BlockException EXISTS if a disk has one of that name, BUSY if an operation on the group was interrupted; else as {@link
     *     Snapshots#create}. Nothing has changed, as far as the message does not say otherwise
     */
    public GroupReport create(SnapshotRequest request, @Nullable BlockNode vmStateNode) throws BlockException {
        Objects.requireNonNull(request, "request");
        if (vmStateNode != null && !GroupMember.nodes(members).contains(vmStateNode)) {
            throw new IllegalArgumentException("the disk with the machine's state is not of this group");
        }
        requireNotReserved(request.name());
        requireSupported();
        requireNoTraces();
        for (GroupMember member : members) {
            if (find(member, request.name()).isPresent()) {
                throw new BlockException(
                        Kind.EXISTS, "Snapshot '" + request.name() + "' already exists in one or more devices");
            }
        }
        return operation(request.name()).create(request, vmStateNode);
    }

    /**
     * Makes every disk hold what it held in the snapshot.
     *
     * @throws BlockException NOT_FOUND naming the first disk that lacks it; BUSY as {@link #create}; else as {@link Snapshots#apply}
     */
    public GroupReport apply(String name) throws BlockException {
        requireNotReserved(name);
        requireSupported();
        requireNoTraces();
        return operation(name).apply();
    }

    /**
     * Deletes the snapshot from every disk that has it.
     *
     * @throws BlockException BUSY as {@link #create}; else as {@link Snapshots#delete}
     */
    public GroupReport delete(String name) throws BlockException {
        requireNotReserved(name);
        requireNoTraces();
        return operation(name).delete();
    }

    private GroupOperation operation(String name) {
        if (members.isEmpty()) {
            throw new IllegalStateException("a group without disks");
        }
        return new GroupOperation(members, name);
    }

    /** Traces of operations that were interrupted; empty if there are none. Changes nothing. */
    public List<GroupFinding> traces() throws BlockException {
        return new GroupCheck(members).traces();
    }

    /** As {@link #traces}, with whether the disks agree about the snapshot of that name. */
    public List<GroupFinding> check(String name) throws BlockException {
        return new GroupCheck(members).check(name);
    }

    /**
     * Finishes or undoes what {@link #check} finds, so that all disks agree.
     *
     * @return what was found and is settled now
     * @throws BlockException if that did not work; it can be tried again
     */
    public List<GroupFinding> repair(String name) throws BlockException {
        return new GroupCheck(members).repair(name);
    }

    private static void requireNotReserved(String name) throws BlockException {
        if (name.startsWith(GroupOperation.BEFORE) || name.startsWith(GroupOperation.DELETING)) {
            throw new BlockException(Kind.INVALID, "Snapshot name '" + name + "' is reserved");
        }
    }

    private void requireNoTraces() throws BlockException {
        List<GroupFinding> traces = traces();
        if (!traces.isEmpty()) {
            throw new BlockException(Kind.BUSY, traces.get(0).text() + "; check the group before it is used again");
        }
    }
}
