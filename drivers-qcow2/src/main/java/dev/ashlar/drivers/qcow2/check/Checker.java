package dev.ashlar.drivers.qcow2.check;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.CheckProgress;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.drivers.qcow2.check.CountComparison.Outcome;
import dev.ashlar.drivers.qcow2.check.Findings.Tally;
import dev.ashlar.drivers.qcow2.check.RefcountStructure.Verdict;
import dev.ashlar.drivers.qcow2.format.AlternateHex;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.CryptoHeader;
import dev.ashlar.drivers.qcow2.format.Feature;
import dev.ashlar.drivers.qcow2.format.Qcow2Header;
import dev.ashlar.drivers.qcow2.format.SnapshotEntry;
import dev.ashlar.drivers.qcow2.metadata.ImageFile;
import dev.ashlar.drivers.qcow2.metadata.L1Table;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import dev.ashlar.drivers.qcow2.snapshot.Snapshots;
import java.util.BitSet;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One check of an image: counts what refers to each cluster, holds the refcounts against that, then the COPIED flags against the refcounts; repairs what it was
 * asked to, in this order, each step durable before the next. A snapshot table that needs a new place gets it when the counts are right; flags come last. Called on a drained node with nothing pending.
 */
public final class Checker {
    private static final int MAX_L1_ENTRIES = (int) (Qcow2Header.MAX_L1_BYTES / 8);

    private final MetadataContext context;
    private final ClusterGeometry geometry;
    private final ImageFile file;
    private final RefcountStructure structure;
    private final Snapshots snapshots;
    private final long sizeBytes;
    private final Qcow2Header header;
    private final Repair repair;
    private final boolean again;
    private final Findings findings;
    private final SnapshotTableCheck snapshotTable;
    private final CheckProgress progress;
    private final AtomicLong entriesDone = new AtomicLong();
    /** Of the live disk; see {@link LayerWalk#walk}. */
    private BitSet unclaimed = new BitSet();
    /** What refers to each cluster, if that is what the refcounts say by now. */
    private @Nullable ReferenceCounts equalCounts;

    private long highestCluster;

    /** @param again an earlier repair has not mended all: what looks free within the file may be named by tables that it looks like a part of */
    public Checker(
            MetadataContext context,
            Snapshots snapshots,
            long sizeBytes,
            Qcow2Header header,
            Repair repair,
            boolean again,
            Consumer<String> consumer,
            CheckProgress progress) {
        this.context = context;
        this.geometry = context.geometry();
        this.file = context.file();
        this.structure = new RefcountStructure(file, context.refcounts());
        this.snapshots = snapshots;
        this.sizeBytes = sizeBytes;
        this.header = header;
        this.repair = repair;
        this.again = again;
        this.findings = new Findings(consumer);
        this.snapshotTable = new SnapshotTableCheck(context, snapshots, header, repair == Repair.ALL, findings);
        this.progress = progress;
    }

    /** @throws BlockException where the check can't go on; what was found before has been told */
    public CheckReport run() throws BlockException {
        underLocks(this::settleCounts);
        if (snapshotTable.isPending()) {
            // allocates, so the counts had to be right before
            snapshotTable.rewrite();
            file.flush();
            equalCounts = null;
        }
        underLocks(this::settleFlags);
        return findings.report(geometry.clustersFor(sizeBytes), geometry.clusterOffset(highestCluster + 1));
    }

    private interface Step {
        void take() throws BlockException;
    }

    private void underLocks(Step step) throws BlockException {
        context.writeBackLock().lock();
        long stamp = context.lock().writeLock();
        try {
            step.take();
        } finally {
            context.lock().unlockWrite(stamp);
            context.writeBackLock().unlock();
        }
    }

    private void settleCounts() throws BlockException {
        if (again) {
            // where tables lie over one another, mending one has changed the other
            L1Table active = context.active();
            context.setActive(L1Table.load(file, active.hostOffset(), active.length()));
        }
        snapshotTable.read();
        new TableEnds(context, repair == Repair.ALL).complete(findings);
        ReferenceCounts references = new ReferenceCounts(geometry, file.lengthBytes());
        Verdict verdict = count(references, findings, repair == Repair.ALL);
        if (verdict == Verdict.FILE_GREW) {
            references = new ReferenceCounts(geometry, file.lengthBytes());
            verdict = count(references, Findings.ofPart(), false);
        }
        Tally counted = findings.tally();
        Outcome outcome = compare(references, Repair.NONE);
        if (verdict == Verdict.REBUILD || outcome.needsRebuild()) {
            if (repair == Repair.LEAKS) {
                findings.checkError("ERROR need to rebuild refcount structures");
                throw new BlockException(Kind.IO, "Refcount structures need to be rebuilt");
            }
            if (repair == Repair.ALL) {
                references = rebuild(references);
                outcome = settleRebuilt(references);
            }
        } else if (repair != Repair.NONE && (findings.leaks > 0 || findings.corruptions > 0)) {
            findings.backTo(counted);
            outcome = compare(references, repair);
            writeCounts();
        }
        if (repair != Repair.NONE && CountsBehindEnd.clear(context, structure, references, findings)) {
            writeChanges();
        }
        equalCounts = outcome.equal() ? references : null;
        highestCluster = outcome.highestCluster();
    }

    private void settleFlags() throws BlockException {
        checkFlags(equalCounts);
        findings.corruptions += snapshotTable.left();
        findings.corruptionsFixed += snapshotTable.fixed();
        clearMarks();
    }

