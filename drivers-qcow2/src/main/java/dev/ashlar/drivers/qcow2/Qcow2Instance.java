package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockLimits;
import dev.ashlar.core.bitmap.NodeBitmaps;
import dev.ashlar.core.snapshot.SnapshotIndex;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.snapshot.SnapshotRequest;
import dev.ashlar.core.spi.Amendable;
import dev.ashlar.core.spi.BackingChangeable;
import dev.ashlar.core.spi.BitmapStore;
import dev.ashlar.core.spi.BlockEvent;
import dev.ashlar.core.spi.CheckProgress;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.CompressionCapable;
import dev.ashlar.core.spi.Emptiable;
import dev.ashlar.core.spi.FormatInfo;
import dev.ashlar.core.spi.FormatInstance;
import dev.ashlar.core.spi.ImageReference;
import dev.ashlar.core.spi.KeySlotCapable;
import dev.ashlar.core.spi.Mapping;
import dev.ashlar.core.spi.OptionDescriptor;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.core.spi.Resizable;
import dev.ashlar.core.spi.SecretSource;
import dev.ashlar.core.spi.SnapshotCapable;
import dev.ashlar.core.spi.SnapshotComparable;
import dev.ashlar.core.spi.SnapshotRenamable;
import dev.ashlar.core.spi.VmStateCapable;
import dev.ashlar.core.spi.WritePlan;
import dev.ashlar.drivers.qcow2.alloc.CompressedPlanner;
import dev.ashlar.drivers.qcow2.alloc.IdentityTables;
import dev.ashlar.drivers.qcow2.alloc.Preallocator;
import dev.ashlar.drivers.qcow2.alloc.Unmapper;
import dev.ashlar.drivers.qcow2.alloc.WritePlanner;
import dev.ashlar.drivers.qcow2.amend.AmendRequest;
import dev.ashlar.drivers.qcow2.amend.Amendment;
import dev.ashlar.drivers.qcow2.bitmap.StoredBitmaps;
import dev.ashlar.drivers.qcow2.check.Checker;
import dev.ashlar.drivers.qcow2.compress.ClusterCodec;
import dev.ashlar.drivers.qcow2.compress.CompressedReader;
import dev.ashlar.drivers.qcow2.crypt.ImageEncryption;
import dev.ashlar.drivers.qcow2.crypt.KeySlotChange;
import dev.ashlar.drivers.qcow2.format.Feature;
import dev.ashlar.drivers.qcow2.format.Qcow2Header;
import dev.ashlar.drivers.qcow2.format.SnapshotEntry;
import dev.ashlar.drivers.qcow2.metadata.GuestMap;
import dev.ashlar.drivers.qcow2.metadata.ImageFile;
import dev.ashlar.drivers.qcow2.metadata.L1Table;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import dev.ashlar.drivers.qcow2.metadata.WriteBack;
import dev.ashlar.drivers.qcow2.snapshot.LayerComparison;
import dev.ashlar.drivers.qcow2.snapshot.Snapshots;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.StampedLock;
import java.util.function.Consumer;
import java.util.function.DoubleConsumer;
import org.jspecify.annotations.Nullable;

