package dev.ashlar.drivers.qcow2.check;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.drivers.qcow2.alloc.MetadataClass;
import dev.ashlar.drivers.qcow2.format.AlternateHex;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.RefcountWidth;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** Holds the refcounts against what really refers to each cluster of the file, in stripes; sets those that may be set. */
final class CountComparison {
    private static final ValueLayout.OfShort COUNT16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    private final ClusterGeometry geometry;
    private final RefcountStructure structure;
    private final MetadataContext context;
    private final ReferenceCounts references;
    private final Repair repair;
    private final AtomicLong highest = new AtomicLong();
    private final AtomicBoolean rebuild = new AtomicBoolean();
    private final AtomicBoolean differs = new AtomicBoolean();

    /** @param repair which differences are mended at once */
    CountComparison(MetadataContext context, RefcountStructure structure, ReferenceCounts references, Repair repair) {
        this.geometry = context.geometry();
        this.structure = structure;
        this.context = context;
        this.references = references;
        this.repair = repair;
    }

    /** What the comparison showed besides findings. @param needsRebuild a cluster is in use of which the count is 0 or has no place @param equal all counts are right now */
    record Outcome(long highestCluster, boolean needsRebuild, boolean equal) {}

    Outcome run(Findings findings) throws BlockException {
        int workers = repair == Repair.NONE ? OrderedParts.workers() : 1;
        OrderedParts.run(references.stripes(), workers, this::stripe, findings);
        return new Outcome(highest.get(), rebuild.get(), !differs.get());
    }

    private void stripe(int stripe, Findings findings) throws BlockException {
        long first = (long) stripe << ReferenceCounts.STRIPE_BITS;
        long end = Math.min(references.clusters(), first + ReferenceCounts.STRIPE_CLUSTERS);
        long blockEntries = geometry.refcountBlockEntries();
        for (long cluster = first; cluster < end; ) {
            long block = cluster >>> geometry.refcountBlockBits();
            long stop = Math.min(end, (block + 1) << geometry.refcountBlockBits());
            int within = (int) (cluster & (blockEntries - 1));
            compare(block, within, cluster, (int) (stop - cluster), findings);
            cluster = stop;
        }
    }

    private void compare(long block, int within, long cluster, int count, Findings findings) throws BlockException {
        if (block < structure.tableEntries() && !structure.isReadable((int) block)) {
            unreadable((int) block, cluster, count, findings);
            return;
        }
        MemorySegment counts = block < structure.tableEntries() ? structure.block((int) block) : null;
        int stripe = (int) (cluster >>> ReferenceCounts.STRIPE_BITS);
        if (counts == null && references.isEmpty(stripe)) {
            return;
        }
        byte[] found = references.bytes(stripe);
        if (counts != null
                && found != null
                && geometry.refcountOrder() == 4
                && equal16(counts, within, found, cluster, count)) {
            return;
        }
        for (int i = 0; i < count; i++) {
            long stored = counts == null ? 0 : RefcountWidth.get(counts, 0, geometry.refcountOrder(), within + i);
            long real = references.get(cluster + i);
            if (stored != 0 || real != 0) {
                raiseHighest(cluster + i);
            }
            if (stored != real) {
                difference(cluster + i, stored, real, findings);
            }
        }
    }

    /** The usual case and width: all as it should be. */
    private boolean equal16(MemorySegment counts, int within, byte[] found, long cluster, int count) {
        short[] stored = new short[count];
        MemorySegment.copy(counts, COUNT16, 2L * within, stored, 0, count);
        int at = (int) cluster & (ReferenceCounts.STRIPE_CLUSTERS - 1);
        int difference = 0;
        for (int i = 0; i < count; i++) {
            difference |= (stored[i] & 0xffff) ^ (found[at + i] & 0xff);
        }
        if (difference != 0) {
            return false;
        }
        int last = count - 1;
        while (last >= 0 && stored[last] == 0) {
            last--;
        }
        if (last >= 0) {
            raiseHighest(cluster + last);
        }
        return true;
    }

    private void raiseHighest(long cluster) {
        if (cluster > highest.get()) {
            highest.accumulateAndGet(cluster, Math::max);
        }
    }

    private void unreadable(int block, long cluster, int count, Findings findings) throws BlockException {
        differs.set(true);
        // what goes on using the image is the check, and a repair clears the mark
        context.corruption()
                .mark(
                        findings::say,
                        "Refblock offset 0x" + Long.toHexString(structure.blockOffset(block))
                                + " unaligned (reftable index: "
                                + AlternateHex.of(block) + ")");
        for (int i = 0; i < count; i++) {
            findings.checkError("Can't get refcount for cluster " + (cluster + i) + ": Input/output error");
        }
    }

    private void difference(long cluster, long stored, long real, Findings findings) throws BlockException {
        boolean leak = Long.compareUnsigned(stored, real) > 0;
        boolean mend = false;
        if (stored == 0) {
            rebuild.set(true);
        } else {
            mend = leak ? repair != Repair.NONE : repair == Repair.ALL;
        }
        findings.say((mend ? "Repairing" : leak ? "Leaked" : "ERROR") + " cluster " + cluster + " refcount="
                + Long.toUnsignedString(stored) + " reference=" + real);
        if (mend && isFreeToMend(cluster, findings)) {
            context.refcounts().set(cluster, real);
            if (leak) {
                findings.leaksFixed++;
            } else {
                findings.corruptionsFixed++;
            }
            return;
        }
        differs.set(true);
        if (leak) {
            findings.leaks++;
        } else {
            findings.corruptions++;
        }
    }

    /** False where the count's block lies over other metadata, or where none can lie. */
    private boolean isFreeToMend(long cluster, Findings findings) throws BlockException {
        long block = structure.blockOffset((int) (cluster >>> geometry.refcountBlockBits()));
        return block > 0
                && block <= ClusterGeometry.MAX_HOST_OFFSET
                && context.overlaps()
                        .isFreeToMend(block, geometry.clusterBytes(), MetadataClass.REFCOUNT_BLOCK, findings::say);
    }

    /** For one cluster, as {@link CopiedFlagCheck} asks. @return the stored count, unsigned; 0 where it can't be read */
    static long stored(ClusterGeometry geometry, RefcountStructure structure, long cluster) throws BlockException {
        long block = cluster >>> geometry.refcountBlockBits();
        if (block >= structure.tableEntries() || !structure.isReadable((int) block)) {
            return 0;
        }
        @Nullable MemorySegment counts = structure.block((int) block);
        int within = (int) (cluster & (geometry.refcountBlockEntries() - 1));
        return counts == null ? 0 : RefcountWidth.get(counts, 0, geometry.refcountOrder(), within);
    }
}
