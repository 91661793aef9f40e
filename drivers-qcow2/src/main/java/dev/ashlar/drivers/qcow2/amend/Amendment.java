package dev.ashlar.drivers.qcow2.amend;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.Amendable;
import dev.ashlar.drivers.qcow2.bitmap.StoredBitmaps;
import dev.ashlar.drivers.qcow2.format.Feature;
import dev.ashlar.drivers.qcow2.format.HeaderConversion;
import dev.ashlar.drivers.qcow2.format.Qcow2Header;
import dev.ashlar.drivers.qcow2.format.SnapshotEntry;
import dev.ashlar.drivers.qcow2.metadata.FirstCluster;
import dev.ashlar.drivers.qcow2.metadata.HeaderNames;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import dev.ashlar.drivers.qcow2.metadata.WriteBack;
import dev.ashlar.drivers.qcow2.snapshot.ExclusiveMetadata;
import dev.ashlar.drivers.qcow2.snapshot.Snapshots;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.function.DoubleConsumer;

/**
 * Carries an {@link AmendRequest} out, each change durable before the next begins: version up, data file, size, lazy refcounts, width of refcounts, version down. The image has to be
 * opened again afterwards.
 */
public final class Amendment {
    private final MetadataContext context;
    private final WriteBack writeBack;
    private final StoredBitmaps bitmaps;
    private final Snapshots snapshots;
    private final Qcow2Header header;

    /** @param header as the image was opened */
    public Amendment(
            MetadataContext context,
            WriteBack writeBack,
            StoredBitmaps bitmaps,
            Snapshots snapshots,
            Qcow2Header header) {
        this.context = context;
        this.writeBack = writeBack;
        this.bitmaps = bitmaps;
        this.snapshots = snapshots;
        this.header = header;
    }

    /**
     * @param diskBytes the size as it is
     * @param progress takes the part that is done, 0 to 1
     * @return true: what this opening knows of the image is not true any more, and it must write nothing when it is closed
     */
    public boolean run(AmendRequest request, long diskBytes, Amendable.SizeChange size, DoubleConsumer progress)
            throws BlockException {
        boolean down = request.version() < header.version();
        boolean otherWidth = request.refcountOrder() != header.refcountOrder();
        if (down) {
            requireDowngradable(request.sizeBytes() < 0 ? diskBytes : request.sizeBytes());
        }
        if (request.version() > header.version()) {
            // version 3 wants each snapshot to say how long its disk was
            snapshots.completeEntries();
            rewriteHeader(request.version());
        }
        boolean otherDataFile = !request.dataFile().equals(Objects.requireNonNullElse(header.dataFileName(), ""))
                || request.dataFileRaw() != header.dataFileIsRaw();
        if (otherDataFile) {
            renameDataFile(request);
        }
        if (request.sizeBytes() >= 0 && request.sizeBytes() != diskBytes) {
            size.resize(request.sizeBytes());
            // bitmaps that changed with the size are in use until they are stored, and nothing is when the image is
            // closed
            bitmaps.store();
            writeBack.flush();
        }
        if (request.version() >= 3) {
            setLazyRefcounts(request.lazyRefcounts());
        }
        if (down) {
            // version 2 has no way to say that another program left them out of date
            bitmaps.removeAll();
            writeBack.flush();
            new ZeroClusterReplacement(context, writeBack, header.backingFile() != null)
                    .run(LayerTables.of(context, snapshots));
        }
        if (otherWidth) {
            try (ExclusiveMetadata exclusive = new ExclusiveMetadata(context, writeBack)) {
                exclusive.makeCountsDurable();
                new RefcountRebuild(context, request.refcountOrder()).run(progress);
            }
        }
        if (down) {
            rewriteHeader(2);
        }
        progress.accept(1);
        return otherWidth || request.version() != header.version();
    }

    private void requireDowngradable(long diskBytes) throws BlockException {
        if (header.has(Feature.DATA_FILE)) {
            throw unsupported("Cannot downgrade an image with a data file");
        }
        for (SnapshotEntry entry : snapshots.entries()) {
            if (entry.info().vmStateSizeBytes() > 0xffff_ffffL || entry.info().diskSizeBytes() != diskBytes) {
                throw unsupported("Internal snapshots prevent downgrade of image");
            }
        }
        long others = header.incompatibleFeatures() & ~(Feature.DIRTY | Feature.COMPRESSION_TYPE);
        if (others != 0) {
            throw unsupported(
                    "Cannot downgrade an image with incompatible features 0x" + Long.toHexString(others) + " set");
        }
        if (header.has(Feature.COMPRESSION_TYPE)
                && LayerTables.of(context, snapshots).anyCompressed()) {
            throw unsupported("Cannot downgrade an image with zstd compression type and existing compressed clusters");
        }
    }

    private void renameDataFile(AmendRequest request) throws BlockException {
        try (ExclusiveMetadata exclusive = new ExclusiveMetadata(context, writeBack)) {
            exclusive.makeCountsDurable();
            HeaderNames.changeDataFile(context.file(), context.header(), request.dataFile(), request.dataFileRaw());
        }
    }

    private static BlockException unsupported(String message) {
        return new BlockException(Kind.UNSUPPORTED, message);
    }

    private void setLazyRefcounts(boolean on) throws BlockException {
        long bits = header.compatibleFeatures() & ~Feature.LAZY_REFCOUNTS | (on ? Feature.LAZY_REFCOUNTS : 0);
        if (bits != header.compatibleFeatures()) {
            try (ExclusiveMetadata exclusive = new ExclusiveMetadata(context, writeBack)) {
                exclusive.writeCounts();
                context.header().setCompatibleFeatures(bits);
                context.header().write(context.file());
                context.file().flush();
            }
        }
    }

    /** All extensions stay, but for the names of features and the bitmaps, which version 2 does not have. */
    private void rewriteHeader(int version) throws BlockException {
        try (ExclusiveMetadata exclusive = new ExclusiveMetadata(context, writeBack)) {
            exclusive.makeCountsDurable();
            MemorySegment cluster = FirstCluster.read(context.file(), context.header());
            byte[] bytes = HeaderConversion.convert(cluster, header, version);
            FirstCluster.write(context.file(), context.header(), MemorySegment.ofArray(bytes));
        }
    }
}
