package dev.ashlar.drivers.qcow2.check;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.drivers.qcow2.format.Bits;
import dev.ashlar.drivers.qcow2.format.Qcow2Header;
import dev.ashlar.drivers.qcow2.format.SnapshotEntry;
import dev.ashlar.drivers.qcow2.format.SnapshotTable;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import dev.ashlar.drivers.qcow2.snapshot.Snapshots;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * The snapshot table as a check sees it. Entries that can't be kept, and those that lie behind the end of the file, are dropped before anything is counted, by the
 * count in the header alone; entries that are to be changed are changed in memory, and the table is written anew, elsewhere, when the refcounts are right.
 */
final class SnapshotTableCheck {
    /** Extra data that every entry of a version 3 image has: the large VM state size and the disk size. */
    private static final int NEEDED_EXTRA_BYTES = 16;

    /** An entry behind the end of the file, which is all zeros: as many as a header claims take no memory. */
    private static final SnapshotEntry MISSING =
            SnapshotTable.decode(MemorySegment.ofArray(new byte[SnapshotTable.HEAD_BYTES]), 0);

    private final MetadataContext context;
    private final Snapshots snapshots;
    private final Qcow2Header header;
    private final boolean repairing;
    private final Findings findings;
    private final TableReader reader;
    private final List<SnapshotEntry> entries = new ArrayList<>();
    /** Entries that are not as they should be, and are once the table is written anew. */
    private long faulty;

    private long dropped;
    private boolean lastIsIncomplete;

    SnapshotTableCheck(
            MetadataContext context, Snapshots snapshots, Qcow2Header header, boolean repairing, Findings findings) {
        this.context = context;
        this.snapshots = snapshots;
        this.header = header;
        this.repairing = repairing;
        this.findings = findings;
        this.reader = new TableReader(context.file());
    }

    /** Reads the table that the header names now. @throws BlockException where the check can't go on: the table can't be read, and is not to be repaired */
    void read() throws BlockException {
        long count = context.header().snapshotCount();
        long offset = context.header().snapshotTableOffset();
        long overhanging = count - SnapshotTable.MAX_SNAPSHOTS;
        if (overhanging > 0) {
            if (!repairing) {
                throw unusable(Kind.TOO_LARGE, "snapshot table too large", overhanging);
            }
            findings.say("Discarding " + overhanging + " overhanging snapshots");
            dropped = overhanging;
            count = SnapshotTable.MAX_SNAPSHOTS;
        }
        if (offset < 0
                || offset > Long.MAX_VALUE - count * SnapshotTable.HEAD_BYTES
                || !context.geometry().isAligned(offset)) {
            throw unusable(Kind.INVALID, "snapshot table offset invalid", 0);
        }
        long lengthBytes = withinFile(offset, readEntries(offset, (int) count));
        if (dropped > 0) {
            context.header().setSnapshots(entries.isEmpty() ? 0 : offset, entries.size());
            context.header().write(context.file());
            context.file().flush();
        }
        snapshots.adopt(entries, entries.isEmpty() ? 0 : offset, lengthBytes, isPending());
    }

    /** What of the table is there. To be counted as it is without a repair, so that the count tells what is wrong. */
    private long withinFile(long offset, long lengthBytes) throws BlockException {
        long there = context.file().lengthBytes() - offset;
        if (lengthBytes == 0 || lengthBytes <= there) {
            return lengthBytes;
        }
        String line = " snapshot table reaches behind the end of the file";
        if (repairing) {
            findings.say("Repairing" + line);
            faulty++;
            return there;
        }
        if (lengthBytes - there < context.geometry().clusterBytes() && !lastIsIncomplete) {
            // the real program says nothing of it, and reads zeros
            findings.say("ERROR" + line);
            faulty++;
        }
        return lengthBytes;
    }