/** An open image: puts the parts together and answers core. */
final class Qcow2Instance
        implements FormatInstance,
                SnapshotCapable,
                SnapshotComparable,
                SnapshotRenamable,
                VmStateCapable,
                BitmapStore,
                Resizable,
                BackingChangeable,
                Emptiable,
                CompressionCapable,
                KeySlotCapable,
                Amendable,
                Checkable {
    private final Qcow2Header header;
    private final @Nullable DataFile dataFile;
    private final boolean readOnly;
    private final MetadataContext context;
    private final ImageFile file;
    private final WriteBack writeBack;
    private final WritePlanner planner;
    private final CompressedPlanner compressedPlanner;
    private final Unmapper unmapper;
    private final GuestMap guestMap;
    private final ClusterCodec codec;
    private final CompressedReader compressedReader;
    private final Snapshots snapshots;
    private final Resizer resizer;
    private final StoredBitmaps bitmaps;
    private final Map<SnapshotInfo, Integer> openViews = new HashMap<>();
    private volatile long sizeBytes;
    private volatile @Nullable ImageReference backing;
    /** The image was amended: this opening has nothing left to write. */
    private volatile boolean outdated;

    /** See {@link #hasUnwrittenData}; null until somebody asks. */
    private volatile @Nullable Boolean unwrittenData;

    /**
     * @param dataFile the file with the guest data, or null where the image itself has it
     * @param checking the image is opened to be checked: what is wrong with its bitmaps does not matter here
     */
    Qcow2Instance(
            Qcow2Header header,
            MetadataContext context,
            @Nullable DataFile dataFile,
            boolean readOnly,
            boolean unmap,
            boolean checking)
            throws BlockException {
        this.header = header;
        this.dataFile = dataFile;
        this.readOnly = readOnly;
        this.context = context;
        this.file = context.file();
        if (readOnly) {
            context.corruption().setReadOnly();
        }
        this.sizeBytes = header.sizeBytes();
        String backingFile = header.backingFile();
        this.backing = backingFile == null ? null : new ImageReference(backingFile, header.backingFormat());
        this.writeBack = new WriteBack(context, unmap);
        this.planner = new WritePlanner(context, writeBack);
        this.compressedPlanner = new CompressedPlanner(context, planner);
        this.unmapper = new Unmapper(context, planner, header.version() >= 3, header.backingFile() != null);
        this.guestMap = new GuestMap(file);
        this.codec = new ClusterCodec(header.compressionType(), context.geometry());
        this.compressedReader = new CompressedReader(context.geometry(), file.plainData(), codec);
        this.snapshots = Snapshots.load(context, writeBack, header, checking);
        this.resizer = new Resizer(
                context,
                writeBack,
                new DiskEnd(context, guestMap, compressedReader, planner, unmapper, header.backingFile() != null),
                new Preallocator(context, planner));
        this.bitmaps = StoredBitmaps.open(context, writeBack, header, readOnly, checking);
    }

    @Override
    public BlockLimits limits() {
        return new BlockLimits(
                file.encryption() == null ? 1 : ImageEncryption.SECTOR_BYTES,
                1,
                1L << 30,
                context.geometry().clusterBytes(),
                context.geometry().clusterBytes());
    }

    @Override
    public long lengthBytes() {
        return sizeBytes;
    }

    @Override
    public ChildAccess dataChild() {
        return file.data();
    }

    @Override
    public boolean hasUnwrittenData() throws BlockException {
        Boolean known = unwrittenData;
        if (known == null) {
            long stamp = context.lock().readLock();
            try {
                known = context.refcounts().countsMoreThan(file.allocatedClusters());
            } catch (BlockException | InternalError e) {
                // only a hint is lost
                known = false;
            } finally {
                context.lock().unlockRead(stamp);
            }
            unwrittenData = known;
        }
        return known;
    }

    @Override
    public long allocationUnitBytes() {
        return context.geometry().clusterBytes();
    }

    @Override
    public long zeroUnitBytes() {
        return context.geometry().subclusterBytes();
    }

    @Override
    public Mapping map(long guestOffset, long lengthBytes) throws BlockException {
        try {
            return mapLocked(guestOffset, lengthBytes);
        } catch (BlockException e) {
            throw context.corruption().ofTables(e);
        }
    }

    private Mapping mapLocked(long guestOffset, long lengthBytes) throws BlockException {
        if (file.isCorrupt()) {
            file.requireHealthy();
        }
        StampedLock lock = context.lock();
        long stamp = lock.readLock();
        try {
            return guestMap.map(context.active(), sizeBytes, guestOffset, lengthBytes);
        } catch (InternalError e) {
            throw pageFailed(e);
        } finally {
            lock.unlockRead(stamp);
        }
    }

    @Override
    public long mapDirect(long guestOffset, long lengthBytes) {
        return direct(guestOffset, lengthBytes, false);
    }

    @Override
    public long planInPlace(long guestOffset, long lengthBytes) {
        return readOnly || file.isFailed() || bitmaps.mustMark() ? -1 : direct(guestOffset, lengthBytes, true);
    }

    private long direct(long guestOffset, long lengthBytes, boolean writable) {
        StampedLock lock = context.lock();
        long stamp = lock.tryOptimisticRead();
        if (stamp == 0 || file.isCorrupt()) {
            return -1;
        }
        try {
            long host = guestMap.direct(context.active(), sizeBytes, guestOffset, lengthBytes, writable);
            if (writable
                    && host >= 0
                    && dataFile == null
                    && !context.allocator().isKnownToBeData(host, lengthBytes)) {
                return -1;
            }
            return lock.validate(stamp) ? host : -1;
        } catch (InternalError e) {
            // a page that can't be read: the way with error messages finds out
            return -1;
        }
    }

    private BlockException pageFailed(InternalError cause) {
        BlockException failure = new BlockException(Kind.IO, "A page of the image's metadata can't be read", cause);
        file.fail(failure);
        return failure;
    }

    @Override
    public WritePlan planWrite(long guestOffset, long lengthBytes) throws BlockException {
        prepareWrite();
        try {
            return planner.plan(guestOffset, lengthBytes, isPlainDataFile() ? sizeBytes : Long.MAX_VALUE);
        } catch (BlockException e) {
            throw context.corruption().ofTables(e);
        }
    }

    @Override
    public void decode(Mapping.Encoded mapping, long guestOffset, MemorySegment destination) throws BlockException {
        file.event(BlockEvent.READ_COMPRESSED);
        ImageEncryption encryption = file.encryption();
        if (mapping.kind() == Mapping.Encoded.Kind.ENCRYPTED && encryption != null) {
            file.plainData().read(mapping.descriptor(), destination);
            encryption.decryptGuest(destination, guestOffset);
            return;
        }
        compressedReader.read(mapping.descriptor(), guestOffset, destination);
    }

    @Override
    public List<OptionDescriptor> keySlotOptions() {
        return KeySlotChange.DESCRIPTORS;
    }

    @Override
    public void changeKeySlots(Map<String, String> options, SecretSource secrets) throws BlockException {
        requireWritable();
        ImageEncryption encryption = file.encryption();
        if (encryption == null) {
            throw new BlockException(Kind.UNSUPPORTED, "Can't amend encryption options - encryption not present");
        }
        KeySlotChange change = KeySlotChange.parse(options);
        if (change != null) {
            encryption.change(change, secrets);
        }
    }

    @Override
    public int compress(MemorySegment unit, MemorySegment destination) throws BlockException {
        return codec.compress(unit, destination);
    }

    @Override
    public CompressedPlan planCompressed(long guestOffset, int[] sizesBytes, int from, int to) throws BlockException {
        prepareWrite();
        if (dataFile != null) {
            throw new BlockException(
                    Kind.UNSUPPORTED,
                    "Compressed clusters are not supported for images with an external data file",
                    "Operation not supported",
                    null);
        }
        return compressedPlanner.plan(guestOffset, sizesBytes, from, to);
    }

    @Override
    public long writeZeroes(long guestOffset, long lengthBytes, boolean mayUnmap) throws BlockException {
        prepareWrite();
        if (dataFile != null) {
            dataFile.beforeZeroes(guestOffset, lengthBytes, mayUnmap);
        }
        long done = unmapper.writeZeroes(guestOffset, toWholeClusters(guestOffset, lengthBytes), mayUnmap);
        return Math.min(lengthBytes, done);
    }

    /** A range that ends where the disk does takes in the rest of its last cluster. */
    private long toWholeClusters(long guestOffset, long lengthBytes) {
        long end = guestOffset + lengthBytes;
        return end == sizeBytes ? context.geometry().alignUp(end) - guestOffset : lengthBytes;
    }

    @Override
    public void discard(long guestOffset, long lengthBytes) throws BlockException {
        prepareWrite();
        if (dataFile != null) {
            dataFile.beforeZeroes(guestOffset, lengthBytes, true);
        }
        unmapper.discard(guestOffset, toWholeClusters(guestOffset, lengthBytes));
    }

    /** Before the disk's content changes. */
    private void prepareWrite() throws BlockException {
        requireWritable();
        bitmaps.beforeWrite();
    }

    private void requireWritable() throws BlockException {
        if (readOnly) {
            throw new BlockException(Kind.READ_ONLY, "Image is read-only");
        }
        file.requireHealthy();
    }

    @Override
    public void flush() throws BlockException {
        if (!readOnly && !outdated) {
            writeBack.flush();
        }
    }

    @Override
    public void close() throws BlockException {
        try {
            if (!readOnly && !outdated && !file.isFailed()) {
                // the second one writes the counts of what the first one set free
                writeBack.flush();
                writeBack.flush();
                storeBitmaps();
            }
        } finally {
            codec.close();
            file.close();
        }
    }

    /** Whatever becomes of bitmaps, the disk's content is safe by now. */
    private void storeBitmaps() throws BlockException {
        try {
            bitmaps.store();
            writeBack.flush();
        } catch (BlockException e) {
            throw new BlockException(e.kind(), "Lost persistent bitmaps: " + e.getMessage(), e.reason(), e);
        }
    }

    @Override
    public void loadBitmaps(NodeBitmaps into) throws BlockException {
        bitmaps.load(into, sizeBytes);
    }

    /** Drops what a program that knows nothing of bitmaps left of them. */
    void dropVoidBitmaps() throws BlockException {
        bitmaps.dropVoidExtension(header);
    }

    @Override
    public boolean canKeepBitmaps() {
        return header.version() >= 3;
    }

    @Override
    public void requireRoomFor(String name, long granularityBytes) throws BlockException {
        bitmaps.requireRoomFor(name, granularityBytes, sizeBytes);
    }

    @Override
    public void removeStored(String name) throws BlockException {
        requireWritable();
        bitmaps.remove(name);
    }

    @Override
    public Optional<ImageReference> backing() {
        return Optional.ofNullable(backing);
    }

    @Override
    public FormatInfo info() {
        return ImageFacts.of(header, bitmaps.entries(), file.encryption());
    }

    @Override
    public void changeBacking(@Nullable ImageReference reference) throws BlockException {
        requireWritable();
        if (reference != null && dataFile != null && dataFile.raw()) {
            throw new BlockException(Kind.INVALID, "Backing file and data-file-raw cannot be used at the same time");
        }
        writeBack.flush();
        new BackingRename(file, context.header()).change(reference);
        backing = reference;
        if (reference != null) {
            unmapper.backingNamed();
        }
    }

    @Override
    public void makeEmpty() throws BlockException {
        requireWritable();
        resizer.makeEmpty(sizeBytes);
    }

    @Override
    public List<SnapshotInfo> snapshots() {
        return snapshots.index().list();
    }

    @Override
    public SnapshotIndex snapshotIndex() {
        return snapshots.index();
    }

    @Override
    public SnapshotInfo renameSnapshot(SnapshotInfo snapshot, String name) throws BlockException {
        requireWritable();
        requireOwnData();
        requireNoView(snapshot, "renamed");
        return snapshots.rename(snapshot, name);
    }

    @Override
    public void dropVmState() throws BlockException {
        requireWritable();
        resizer.dropVmState(sizeBytes);
    }

    @Override
    public void prepareCreate() throws BlockException {
        requireWritable();
        requireOwnData();
        try {
            snapshots.prepareCreate();
        } catch (InternalError e) {
            throw pageFailed(e);
        }
    }

    @Override
    public void abandonCreate() throws BlockException {
        snapshots.abandonCreate();
    }

    @Override
    public SnapshotInfo createSnapshot(SnapshotRequest request) throws BlockException {
        requireWritable();
        requireOwnData();
        SnapshotInfo created = snapshots.create(request, sizeBytes);
        if (request.vmStateSizeBytes() > 0) {
            // the snapshot has it; the live disk has no use for it any more
            resizer.dropVmState(sizeBytes);
        }
        return created;
    }

    @Override
    public FormatInstance openVmState() {
        return new VmStateView(this);
    }

    /** First guest offset behind all that the disk's own L1 entries cover. */
    private long vmStateOffset() {
        return context.geometry().l1EntriesFor(sizeBytes) * context.geometry().l1EntryCoverageBytes();
    }

    long vmStateAreaBytes() {
        long entries = Qcow2Header.MAX_L1_BYTES / 8 - context.geometry().l1EntriesFor(sizeBytes);
        long coverage = context.geometry().l1EntryCoverageBytes();
        return Math.min(entries, (Long.MAX_VALUE - vmStateOffset()) / coverage) * coverage;
    }

    Mapping mapVmState(long offset, long lengthBytes) throws BlockException {
        file.event(BlockEvent.VMSTATE_LOAD);
        long base = vmStateOffset();
        StampedLock lock = context.lock();
        long stamp = lock.readLock();
        try {
            return guestMap.map(context.active(), base + vmStateAreaBytes(), base + offset, lengthBytes);
        } catch (InternalError e) {
            throw pageFailed(e);
        } finally {
            lock.unlockRead(stamp);
        }
    }

    WritePlan planVmStateWrite(long offset, long lengthBytes) throws BlockException {
        requireWritable();
        file.event(BlockEvent.VMSTATE_SAVE);
        requireOwnData();
        long at = vmStateOffset() + offset;
        if (context.geometry().l1Index(at) >= context.active().length()) {
            resizer.extendL1(context.geometry().l1Index(at) + 1, sizeBytes);
        }
        return planner.plan(at, lengthBytes, Long.MAX_VALUE);
    }

    @Override
    public void difference(@Nullable SnapshotInfo from, @Nullable SnapshotInfo to, RangeConsumer consumer)
            throws BlockException {
        StampedLock lock = context.lock();
        long stamp = lock.readLock();
        try {
            LayerComparison.difference(
                    context.layout(), tableOf(from), sizeOf(from), tableOf(to), sizeOf(to), consumer);
        } catch (InternalError e) {
            throw pageFailed(e);
        } finally {
            lock.unlockRead(stamp);
        }
    }

    @Override
    public Usage usage(@Nullable SnapshotInfo snapshot) throws BlockException {
        StampedLock lock = context.lock();
        long stamp = lock.readLock();
        try {
            return LayerComparison.usage(context.layout(), context.refcounts(), tableOf(snapshot));
        } catch (InternalError e) {
            throw pageFailed(e);
        } finally {
            lock.unlockRead(stamp);
        }
    }

    private L1Table tableOf(@Nullable SnapshotInfo snapshot) throws BlockException {
        return snapshot == null ? context.active() : snapshots.loadL1(snapshots.entry(snapshot));
    }

    private long sizeOf(@Nullable SnapshotInfo snapshot) {
        return snapshot == null ? sizeBytes : snapshot.diskSizeBytes();
    }

    @Override
    public void applySnapshot(SnapshotInfo snapshot) throws BlockException {
        requireWritable();
        requireOwnData();
        sizeBytes = snapshots.apply(snapshot);
    }

    @Override
    public void deleteSnapshot(SnapshotInfo snapshot) throws BlockException {
        requireWritable();
        requireOwnData();
        requireNoView(snapshot, "deleted");
        snapshots.delete(snapshot);
    }

    /** Zero bytes of the data file are zeros of the disk: it is not encrypted. */
    private boolean isPlainDataFile() {
        return dataFile != null && file.encryption() == null;
    }

    /** Snapshots share clusters, and clusters of a data file have one place each. */
    private void requireOwnData() throws BlockException {
        if (dataFile != null) {
            throw new BlockException(
                    Kind.UNSUPPORTED,
                    "Internal snapshots are not supported for images with an external data file",
                    "Operation not supported",
                    null);
        }
    }

    private void requireNoView(SnapshotInfo snapshot, String participle) throws BlockException {
        synchronized (openViews) {
            if (openViews.containsKey(snapshot)) {
                throw new BlockException(
                        Kind.BUSY, "Snapshot '" + snapshot.name() + "' is open for reading and can't be " + participle);
            }
        }
    }

    @Override
    public FormatInstance openSnapshot(SnapshotInfo snapshot) throws BlockException {
        requireOwnData();
        SnapshotEntry entry = snapshots.entry(snapshot);
        L1Table table = snapshots.loadL1(entry);
        synchronized (openViews) {
            openViews.merge(snapshot, 1, Integer::sum);
        }
        return new SnapshotView(this, entry.info(), table);
    }

    void viewClosed(SnapshotInfo snapshot) {
        synchronized (openViews) {
            openViews.computeIfPresent(snapshot, (key, count) -> count == 1 ? null : count - 1);
        }
    }

    GuestMap guestMap() {
        return guestMap;
    }

    @Override
    public void resize(long lengthBytes, Preallocation preallocation) throws BlockException {
        requireWritable();
        if (lengthBytes % 512 != 0) {
            throw new BlockException(Kind.INVALID, "The new size must be a multiple of 512");
        }
        boolean hasSnapshots = !snapshots.entries().isEmpty();
        if (header.version() < 3 && hasSnapshots) {
            throw new BlockException(Kind.UNSUPPORTED, "Can't resize a v2 image which has snapshots");
        }
        if (lengthBytes > sizeBytes) {
            bitmaps.beforeResize();
            grow(lengthBytes, preallocation);
            sizeBytes = lengthBytes;
            return;
        }
        if (preallocation != Preallocation.OFF) {
            throw new BlockException(Kind.INVALID, "Preallocation can't be used for shrinking an image");
        }
        if (lengthBytes < sizeBytes) {
            if (hasSnapshots) {
                throw new BlockException(Kind.UNSUPPORTED, "Can't shrink an image which has snapshots");
            }
            if (dataFile != null) {
                throw new BlockException(
                        Kind.UNSUPPORTED, "Shrinking images with an external data file is not supported");
            }
            bitmaps.beforeResize();
            // from the first step on the disk is not longer, whatever becomes of the others
            sizeBytes = lengthBytes;
            resizer.shrink(lengthBytes);
        }
    }

    private void grow(long lengthBytes, Preallocation preallocation) throws BlockException {
        if (preallocation != Preallocation.OFF && file.encryption() != null) {
            // the zeros of fresh host space would come out of decryption as noise
            throw new BlockException(Kind.UNSUPPORTED, "Preallocation is not supported when resizing encrypted images");
        }
        if (dataFile == null) {
            resizer.grow(sizeBytes, lengthBytes, preallocation);
            return;
        }
        if (preallocation != Preallocation.OFF) {
            throw new BlockException(
                    Kind.UNSUPPORTED, "Preallocation is not supported when resizing images with an external data file");
        }
        dataFile.grow(sizeBytes, lengthBytes, isPlainDataFile());
        resizer.grow(sizeBytes, lengthBytes, preallocation);
        if (dataFile.raw() && isPlainDataFile()) {
            IdentityTables.link(context, planner, sizeBytes, lengthBytes);
            writeBack.flush();
        }
    }

    @Override
    public void amend(Map<String, String> options, DoubleConsumer progress) throws BlockException {
        requireWritable();
        MemorySegment head =
                MemorySegment.ofArray(new byte[(int) Math.min(context.geometry().clusterBytes(), file.lengthBytes())]);
        file.store().read(0, head);
        Qcow2Header now = Qcow2Header.parse(head, file.lengthBytes(), false);
        AmendRequest request = AmendRequest.of(options, now);
        Amendment amendment = new Amendment(
                context, writeBack, unmapper, snapshots, now, !bitmaps.entries().isEmpty());
        outdated = amendment.run(request, sizeBytes, lengthBytes -> resize(lengthBytes, Preallocation.OFF), progress);
    }

    @Override
    public CheckReport check(Repair repair, Consumer<String> findings, CheckProgress progress) throws BlockException {
        if (repair != Repair.NONE) {
            requireWritable();
            clearUnknownAutoclear();
        }
        if (!readOnly && !file.isFailed()) {
            // the second one writes the counts of what the first one set free
            writeBack.flush();
            writeBack.flush();
        }
        try {
            return new Checker(context, snapshots, sizeBytes, header, repair, findings, progress).run();
        } catch (InternalError e) {
            throw pageFailed(e);
        }
    }

    /** A repair keeps what this driver knows of true; what it does not know of it can't (rule R10). */
    private void clearUnknownAutoclear() throws BlockException {
        long kept = header.autoclearFeatures() & (Feature.BITMAPS | Feature.DATA_FILE_RAW);
        if (kept != header.autoclearFeatures()) {
            context.header().setAutoclearFeatures(kept);
            context.header().write(file);
            file.flush();
        }
    }
}
