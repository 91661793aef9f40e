package dev.ashlar.drivers.qcow2.metadata;

import dev.ashlar.core.BlockException;
import dev.ashlar.drivers.qcow2.alloc.ClusterAllocator;
import dev.ashlar.drivers.qcow2.alloc.MetadataClass;
import dev.ashlar.drivers.qcow2.alloc.MetadataRegions;
import dev.ashlar.drivers.qcow2.alloc.OverlapChecks;
import dev.ashlar.drivers.qcow2.alloc.Quarantine;
import dev.ashlar.drivers.qcow2.alloc.RefcountTable;
import dev.ashlar.drivers.qcow2.format.BitmapExtension;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.CryptoHeader;
import dev.ashlar.drivers.qcow2.format.L2Layout;
import dev.ashlar.drivers.qcow2.format.Qcow2Header;
import dev.ashlar.drivers.qcow2.format.TableEntry;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;
import java.util.concurrent.locks.StampedLock;
import org.jspecify.annotations.Nullable;

/**
 * The metadata of one open image and its two locks. Order: write-back lock, then metadata lock; no data I/O under either of them, no guest request under the
 * write-back lock.
 */
public final class MetadataContext {
    private final ImageFile file;
    private final HeaderSector header;
    private final @Nullable CryptoHeader cryptoHeader;
    private final RefcountTable refcounts;
    private final CorruptionSignal corruption;
    private final OverlapChecks overlaps;
    private final ClusterAllocator allocator;
    private final Quarantine quarantine = new Quarantine();
    private final StampedLock lock = new StampedLock();
    private final ReentrantLock writeBackLock = new ReentrantLock();
    private volatile L1Table active;
    /** Where the snapshots' tables lie; set once they are loaded. */
    private MetadataRegions.Source snapshotRegions = builder -> {};
    /** Where the tables of bitmaps lie; set once they are known. */
    private MetadataRegions.Source bitmapRegions = builder -> {};

    private volatile @Nullable BitmapExtension bitmapExtension;

    public MetadataContext(ImageFile file, HeaderSector headerSector, Qcow2Header header) throws BlockException {
        this.file = file;
        this.header = headerSector;
        this.cryptoHeader =
                header.encryptionMethod() == Qcow2Header.ENCRYPTION_LUKS ? CryptoHeader.of(header.extensions()) : null;
        this.refcounts = new RefcountTable(file, header.refcountTableOffset(), header.refcountTableClusters());
        this.active = L1Table.load(file, header.l1TableOffset(), (int) header.l1Entries());
        this.corruption = new CorruptionSignal(file, headerSector);
        this.overlaps = new OverlapChecks(file.geometry(), corruption, this::collectRegions);
        this.refcounts.guard(overlaps);
        this.allocator = new ClusterAllocator(file, refcounts, headerSector, overlaps);
    }

    public ImageFile file() {
        return file;
    }

    public ClusterGeometry geometry() {
        return file.geometry();
    }

    public L2Layout layout() {
        return file.layout();
    }

    public HeaderSector header() {
        return header;
    }

    public RefcountTable refcounts() {
        return refcounts;
    }

    public ClusterAllocator allocator() {
        return allocator;
    }

    /** What is asked before anything is written. */
    public OverlapChecks overlaps() {
        return overlaps;
    }

    public CorruptionSignal corruption() {
        return corruption;
    }

    public Quarantine quarantine() {
        return quarantine;
    }

    /** Guards tables, counts and quarantine in memory. Not reentrant. */
    public StampedLock lock() {
        return lock;
    }

    /** Held while metadata is on its way to the disk. */
    public Lock writeBackLock() {
        return writeBackLock;
    }

    /** The L1 table of the live disk. */
    public L1Table active() {
        return active;
    }

    /** Puts another L1 table in place; the header names it durably. */
    public void setActive(L1Table table) {
        active = table;
        overlaps.forget();
    }

    public void setSnapshotRegions(MetadataRegions.Source source) {
        snapshotRegions = source;
    }

    public void setBitmapRegions(MetadataRegions.Source source) {
        bitmapRegions = source;
    }

    /** Where the header says the bitmap directory is; null where there is none. */
    public @Nullable BitmapExtension bitmapExtension() {
        return bitmapExtension;
    }

    public void setBitmapExtension(@Nullable BitmapExtension extension) {
        bitmapExtension = extension;
    }

    /** Where the LUKS header lies; null where there is none. */
    public @Nullable CryptoHeader cryptoHeader() {
        return cryptoHeader;
    }

    private void collectRegions(MetadataRegions.Builder builder) {
        L1Table table = active;
        refcounts.collect(builder);
        builder.add(MetadataClass.ACTIVE_L1, table.hostOffset(), 8L * table.length());
        for (int i = 0; i < table.length(); i++) {
            long l2Offset = TableEntry.offset(table.entry(i));
            if (l2Offset != 0) {
                builder.add(MetadataClass.ACTIVE_L2, l2Offset, geometry().clusterBytes());
            }
        }
        if (cryptoHeader != null) {
            builder.add(MetadataClass.MAIN_HEADER, cryptoHeader.hostOffset(), cryptoHeader.lengthBytes());
        }
        snapshotRegions.collect(builder);
        bitmapRegions.collect(builder);
    }
}
