package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.Amendable;
import dev.ashlar.core.spi.CheckProgress;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable;
import dev.ashlar.drivers.qcow2.amend.AmendRequest;
import dev.ashlar.drivers.qcow2.amend.Amendment;
import dev.ashlar.drivers.qcow2.bitmap.StoredBitmaps;
import dev.ashlar.drivers.qcow2.check.Checker;
import dev.ashlar.drivers.qcow2.check.RepeatedRepair;
import dev.ashlar.drivers.qcow2.format.Feature;
import dev.ashlar.drivers.qcow2.format.Qcow2Header;
import dev.ashlar.drivers.qcow2.metadata.ImageFile;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import dev.ashlar.drivers.qcow2.metadata.WriteBack;
import dev.ashlar.drivers.qcow2.snapshot.Snapshots;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.DoubleConsumer;

/** Looks the open image over, repairs it, and changes what it is. */
final class Maintenance implements Amendable, Checkable {
    private final LiveDisk disk;
    private final MetadataContext context;
    private final ImageFile file;
    private final Qcow2Header header;
    private final Snapshots snapshots;
    private final StoredBitmaps bitmaps;
    private final WriteBack writeBack;

    /** @param header as the image was opened */
    Maintenance(
            LiveDisk disk,
            MetadataContext context,
            Qcow2Header header,
            Snapshots snapshots,
            StoredBitmaps bitmaps,
            WriteBack writeBack) {
        this.disk = disk;
        this.context = context;
        this.file = context.file();
        this.header = header;
        this.snapshots = snapshots;
        this.bitmaps = bitmaps;
        this.writeBack = writeBack;
    }

    /** What the table takes in the file, as it was found. */
    long snapshotTableBytes() {
        return snapshots.tableBytes();
    }

    @Override
    public void amend(Map<String, String> options, SizeChange size, DoubleConsumer progress) throws BlockException {
        disk.requireWritable();
        MemorySegment head =
                MemorySegment.ofArray(new byte[(int) Math.min(context.geometry().clusterBytes(), file.lengthBytes())]);
        file.store().read(0, head);
        Qcow2Header now = Qcow2Header.parse(head, file.lengthBytes(), false);
        AmendRequest request = AmendRequest.of(options, now);
        Amendment amendment = new Amendment(context, writeBack, bitmaps, snapshots, now);
        disk.setOutdated(amendment.run(request, disk.sizeBytes(), size, progress));
    }

    @Override
    public CheckReport check(Repair repair, Consumer<String> findings, CheckProgress progress) throws BlockException {
        if (repair != Repair.NONE) {
            disk.requireWritable();
            clearUnknownAutoclear();
        }
        if (!disk.isReadOnly() && !file.isFailed()) {
            // the second one writes the counts of what the first one set free
            writeBack.flush();
            writeBack.flush();
        }
        try {
            CheckReport report = new RepeatedRepair(findings)
                    .run(
                            repair,
                            (number, mending, lines) -> new Checker(
                                            context,
                                            snapshots,
                                            disk.sizeBytes(),
                                            header,
                                            mending,
                                            number > 0,
                                            lines,
                                            number == 0 ? progress : CheckProgress.NONE)
                                    .run());
            if (repair != Repair.NONE && report.corruptions() == 0) {
                // what an outdated extension named is free now
                bitmaps.dropVoidExtension(header);
            }
            return report;
        } catch (InternalError e) {
            throw file.pageFailed(e);
        }
    }

    /** An image that was not closed cleanly is repaired first; then features that would become untrue by writing are cleared (rule R10). */
    void prepareForWriting() throws BlockException {
        if (header.has(Feature.DIRTY) && check(Repair.ALL, line -> {}).corruptions() > 0) {
            throw new BlockException(Kind.CORRUPT, "Image was not closed cleanly and can't be repaired");
        }
        clearUnknownAutoclear();
        // what a program that knows nothing of bitmaps left of them
        bitmaps.dropVoidExtension(header);
    }

    /** This driver sees to it that bitmaps are kept and a raw data file stays raw; of what it does not know it can't. */
    private void clearUnknownAutoclear() throws BlockException {
        long kept = header.autoclearFeatures() & (Feature.BITMAPS | Feature.DATA_FILE_RAW);
        if (kept != header.autoclearFeatures()) {
            context.header().setAutoclearFeatures(kept);
            context.header().write(file);
            file.flush();
        }
    }
}
