package dev.ashlar.core.snapshot;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockNode;
import dev.ashlar.core.ChildEdge;
import dev.ashlar.core.ChildRole;
import dev.ashlar.core.spi.SnapshotCapable;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The internal snapshots of one node. Where its driver has none of its own, its primary child is asked (and that one's, and so on),
 * provided that no other child holds content that would have to be snapshotted with it.
 *
 * <p>Any thread. Operations that change something drain the node themselves; they run one at a time. Names and ids are not
 * validated here: an image may hold any.
 */
public final class Snapshots {
    private final BlockNode node;

    private Snapshots(BlockNode node) {
        this.node = node;
    }

    /** The snapshots of a node. */
    public static Snapshots of(BlockNode node) {
        return new Snapshots(Objects.requireNonNull(node, "node"));
    }

    /** Whether {@link #create} can work: writable, and the driver or the fallback child has snapshots. */
    public boolean isSupported() {
        return !node.isReadOnly() && carrier() != null;
    }

    /**
     * All snapshots in table order.
     *
     * @throws BlockException UNSUPPORTED when neither the driver nor a fallback child has any
     */
    public List<SnapshotInfo> list() throws BlockException {
        return capability(requireCarrier()).snapshots();
    }

    /** The first snapshot of that name. */
    public Optional<SnapshotInfo> findByName(String name) throws BlockException {
        return find(null, Objects.requireNonNull(name, "name"));
    }

    /**
     * The first snapshot that has the id (if given) and the name (if given).
     *
     * @return empty if there is none
     * @throws IllegalArgumentException if neither is given
     * @throws BlockException if the snapshots could not be listed
     */
    public Optional<SnapshotInfo> find(@Nullable String id, @Nullable String name) throws BlockException {
        if (id == null && name == null) {
            throw new IllegalArgumentException("neither id nor name");
        }
        for (SnapshotInfo snapshot : list()) {
            if ((id == null || id.equals(snapshot.id())) && (name == null || name.equals(snapshot.name()))) {
                return Optional.of(snapshot);
            }
        }
        return Optional.empty();
    }

    /** The first snapshot with that id or, if there is none, with that name. */
    public Optional<SnapshotInfo> findByIdOrName(String idOrName) throws BlockException {
        List<SnapshotInfo> all = list();
        for (SnapshotInfo snapshot : all) {
            if (snapshot.id().equals(idOrName)) {
                return Optional.of(snapshot);
            }
        }
        for (SnapshotInfo snapshot : all) {
            if (snapshot.name().equals(idOrName)) {
                return Optional.of(snapshot);
            }
        }
        return Optional.empty();
    }

    /**
     * Takes a snapshot of the present content.
     *
     * @return the new entry, id included
     * @throws BlockException READ_ONLY, UNSUPPORTED, EXISTS for a duplicate id, NO_SPACE; then nothing has changed
     */
    public SnapshotInfo create(SnapshotRequest request) throws BlockException {
        Objects.requireNonNull(request, "request");
        requireWritable();
        BlockNode carrier = requireCarrier();
        return node.whileDrained(() -> onCarrier(carrier, capable -> capable.createSnapshot(request)));
    }

    /**
     * Makes the snapshot's content the present one. The snapshot stays.
     *
     * @param snapshot an entry of {@link #list}
     */
    public void apply(SnapshotInfo snapshot) throws BlockException {
        Objects.requireNonNull(snapshot, "snapshot");
        requireWritable();
        BlockNode carrier = requireCarrier();
        node.<Boolean>whileDrained(() -> onCarrier(carrier, capable -> {
            capable.applySnapshot(requireListed(capable, snapshot));
            return true;
        }));
    }

    /**
     * Deletes a snapshot.
     *
     * @param snapshot an entry of {@link #list}
     */
    public void delete(SnapshotInfo snapshot) throws BlockException {
        Objects.requireNonNull(snapshot, "snapshot");
        BlockNode carrier = carrier();
        if (carrier == null) {
            throw new BlockException(
                    Kind.UNSUPPORTED,
                    "Block format '" + node.driverName() + "' used by device '" + node.name()
                            + "' does not support internal snapshot deletion");
        }
        requireWritable();
        node.<Boolean>whileDrained(() -> onCarrier(carrier, capable -> {
            capable.deleteSnapshot(requireListed(capable, snapshot));
            return true;
        }));
    }

    /**
     * Opens the snapshot's content for reading, beside the live disk and other snapshots. While it is open the snapshot can't be
     * deleted.
     *
     * @return to be closed by the caller
     */
    public BlockBackend open(SnapshotInfo snapshot) throws BlockException {
        return requireCarrier().openSnapshot(snapshot);
    }

    private interface CarrierOperation<T> {
        T run(SnapshotCapable capable) throws BlockException;
    }

    /** The carrier's own users stand still as well, when it is not the node itself. */
    private <T> T onCarrier(BlockNode carrier, CarrierOperation<T> operation) throws BlockException {
        if (carrier == node) {
            return operation.run(capability(carrier));
        }
        return carrier.whileDrained(() -> operation.run(capability(carrier)));
    }

    private SnapshotInfo requireListed(SnapshotCapable capable, SnapshotInfo wanted) throws BlockException {
        for (SnapshotInfo snapshot : capable.snapshots()) {
            if (snapshot.id().equals(wanted.id()) && snapshot.name().equals(wanted.name())) {
                return snapshot;
            }
        }
        throw new BlockException(
                Kind.NOT_FOUND,
                "Snapshot with id '" + wanted.id() + "' and name '" + wanted.name() + "' does not exist on device '"
                        + node.name() + "'");
    }

    private void requireWritable() throws BlockException {
        if (node.isReadOnly()) {
            throw new BlockException(Kind.READ_ONLY, "Device '" + node.name() + "' is read only");
        }
    }

    private BlockNode requireCarrier() throws BlockException {
        BlockNode carrier = carrier();
        if (carrier == null) {
            throw new BlockException(
                    Kind.UNSUPPORTED, "Block driver '" + node.driverName() + "' does not support internal snapshots");
        }
        return carrier;
    }

    /** The node whose driver keeps the snapshots: this one, or the first one down the fallback children. */
    private @Nullable BlockNode carrier() {
        BlockNode candidate = node;
        while (candidate != null && candidate.capability(SnapshotCapable.class).isEmpty()) {
            candidate = fallback(candidate);
        }
        return candidate;
    }

    private static @Nullable BlockNode fallback(BlockNode of) {
        BlockNode primary = null;
        for (ChildEdge edge : of.children()) {
            if (edge.roles().contains(ChildRole.PRIMARY)) {
                primary = edge.node();
            } else if (holdsContent(edge)) {
                return null;
            }
        }
        return primary;
    }

    private static boolean holdsContent(ChildEdge edge) {
        return edge.roles().contains(ChildRole.DATA)
                || edge.roles().contains(ChildRole.METADATA)
                || edge.roles().contains(ChildRole.FILTERED);
    }

    private static SnapshotCapable capability(BlockNode carrier) {
        return carrier.capability(SnapshotCapable.class).orElseThrow();
    }
}