    private Verdict count(ReferenceCounts references, Findings into, boolean repairing) throws BlockException {
        long entries = context.active().length();
        for (SnapshotEntry entry : snapshots.entries()) {
            entries += Integer.toUnsignedLong(entry.l1Entries());
        }
        long total = entries;
        entriesDone.set(0);
        LayerWalk walk = new LayerWalk(
                file,
                references,
                into,
                context.overlaps(),
                repairing,
                done -> progress.update(entriesDone.addAndGet(done), total));
        references.count(0, geometry.clusterBytes(), into);
        L1Table active = context.active();
        unclaimed = walk.walk(active.hostOffset(), active.length(), true);
        countSnapshots(references, into, walk);
        references.count(context.refcounts().tableOffset(), context.refcounts().tableEntries() * 8L, into);
        // what an outdated extension names is leaked
        new BitmapWalk(file, references, into).walk(header, context.bitmapExtension(), sizeBytes);
        CryptoHeader crypto = context.cryptoHeader();
        if (crypto != null) {
            references.count(crypto.hostOffset(), crypto.lengthBytes(), into);
        }
        return structure.walk(references, into, repairing);
    }

    private void countSnapshots(ReferenceCounts references, Findings into, LayerWalk walk) throws BlockException {
        if (header.has(Feature.DATA_FILE) && !snapshots.entries().isEmpty()) {
            into.corruption("ERROR " + snapshots.entries().size() + " snapshots in image with data file");
        }
        for (SnapshotEntry entry : snapshots.entries()) {
            String name =
                    "ERROR snapshot " + entry.info().id() + " (" + entry.info().name() + ") ";
            if (!geometry.isAligned(entry.l1TableOffset())) {
                into.corruption(name + "l1_offset=" + AlternateHex.of(entry.l1TableOffset())
                        + ": L1 table is not cluster aligned; snapshot table entry corrupted");
            } else if (Integer.compareUnsigned(entry.l1Entries(), MAX_L1_ENTRIES) > 0) {
                into.corruption(name + "l1_size=" + AlternateHex.of(Integer.toUnsignedLong(entry.l1Entries()))
                        + ": L1 table is too large; snapshot table entry corrupted");
            } else {
                walk.walk(entry.l1TableOffset(), entry.l1Entries(), false);
            }
        }
        references.count(snapshots.tableOffset(), snapshots.tableBytes(), into);
    }

    private Outcome compare(ReferenceCounts references, Repair mending) throws BlockException {
        return new CountComparison(context, structure, references, mending).run(findings);
    }

    /** @return the references as they are with the new structure */
    private ReferenceCounts rebuild(ReferenceCounts references) throws BlockException {
        Tally before = findings.tally();
        findings.say("Rebuilding refcount structure");
        try {
            new RefcountRebuild(context, references, again ? references.clusters() : 0).run();
        } catch (BlockException e) {
            findings.say(String.valueOf(e.getMessage()));
            throw e;
        }
        findings.corruptions = 0;
        findings.leaks = 0;
        // counts that could not be read were in the old blocks
        findings.checkErrors = 0;
        ReferenceCounts recounted = new ReferenceCounts(geometry, file.lengthBytes());
        findings.clearStatistics();
        count(recounted, findings, false);
        findings.corruptionsFixed += Math.max(before.corruptions() - findings.corruptions, 0);
        findings.leaksFixed += Math.max(before.leaks() - findings.leaks, 0);
        return recounted;
    }

    /** The old structure is leaked, which is no finding unless it stays so. */
    private Outcome settleRebuilt(ReferenceCounts references) throws BlockException {
        Tally rebuilt = findings.tally();
        Outcome outcome = compare(references, Repair.LEAKS);
        writeChanges();
        if (outcome.needsRebuild()) {
            findings.say("ERROR rebuilt refcount structure is still broken");
        }
        long freshLeaks = findings.leaks - rebuilt.leaks();
        findings.backTo(rebuilt);
        findings.leaks += freshLeaks;
        return outcome;
    }

    private void writeCounts() throws BlockException {
        if (findings.leaksFixed + findings.corruptionsFixed > 0) {
            writeChanges();
        }
    }

    private void writeChanges() throws BlockException {
        context.refcounts().takeChanges().write(file);
        file.flush();
        context.refcounts().dropClean();
        context.allocator().countsChanged();
    }

    /** Flags follow the counts, so with counts that are only partly right they are left alone unless everything is to be mended. */
    private void checkFlags(@Nullable ReferenceCounts equalCounts) throws BlockException {
        boolean mending = repair == Repair.ALL
                || (repair == Repair.LEAKS
                        && findings.corruptions == 0
                        && findings.leaks == 0
                        && findings.checkErrors == 0);
        L1Table active = context.active();
        long[] l1 = active.copyOfEntries(active.length());
        long fixedBefore = findings.corruptionsFixed;
        new CopiedFlagCheck(file, structure, context.overlaps(), mending, equalCounts)
                .run(active.hostOffset(), l1, unclaimed, findings);
        if (findings.corruptionsFixed > fixedBefore) {
            file.flush();
            context.setActive(L1Table.of(file, active.hostOffset(), l1));
        }
    }

    /** A repaired image is neither dirty nor corrupt any more. */
    private void clearMarks() throws BlockException {
        long marks = context.header().incompatibleFeatures() & (Feature.DIRTY | Feature.CORRUPT);
        if (repair != Repair.NONE && marks != 0 && findings.corruptions == 0 && findings.checkErrors == 0) {
            file.flush();
            context.header().setIncompatibleFeatures(context.header().incompatibleFeatures() & ~marks);
            context.header().write(file);
            file.flush();
        }
    }
}
