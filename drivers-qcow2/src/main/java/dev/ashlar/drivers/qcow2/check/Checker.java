package dev.ashlar.drivers.qcow2.check;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.drivers.qcow2.alloc.RefcountTable;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.Feature;
import dev.ashlar.drivers.qcow2.format.L2Layout;
import dev.ashlar.drivers.qcow2.format.Qcow2Header;
import dev.ashlar.drivers.qcow2.format.RefcountWidth;
import dev.ashlar.drivers.qcow2.format.SnapshotEntry;
import dev.ashlar.drivers.qcow2.format.TableEntry;
import dev.ashlar.drivers.qcow2.metadata.ImageFile;
import dev.ashlar.drivers.qcow2.metadata.L1Table;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import dev.ashlar.drivers.qcow2.snapshot.Snapshots;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.Consumer;

/**
 * Compares the refcounts with what really refers to each cluster, and the COPIED flags of the live disk with the refcounts; repairs what it was asked to. Called on
 * a drained node with nothing pending.
 */
public final class Checker {
    private final MetadataContext context;
    private final ClusterGeometry geometry;
    private final L2Layout layout;
    private final ImageFile file;
    private final RefcountTable refcounts;
    private final Snapshots snapshots;
    private final long sizeBytes;
    private final Qcow2Header header;
    private final Repair repair;
    private final Findings findings;

    public Checker(
            MetadataContext context,
            Snapshots snapshots,
            long sizeBytes,
            Qcow2Header header,
            Repair repair,
            Consumer<String> consumer) {
        this.context = context;
        this.geometry = context.geometry();
        this.layout = context.layout();
        this.file = context.file();
        this.refcounts = context.refcounts();
        this.snapshots = snapshots;
        this.sizeBytes = sizeBytes;
        this.header = header;
        this.repair = repair;
        this.findings = new Findings(consumer);
    }

    public CheckReport run() throws BlockException {
        context.writeBackLock().lock();
        long stamp = context.lock().writeLock();
        try {
            ReferenceCounts references = new ReferenceCounts(geometry, file.lengthBytes());
            references.add(0, geometry.clusterBytes());
            new LayerWalk(layout, references, findings, true).walk(context.active());
            walkSnapshots(references);
            new BitmapWalk(file, references, findings).walk(context.bitmapExtension());
            walkRefcountStructure(references);
            long highest = compareAndRepair(references);
            writeCounts();
            checkCopiedFlags();
            clearMarks();
            return findings.report(geometry.clustersFor(sizeBytes), geometry.clusterOffset(highest + 1));
        } finally {
            context.lock().unlockWrite(stamp);
            context.writeBackLock().unlock();
        }
    }

    private void walkSnapshots(ReferenceCounts references) {
        LayerWalk walk = new LayerWalk(layout, references, findings, false);
        for (SnapshotEntry entry : snapshots.entries()) {
            try {
                walk.walk(snapshots.loadL1(entry));
            } catch (BlockException e) {
                findings.corruption("ERROR snapshot " + entry.info().id() + " ("
                        + entry.info().name() + ") l1_offset=0x" + Long.toHexString(entry.l1TableOffset()) + ": "
                        + e.getMessage());
            }
        }
        references.add(snapshots.tableOffset(), snapshots.tableBytes());
    }

    private void walkRefcountStructure(ReferenceCounts references) {
        references.add(refcounts.tableOffset(), refcounts.tableEntries() * 8L);
        for (int i = 0; i < refcounts.tableEntries(); i++) {
            long offset = refcounts.blockOffset(i);
            if (offset == 0) {
                continue;
            }
            if (!geometry.isAligned(offset) || offset < 0) {
                findings.corruption(
                        "ERROR refcount block " + i + " is not cluster aligned; refcount table entry corrupted");
            } else if (!references.add(offset, geometry.clusterBytes())) {
                findings.corruption("ERROR refcount block " + i + " is outside image");
            }
        }
    }

    /** First everything is found and told, then it is repaired. */
    private long compareAndRepair(ReferenceCounts references) {
        long corruptionsBefore = findings.corruptions;
        long leaksBefore = findings.leaks;
        long errorsBefore = findings.checkErrors;
        long highest = compareCounts(references, false);
        boolean found = findings.corruptions > corruptionsBefore || findings.leaks > leaksBefore;
        if (repair != Repair.NONE && found) {
            findings.recount(corruptionsBefore, leaksBefore, errorsBefore);
            compareCounts(references, true);
        }
        return highest;
    }

    /** @return the highest cluster in use */
    private long compareCounts(ReferenceCounts references, boolean repairing) {
        long highest = 0;
        int perBlock = geometry.refcountBlockEntries();
        long blocks = Math.max(refcounts.tableEntries(), (references.clusters() + perBlock - 1L) / perBlock);
        for (long block = 0; block < blocks; block++) {
            highest = Math.max(highest, compareBlock(references, block, repairing));
        }
        return highest;
    }

