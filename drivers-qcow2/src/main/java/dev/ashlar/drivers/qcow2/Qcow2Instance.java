package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockLimits;
import dev.ashlar.core.spi.BackingChangeable;
import dev.ashlar.core.spi.BlockEvent;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.CompressionCapable;
import dev.ashlar.core.spi.FormatInfo;
import dev.ashlar.core.spi.FormatInstance;
import dev.ashlar.core.spi.ImageReference;
import dev.ashlar.core.spi.KeySlotCapable;
import dev.ashlar.core.spi.Mapping;
import dev.ashlar.core.spi.OptionDescriptor;
import dev.ashlar.core.spi.SecretSource;
import dev.ashlar.core.spi.WritePlan;
import dev.ashlar.drivers.qcow2.alloc.CompressedPlanner;
import dev.ashlar.drivers.qcow2.alloc.OwnedTables;
import dev.ashlar.drivers.qcow2.alloc.PassedDiscards;
import dev.ashlar.drivers.qcow2.alloc.Preallocator;
import dev.ashlar.drivers.qcow2.alloc.Unmapper;
import dev.ashlar.drivers.qcow2.alloc.WritePlanner;
import dev.ashlar.drivers.qcow2.bitmap.StoredBitmaps;
import dev.ashlar.drivers.qcow2.compress.ClusterCodec;
import dev.ashlar.drivers.qcow2.compress.CompressedReader;
import dev.ashlar.drivers.qcow2.crypt.ImageEncryption;
import dev.ashlar.drivers.qcow2.crypt.KeySlotChange;
import dev.ashlar.drivers.qcow2.format.Qcow2Header;
import dev.ashlar.drivers.qcow2.metadata.GuestMap;
import dev.ashlar.drivers.qcow2.metadata.HeaderNames;
import dev.ashlar.drivers.qcow2.metadata.ImageFile;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import dev.ashlar.drivers.qcow2.metadata.WriteBack;
import dev.ashlar.drivers.qcow2.snapshot.Snapshots;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.StampedLock;
import org.jspecify.annotations.Nullable;

/** An open image: puts the parts together, and answers core where guest data is read and written. */
final class Qcow2Instance implements FormatInstance, BackingChangeable, CompressionCapable, KeySlotCapable {
    private final Qcow2Header header;
    private final @Nullable DataFile dataFile;
    private final MetadataContext context;
    private final ImageFile file;
    private final WriteBack writeBack;
    private final WritePlanner planner;
    private final CompressedPlanner compressedPlanner;
    private final Unmapper unmapper;
    private final GuestMap guestMap;
    private final ClusterCodec codec;
    private final CompressedReader compressedReader;
    private final StoredBitmaps bitmaps;
    private final LiveDisk disk;
    private final Maintenance maintenance;
    private final List<Object> capabilities;
    private volatile @Nullable ImageReference backing;

    /** See {@link #hasUnwrittenData}; null until somebody asks. */
    private volatile @Nullable Boolean unwrittenData;

    /**
     * @param dataFile the file with the guest data, or null where the image itself has it
     * @param hasBacking something is behind what is not allocated, named by the image or by options
     * @param checking the image is opened to be checked: what is wrong with its bitmaps does not matter here
     */
    Qcow2Instance(
            Qcow2Header header,
            MetadataContext context,
            @Nullable DataFile dataFile,
            boolean readOnly,
            PassedDiscards passed,
            boolean hasBacking,
            boolean checking)
            throws BlockException {
        this.header = header;
        this.dataFile = dataFile;
        this.context = context;
        this.file = context.file();
        if (readOnly) {
            context.corruption().setReadOnly();
        }
        this.disk = new LiveDisk(file, readOnly, dataFile != null, header.sizeBytes());
        String backingFile = header.backingFile();
        this.backing = backingFile == null ? null : new ImageReference(backingFile, header.backingFormat());
        this.writeBack = new WriteBack(context, passed);
        OwnedTables tables = new OwnedTables(context, writeBack);
        this.planner = new WritePlanner(context, tables);
        this.compressedPlanner = new CompressedPlanner(context, tables);
        this.unmapper = new Unmapper(context, tables, header.version() >= 3, hasBacking);
        this.guestMap = new GuestMap(file, header.version() >= 3);
        this.codec = new ClusterCodec(header.compressionType(), context.geometry());
        this.compressedReader = new CompressedReader(context.geometry(), file.plainData(), codec);
        Snapshots snapshots = Snapshots.load(context, writeBack, header, checking);
        Resizer resizer = new Resizer(
                context,
                writeBack,
                new DiskEnd(context, guestMap, compressedReader, planner, unmapper, hasBacking),
                unmapper,
                new Preallocator(context, tables, header.version() >= 3, dataFile != null && dataFile.raw()),
                header.version() >= 3);
        this.bitmaps = StoredBitmaps.open(context, writeBack, header, readOnly, checking);
        DiskSize size = new DiskSize(disk, context, dataFile, snapshots, bitmaps, resizer);
        this.maintenance = new Maintenance(disk, context, header, snapshots, bitmaps, writeBack);
        this.capabilities = List.of(
                this,
                new DiskSnapshots(this, disk, context, snapshots, resizer),
                new VmStateArea(this, disk, context, guestMap, planner, resizer),
                new DiskBitmaps(disk, bitmaps, header.version() >= 3),
                size,
                maintenance);
    }