    /** @return the bytes that the entries take on disk */
    private long readEntries(long offset, int count) throws BlockException {
        List<Integer> incomplete = new ArrayList<>();
        long at = 0;
        long tidyBytes = 0;
        for (int i = 0; i < count; i++) {
            long start = (at + 7) & ~7L;
            if (repairing && offset == 0) {
                // what the header says would change with each entry's repair
                drop(count, "snapshot table lies over the header");
                break;
            }
            if (repairing && offset + start >= context.file().lengthBytes()) {
                drop(count - i, "behind the end of the file");
                break;
            }
            MemorySegment head = reader.bytes(offset + start, SnapshotTable.HEAD_BYTES);
            long extraBytes = Bits.u32(head, 36);
            int namesBytes = Bits.u16(head, 12) + Bits.u16(head, 14);
            boolean tooMuchExtra = extraBytes > SnapshotTable.MAX_EXTRA_BYTES;
            if (tooMuchExtra && !repairing) {
                throw unusable(
                        Kind.TOO_LARGE,
                        "failed to read the snapshot table: Too much extra metadata in snapshot table entry " + i,
                        -1);
            }
            if (tooMuchExtra) {
                findings.say("Discarding too much extra metadata in snapshot table entry " + i + " (" + extraBytes
                        + " > " + SnapshotTable.MAX_EXTRA_BYTES + ")");
                faulty++;
            }
            int keptExtra = (int) Math.min(extraBytes, SnapshotTable.MAX_EXTRA_BYTES);
            tidyBytes = ((tidyBytes + 7) & ~7L)
                    + SnapshotTable.HEAD_BYTES
                    + Math.max(keptExtra, SnapshotTable.KNOWN_EXTRA_BYTES)
                    + namesBytes;
            long end = start + SnapshotTable.HEAD_BYTES + extraBytes + namesBytes;
            if (tidyBytes > SnapshotTable.MAX_BYTES || end > Integer.MAX_VALUE) {
                if (!repairing) {
                    throw unusable(
                            Kind.TOO_LARGE, "failed to read the snapshot table: Snapshot table is too big", count - i);
                }
                drop(count - i, "snapshot table is too big");
                break;
            }
            boolean missing = offset + start >= context.file().lengthBytes();
            entries.add(missing ? MISSING : withValidSize(i, entry(offset + start, keptExtra, extraBytes, namesBytes)));
            if (extraBytes < NEEDED_EXTRA_BYTES && header.version() >= 3) {
                incomplete.add(i);
            }
            at = end;
        }
        for (int i : incomplete) {
            findings.say((repairing ? "Repairing" : "ERROR") + " snapshot table entry " + i + " is incomplete");
        }
        faulty += incomplete.size();
        lastIsIncomplete = !incomplete.isEmpty() && incomplete.getLast() == count - 1;
        return at;
    }

    private void drop(int overhanging, String why) {
        findings.say("Discarding " + overhanging + " overhanging snapshots (" + why + ")");
        dropped += overhanging;
    }

    /** The entry without the extra data that is too much. */
    private SnapshotEntry entry(long hostOffset, int keptExtra, long extraBytes, int namesBytes) throws BlockException {
        int kept = SnapshotTable.HEAD_BYTES + keptExtra;
        MemorySegment whole = MemorySegment.ofArray(new byte[kept + namesBytes]);
        whole.copyFrom(reader.bytes(hostOffset, kept));
        MemorySegment names = reader.bytes(hostOffset + SnapshotTable.HEAD_BYTES + extraBytes, namesBytes);
        MemorySegment.copy(names, 0, whole, kept, namesBytes);
        Bits.putU32(whole, 36, keptExtra);
        return SnapshotTable.decode(whole, header.sizeBytes());
    }

    /** An image with a disk of a negative size does not open otherwise; it gets the live disk's size. */
    private SnapshotEntry withValidSize(int number, SnapshotEntry entry) {
        SnapshotInfo info = entry.info();
        if (info.diskSizeBytes() >= 0) {
            return entry;
        }
        findings.say(
                (repairing ? "Repairing" : "ERROR") + " snapshot table entry " + number + " has an invalid disk size");
        faulty++;
        SnapshotInfo valid = new SnapshotInfo(
                info.id(),
                info.name(),
                info.vmStateSizeBytes(),
                info.dateSeconds(),
                info.dateNanos(),
                info.vmClockNanos(),
                info.instructionCount(),
                header.sizeBytes());
        return new SnapshotEntry(
                valid, entry.l1TableOffset(), entry.l1Entries(), entry.unknownExtra(), entry.id(), entry.name());
    }

    /** @param removable entries that a repair would remove; -1: extra data, 0: a repair does not help */
    private BlockException unusable(Kind kind, String what, long removable) {
        findings.checkError("ERROR " + what);
        if (removable != 0) {
            findings.say("You can force-remove "
                    + (removable < 0 ? "this extra metadata" : "all " + removable + " overhanging snapshots")
                    + " with qemu-img check -r all");
        }
        snapshots.adopt(List.of(), 0, 0, false);
        return new BlockException(kind, what);
    }

    /** Whether the table is still to be written anew. */
    boolean isPending() {
        return repairing && faulty > 0;
    }

    /** Faults that stay as they are. */
    long left() {
        return repairing ? 0 : faulty;
    }

    /** Entries that are gone, by the header, and faults that a new table has not. */
    long fixed() {
        return dropped + (repairing ? faulty : 0);
    }

    /** Not under the image's locks. */
    void rewrite() throws BlockException {
        snapshots.rewrite();
    }
}