    private long compareBlock(ReferenceCounts references, long block, boolean repairing) {
        long first = block << geometry.refcountBlockBits();
        boolean present = block < refcounts.tableEntries() && refcounts.hasBlock((int) block);
        if (!present && first >= references.clusters()) {
            return 0;
        }
        MemorySegment counts = null;
        if (present) {
            try {
                counts = refcounts.view((int) block);
            } catch (BlockException e) {
                findings.checkError("Can't get refcounts from cluster " + first + " on: " + e.getMessage());
                return 0;
            }
        }
        long highest = 0;
        // what refers behind the end of the file has been told of, but not counted: counts there stay as they are
        int entries = present && !references.reachBehindEnd()
                ? geometry.refcountBlockEntries()
                : Math.clamp(references.clusters() - first, 0, geometry.refcountBlockEntries());
        for (int i = 0; i < entries; i++) {
            long cluster = first + i;
            long count = counts == null ? 0 : RefcountWidth.get(counts, 0, geometry.refcountOrder(), i);
            int found = references.get(cluster);
            if (count > 0 || found > 0) {
                highest = cluster;
            }
            if (count != found) {
                compareOne(cluster, count, found, repairing);
            }
        }
        return highest;
    }

    private void compareOne(long cluster, long count, int found, boolean repairing) {
        boolean leak = count > found;
        boolean fix = repairing && (leak || repair == Repair.ALL);
        String detail = " cluster " + cluster + " refcount=" + count + " reference=" + found;
        if (fix && refcounts.hasBlockFor(cluster) && found <= geometry.maxRefcount()) {
            findings.say("Repairing" + detail);
            try {
                refcounts.set(cluster, found);
                if (leak) {
                    findings.leaksFixed++;
                } else {
                    findings.corruptionsFixed++;
                }
                return;
            } catch (BlockException e) {
                findings.checkErrors++;
            }
        }
        if (leak) {
            findings.leaks++;
            findings.say("Leaked" + detail);
        } else {
            findings.corruption("ERROR" + detail);
        }
    }

    private void writeCounts() throws BlockException {
        if (findings.leaksFixed + findings.corruptionsFixed > 0) {
            refcounts.takeChanges().write(file);
            file.flush();
            refcounts.dropClean();
            context.allocator().countsChanged();
        }
    }

    private void checkCopiedFlags() throws BlockException {
        boolean fix = repair == Repair.ALL
                || (repair == Repair.LEAKS
                        && findings.corruptions == 0
                        && findings.leaks == 0
                        && findings.checkErrors == 0);
        L1Table active = context.active();
        long[] l1 = active.copyOfEntries(active.length());
        boolean l1Changed = false;
        for (int i = 0; i < l1.length; i++) {
            long l2Offset = TableEntry.offset(l1[i]);
            if (l2Offset == 0 || !geometry.isAligned(l2Offset)) {
                continue;
            }
            long count = countOrError(l2Offset);
            if (count >= 0 && (count == 1) != TableEntry.isCopied(l1[i])) {
                finding(
                        fix,
                        "OFLAG_COPIED L2 cluster: l1_index=" + i + " l1_entry=" + Long.toHexString(l1[i]) + " refcount="
                                + count);
                l1[i] ^= TableEntry.COPIED;
                l1Changed = true;
            }
            checkL2Flags(active, i, fix);
        }
        if (fix && l1Changed) {
            L1Table repaired = L1Table.of(file, active.hostOffset(), l1);
            file.write(active.hostOffset(), repaired.encode(0, l1.length));
            context.setActive(repaired);
        }
        if (fix) {
            file.flush();
        }
    }

    private void checkL2Flags(L1Table active, int l1Index, boolean fix) throws BlockException {
        MemorySegment words;
        try {
            words = active.l2View(l1Index);
        } catch (BlockException e) {
            // the walk has told
            return;
        }
        MemorySegment copy = null;
        for (int j = 0; words != null && j < geometry.l2Entries(); j++) {
            long word = layout.word(words, j);
            long offset = TableEntry.offset(word);
            if (!layout.namesCluster(word) || !geometry.isAligned(offset)) {
                continue;
            }
            long count = layout.externalData() ? 1 : countOrError(offset);
            if (count >= 0 && (count == 1) != TableEntry.isCopied(word)) {
                finding(fix, "OFLAG_COPIED data cluster: l2_entry=" + Long.toHexString(word) + " refcount=" + count);
                if (copy == null) {
                    copy = MemorySegment.ofArray(words.toArray(ValueLayout.JAVA_BYTE));
                }
                layout.putWord(copy, j, word ^ TableEntry.COPIED);
            }
        }
        if (fix && copy != null) {
            file.write(active.l2Offset(l1Index), copy);
        }
    }

    private void finding(boolean fix, String line) {
        if (fix) {
            findings.corruptionsFixed++;
            findings.say("Repairing " + line);
        } else {
            findings.corruption("ERROR " + line);
        }
    }

    private long countOrError(long hostOffset) {
        try {
            return refcounts.get(geometry.clusterIndex(hostOffset));
        } catch (BlockException e) {
            return -1;
        }
    }

    /** A repaired image is neither dirty nor corrupt any more. */
    private void clearMarks() throws BlockException {
        boolean marked = header.has(Feature.DIRTY) || header.has(Feature.CORRUPT);
        if (repair == Repair.ALL && marked && findings.corruptions == 0 && findings.checkErrors == 0) {
            file.flush();
            context.header()
                    .setIncompatibleFeatures(header.incompatibleFeatures() & ~(Feature.DIRTY | Feature.CORRUPT));
            context.header().write(file);
            file.flush();
        }
    }
}