    @Override
    public <T> Optional<T> capability(Class<T> type) {
        for (Object each : capabilities) {
            if (type.isInstance(each)) {
                return Optional.of(type.cast(each));
            }
        }
        return Optional.empty();
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
        return disk.sizeBytes();
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
            return guestMap.map(context.active(), disk.sizeBytes(), guestOffset, lengthBytes);
        } catch (InternalError e) {
            throw file.pageFailed(e);
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
        return disk.isReadOnly() || file.isFailed() || bitmaps.mustMark() ? -1 : direct(guestOffset, lengthBytes, true);
    }

    private long direct(long guestOffset, long lengthBytes, boolean writable) {
        StampedLock lock = context.lock();
        long stamp = lock.tryOptimisticRead();
        if (stamp == 0 || file.isCorrupt()) {
            return -1;
        }
        try {
            long host = guestMap.direct(context.active(), disk.sizeBytes(), guestOffset, lengthBytes, writable);
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

    @Override
    public WritePlan planWrite(long guestOffset, long lengthBytes) throws BlockException {
        prepareWrite();
        try {
            return planner.plan(guestOffset, lengthBytes, isPlainDataFile() ? disk.sizeBytes() : Long.MAX_VALUE);
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
    public void changeKeySlots(Map<String, String> options, boolean force, SecretSource secrets) throws BlockException {
        disk.requireWritable();
        ImageEncryption encryption = file.encryption();
        if (encryption == null) {
            throw new BlockException(Kind.UNSUPPORTED, "Can't amend encryption options - encryption not present");
        }
        KeySlotChange change = KeySlotChange.parse(options, force);
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
            dataFile.beforeZeroes(file.data(), guestOffset, lengthBytes, mayUnmap);
        }
        long done = unmapper.writeZeroes(guestOffset, toWholeClusters(guestOffset, lengthBytes), mayUnmap);
        return Math.min(lengthBytes, done);
    }

    /** A range that ends where the disk does takes in the rest of its last cluster. */
    private long toWholeClusters(long guestOffset, long lengthBytes) {
        long end = guestOffset + lengthBytes;
        return end == disk.sizeBytes() ? context.geometry().alignUp(end) - guestOffset : lengthBytes;
    }

    @Override
    public void discard(long guestOffset, long lengthBytes) throws BlockException {
        prepareWrite();
        if (dataFile != null) {
            dataFile.beforeZeroes(file.data(), guestOffset, lengthBytes, true);
        }
        unmapper.discard(guestOffset, toWholeClusters(guestOffset, lengthBytes));
    }

    /** Before the disk's content changes. */
    private void prepareWrite() throws BlockException {
        disk.requireWritable();
        bitmaps.beforeWrite();
    }

    @Override
    public void flush() throws BlockException {
        if (disk.isWritten()) {
            writeBack.flush();
        }
    }

    @Override
    public void close() throws BlockException {
        try {
            if (disk.isWritten() && !file.isFailed()) {
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

    /** See {@link Maintenance#snapshotTableBytes}. */
    long snapshotTableBytes() {
        return maintenance.snapshotTableBytes();
    }

    /** Once, before the image is used for writing. */
    void prepareForWriting() throws BlockException {
        maintenance.prepareForWriting();
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
        disk.requireWritable();
        if (reference != null && dataFile != null && dataFile.raw()) {
            throw new BlockException(Kind.INVALID, "Backing file and data-file-raw cannot be used at the same time");
        }
        writeBack.flush();
        HeaderNames.changeBacking(file, context.header(), reference);
        backing = reference;
        if (reference != null) {
            unmapper.backingNamed();
        }
    }

    /** Zero bytes of the data file are zeros of the disk: it is not encrypted. */
    private boolean isPlainDataFile() {
        return dataFile != null && file.encryption() == null;
    }

    GuestMap guestMap() {
        return guestMap;
    }
}
