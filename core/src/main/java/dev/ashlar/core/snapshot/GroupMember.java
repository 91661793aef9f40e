package dev.ashlar.core.snapshot;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** One disk of a group. */
record GroupMember(BlockNode node, Snapshots snapshots) {
    GroupMember(BlockNode node) {
        this(node, Snapshots.of(node));
    }

    /** What messages call the disk: its node's name, or its file's where that name was generated. */
    String name() {
        String name = node.name();
        return name.startsWith("#") ? node.fileName() : name;
    }

    /** The nodes below, down to the one that keeps the snapshots. */
    List<BlockNode> below() {
        SnapshotCarrier carrier = SnapshotCarrier.find(node);
        return carrier == null
                ? List.of()
                : carrier.path().subList(1, carrier.path().size());
    }

    Optional<SnapshotInfo> find(String snapshot) throws BlockException {
        return snapshots.findByName(snapshot);
    }

    /** Deletes all of that name; none is fine. */
    void deleteAll(String snapshot) throws BlockException {
        Optional<SnapshotInfo> found = find(snapshot);
        while (found.isPresent()) {
            snapshots.delete(found.get());
            found = find(snapshot);
        }
    }

    void apply(String snapshot) throws BlockException {
        Optional<SnapshotInfo> found = find(snapshot);
        if (found.isEmpty()) {
            throw notFound(snapshot);
        }
        snapshots.apply(found.get());
    }

    BlockException notFound(String snapshot) {
        return new BlockException(
                BlockException.Kind.NOT_FOUND,
                "Snapshot with name '" + snapshot + "' does not exist on device '" + name() + "'");
    }

    /** Renames the first of that name, where there is one. */
    boolean rename(String snapshot, String newName) throws BlockException {
        Optional<SnapshotInfo> found = find(snapshot);
        if (found.isEmpty()) {
            return false;
        }
        snapshots.rename(found.get(), newName);
        return true;
    }

    static List<BlockNode> nodes(List<GroupMember> members) {
        List<BlockNode> nodes = new ArrayList<>(members.size());
        for (GroupMember member : members) {
            nodes.add(member.node());
        }
        return nodes;
    }
}
