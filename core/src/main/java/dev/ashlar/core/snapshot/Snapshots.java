package dev.ashlar.core.snapshot;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockNode;
import dev.ashlar.core.VmState;
import dev.ashlar.core.spi.SnapshotCapable;
import dev.ashlar.core.spi.SnapshotComparable;
import dev.ashlar.core.spi.SnapshotRenamable;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The internal snapshots of one node. Where its driver has none of its own, its primary child is asked (and that one's, and so on),
 * provided that no other child holds content that would have to be snapshotted with it.
 *
 * <p>Any thread. Operations that change something drain the node themselves; they run one at a time. Names and ids are not
 * validated here: an image may hold any. Three failures are told apart by their kind: no medium (NO_MEDIUM), no snapshots here
 * (UNSUPPORTED), and no such snapshot, which is an empty result of the finders and NOT_FOUND where a snapshot had to be there.
 */
public final class Snapshots {
    private final BlockNode node;
    /** Who asks; null for control code, which asks by node. */
    private final @Nullable BlockBackend user;

    private Snapshots(BlockNode node, @Nullable BlockBackend user) {
        this.node = node;
        this.user = user;
    }

    /** The snapshots of a node, for control code: whether they can change depends on the node alone. */
    public static Snapshots of(BlockNode node) {
        return new Snapshots(Objects.requireNonNull(node, "node"), null);
    }

    /** The snapshots of the node where a user is now. One that was attached for reading changes none, be the node writable or not (G5). */
    public static Snapshots of(BlockBackend user) {
        return new Snapshots(user.root(), user);
    }

    /** The node that was asked for. */
    public BlockNode node() {
        return node;
    }

    /** Whether {@link #create} can work: a medium, writable, and the driver or the fallback child has snapshots. */
    public boolean isSupported() {
        SnapshotCarrier carrier = SnapshotCarrier.find(node);
        return carrier != null && carrier.isWritable() && mayWrite();
    }

    /** The node whose driver keeps the snapshots: this one, or a fallback child. */
    public Optional<BlockNode> carrier() {
        SnapshotCarrier carrier = SnapshotCarrier.find(node);
        return carrier == null ? Optional.empty() : Optional.of(carrier.node());
    }

    /**
     * All snapshots in table order.
     *
     * @throws BlockException NO_MEDIUM; UNSUPPORTED when neither the driver nor a fallback child has any
     */
    public List<SnapshotInfo> list() throws BlockException {
        return index().list();
    }

    /** The list with its look-ups, as it is now. @throws BlockException as {@link #list} */
    public SnapshotIndex index() throws BlockException {
        return requireCarrier().capable().snapshotIndex();
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
        return index().find(id, name);
    }

    /** The first snapshot with that id or, if there is none, with that name. */
    public Optional<SnapshotInfo> findByIdOrName(String idOrName) throws BlockException {
        return find(new SnapshotSelector(null, null, idOrName));
    }

    /** The snapshot that the selector means. */
    public Optional<SnapshotInfo> find(SnapshotSelector selector) throws BlockException {
        return selector.find(index());
    }

    /**
     * Takes a snapshot of the present content.
     *
     * @return the new entry, id included
     * @throws BlockException READ_ONLY, UNSUPPORTED, EXISTS for a duplicate id, NO_SPACE; then nothing has changed
     */
    public SnapshotInfo create(SnapshotRequest request) throws BlockException {
        return createReported(request).snapshot();
    }

    /**
     * As {@link #create}, and tells for how long the node stood still. What a driver can do while requests go on is done before.
     */
    public CreateReport createReported(SnapshotRequest request) throws BlockException {
        Objects.requireNonNull(request, "request");
        return SnapshotCarrier.whileControlled(node, () -> {
            requireCarrier();
            requireWritable();
            try {
                prepareCreate();
                long begin = System.nanoTime();
                SnapshotInfo created = createPrepared(request);
                return new CreateReport(created, System.nanoTime() - begin);
            } catch (BlockException | RuntimeException e) {
                abandonAfter(e);
                throw e;
            }
        });
    }

    /** The first failure is the one to tell. */
    private void abandonAfter(Exception failure) {
        try {
            abandonCreate();
        } catch (BlockException e) {
            failure.addSuppressed(e);
        }
    }

    /** First part of {@link #create}: the node need not be drained. The caller sees to it that no other control operation runs. */
    void prepareCreate() throws BlockException {
        SnapshotCarrier carrier = requireCarrier();
        requireWritable();
        if (carrier.path().size() > 1) {
            // What drivers above hold back in memory needs not be written while all stand still.
            node.flush();
        }
        carrier.capable().prepareCreate();
    }

    /** Second part. */
    SnapshotInfo createPrepared(SnapshotRequest request) throws BlockException {
        SnapshotCarrier carrier = requireCarrier();
        requireWritable();
        return carrier.whileDrained(() -> carrier.capable().createSnapshot(request));
    }

    /** Takes back what {@link #prepareCreate} did, unless a snapshot came of it. */
    void abandonCreate() throws BlockException {
        SnapshotCarrier carrier = SnapshotCarrier.find(node);
        if (carrier != null) {
            carrier.capable().abandonCreate();
        }
    }

    /**
     * Makes the snapshot's content the present one. The snapshot stays. Drivers above the one that keeps the snapshots are closed
     * meanwhile and opened again over the same child with the same options.
     *
     * @param snapshot an entry of {@link #list}
     * @throws BlockException NO_MEDIUM "Block driver is closed"; BUSY "Device has active dirty bitmaps"; READ_ONLY; UNSUPPORTED; NOT_FOUND. If a
     *     driver could not be opened again, its node is left without one; a failure to apply goes before that one
     */
    public void apply(SnapshotInfo snapshot) throws BlockException {
        Objects.requireNonNull(snapshot, "snapshot");
        SnapshotCarrier.<Boolean>whileAllStandStill(node, () -> {
            applyStanding(snapshot);
            return true;
        });
    }

    private void applyStanding(SnapshotInfo snapshot) throws BlockException {
        requireApplicable(node);
        SnapshotCarrier carrier = SnapshotCarrier.find(node);
        if (carrier == null) {
            throw new BlockException(Kind.UNSUPPORTED, "Block driver does not support internal snapshots");
        }
        requireWritable();
        requireListed(carrier.capable(), snapshot);
        applyFrom(carrier, 0, snapshot);
    }

    private void applyFrom(SnapshotCarrier carrier, int from, SnapshotInfo snapshot) throws BlockException {
        BlockNode at = carrier.path().get(from);
        at.<Boolean>whileDrained(() -> {
            requireApplicable(at);
            if (from == carrier.path().size() - 1) {
                SnapshotCapable capable = carrier.capable();
                capable.applySnapshot(requireListed(capable, snapshot));
                return true;
            }
            return at.<Boolean>whileDriverClosed(() -> {
                applyFrom(carrier, from + 1, snapshot);
                return true;
            });
        });
    }

    /** Whether {@link #apply} would be refused before it began. */
    void requireApplicable() throws BlockException {
        requireApplicable(node);
        for (BlockNode below : requireCarrier().path()) {
            requireApplicable(below);
        }
    }

    private static void requireApplicable(BlockNode at) throws BlockException {
        if (!at.isInserted()) {
            throw new BlockException(Kind.NO_MEDIUM, "Block driver is closed");
        }
        if (!at.bitmaps().isEmpty()) {
            throw new BlockException(Kind.BUSY, "Device has active dirty bitmaps");
        }
    }

    /**
     * Deletes a snapshot.
     *
     * @param snapshot an entry of {@link #list}
     */
    public void delete(SnapshotInfo snapshot) throws BlockException {
        Objects.requireNonNull(snapshot, "snapshot");
        delete(snapshot.id(), snapshot.name());
    }

    /**
     * Deletes the first snapshot that has the id (if given) and the name (if given). The node is drained first, so that no request is
     * under way while tables change.
     *
     * @throws BlockException INVALID if neither is given; NO_MEDIUM; READ_ONLY; UNSUPPORTED; NOT_FOUND; BUSY while it is open for reading
     */
    public void delete(@Nullable String id, @Nullable String name) throws BlockException {
        SnapshotCarrier.<Boolean>whileControlled(node, () -> {
            deleteStanding(id, name);
            return true;
        });
    }

    private void deleteStanding(@Nullable String id, @Nullable String name) throws BlockException {
        SnapshotCarrier.requireMedium(node);
        if (id == null && name == null) {
            throw new BlockException(Kind.INVALID, "snapshot_id and name are both NULL");
        }
        SnapshotCarrier carrier = SnapshotCarrier.find(node);
        if (carrier == null) {
            throw new BlockException(
                    Kind.UNSUPPORTED,
                    "Block format '" + node.driverName() + "' used by device '" + node.name()
                            + "' does not support internal snapshot deletion");
        }
        requireWritable();
        carrier.<Boolean>whileDrained(() -> {
            SnapshotCapable capable = carrier.capable();
            capable.deleteSnapshot(requireFound(capable.snapshotIndex(), id, name));
            return true;
        });
    }

    /** Gives a snapshot another name. @throws BlockException UNSUPPORTED where the driver can't; NO_MEDIUM, READ_ONLY, NOT_FOUND */
    public SnapshotInfo rename(SnapshotInfo snapshot, String name) throws BlockException {
        Objects.requireNonNull(name, "name");
        SnapshotCarrier carrier = requireCarrier();
        requireWritable();
        return carrier.whileDrained(() -> carrier.capability(SnapshotRenamable.class)
                .renameSnapshot(requireListed(carrier.capable(), snapshot), name));
    }

    /**
     * Opens the snapshot's content for reading, beside the live disk and other snapshots: as many at once as one likes. While it is
     * open the snapshot can't be deleted.
     *
     * @return to be closed by the caller
     */
    public BlockBackend open(SnapshotInfo snapshot) throws BlockException {
        return requireCarrier().node().openSnapshot(snapshot);
    }

    /**
     * Shows a snapshot's content of a read-only node without changing the image. Unlike {@link #open} it takes no fallback and no
     * writable node, as QEMU does for tools that look into images.
     *
     * @throws BlockException NO_MEDIUM; INVALID "Device is not readonly", or if neither id nor name is given; UNSUPPORTED;
     *     NOT_FOUND
     */
    public BlockBackend loadTemporarily(@Nullable String id, @Nullable String name) throws BlockException {
        SnapshotCarrier.requireMedium(node);
        if (id == null && name == null) {
            throw new BlockException(Kind.INVALID, "snapshot_id and name are both NULL");
        }
        if (!node.isReadOnly()) {
            throw new BlockException(Kind.INVALID, "Device is not readonly");
        }
        Optional<SnapshotCapable> capable = node.capability(SnapshotCapable.class);
        if (capable.isEmpty()) {
            throw new BlockException(
                    Kind.UNSUPPORTED,
                    "Block format '" + node.driverName() + "' used by device '" + node.name()
                            + "' does not support temporarily loading internal snapshots");
        }
        return node.openSnapshot(requireFound(capable.get().snapshotIndex(), id, name));
    }

    /** As {@link #loadTemporarily}, with a text that is an id or, if that is not found or invalid, a name. */
    public BlockBackend loadTemporarily(String idOrName) throws BlockException {
        try {
            return loadTemporarily(Objects.requireNonNull(idOrName, "idOrName"), null);
        } catch (BlockException e) {
            if (e.kind() != Kind.NOT_FOUND && e.kind() != Kind.INVALID) {
                throw e;
            }
            return loadTemporarily(null, idOrName);
        }
    }

    /** The state of a machine that goes with the live disk. @return to be closed by the caller */
    public VmState openVmState() throws BlockException {
        return requireCarrier().node().openVmState(mayWrite());
    }

    /**
     * Where two layers may differ, from the tables alone: everywhere else they are the same, byte for byte. The ranges are whole
     * allocation units of the disk that keeps the snapshots, ascending, neighbours merged, cut at the end of the larger disk; what only one
     * of the two disks has counts as different.
     *
     * @param from null for the live disk
     * @param to null for the live disk
     */
    public List<Range> difference(@Nullable SnapshotInfo from, @Nullable SnapshotInfo to) throws BlockException {
        SnapshotCarrier carrier = requireCarrier();
        return carrier.whileDrained(() -> {
            SnapshotComparable comparable = carrier.capability(SnapshotComparable.class);
            SnapshotCapable capable = carrier.capable();
            List<Range> ranges = new ArrayList<>();
            comparable.difference(
                    from == null ? null : requireListed(capable, from),
                    to == null ? null : requireListed(capable, to),
                    (guestOffset, lengthBytes) -> ranges.add(new Range(guestOffset, lengthBytes)));
            return List.copyOf(ranges);
        });
    }

    /** A range of guest bytes. @param lengthBytes at least 1 */
    public record Range(long guestOffset, long lengthBytes) {}

    /** What a layer takes on the host, alone and shared. @param snapshot null for the live disk */
    public SnapshotComparable.Usage usage(@Nullable SnapshotInfo snapshot) throws BlockException {
        SnapshotCarrier carrier = requireCarrier();
        return carrier.whileDrained(() -> {
            if (!carrier.node().isFailed()) {
                // What was overwritten is counted no more only when this is durable.
                carrier.node().flush();
            }
            return carrier.capability(SnapshotComparable.class)
                    .usage(snapshot == null ? null : requireListed(carrier.capable(), snapshot));
        });
    }

    private SnapshotInfo requireListed(SnapshotCapable capable, SnapshotInfo wanted) throws BlockException {
        return requireFound(capable.snapshotIndex(), wanted.id(), wanted.name());
    }

    private SnapshotInfo requireFound(SnapshotIndex index, @Nullable String id, @Nullable String name)
            throws BlockException {
        int at = index.position(id, name);
        if (at < 0) {
            throw new BlockException(
                    Kind.NOT_FOUND,
                    "Snapshot with " + SnapshotSelector.describe(id, name) + " does not exist on device '" + node.name()
                            + "'");
        }
        return index.list().get(at);
    }

    private boolean mayWrite() {
        return user == null || !user.isReadOnly();
    }

    private void requireWritable() throws BlockException {
        if (node.isReadOnly() || !mayWrite()) {
            throw new BlockException(Kind.READ_ONLY, "Device '" + node.name() + "' is read only");
        }
    }

    private SnapshotCarrier requireCarrier() throws BlockException {
        SnapshotCarrier.requireMedium(node);
        SnapshotCarrier carrier = SnapshotCarrier.find(node);
        if (carrier == null) {
            throw new BlockException(
                    Kind.UNSUPPORTED, "Block driver '" + node.driverName() + "' does not support internal snapshots");
        }
        return carrier;
    }
}
