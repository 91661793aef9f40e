package dev.ashlar.drivers.qcow2.check;

import dev.ashlar.core.BlockException;
import dev.ashlar.drivers.qcow2.alloc.MetadataClass;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.RefcountWidth;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import java.lang.foreign.MemorySegment;

/**
 * Counts of clusters behind the end of the file: a crash leaves them when counts reached the disk and the file's length did not. They are no finding, but would
 * become leaks as the file grows; so a repair clears them, unless a table names the cluster, of which nobody knows then whether it is lost.
 */
final class CountsBehindEnd {
    private CountsBehindEnd() {}

    /**
     * Changes counts in memory. All refcount blocks are where they should be.
     *
     * @return whether a count was changed
     */
    static boolean clear(
            MetadataContext context, RefcountStructure structure, ReferenceCounts references, Findings findings)
            throws BlockException {
        ClusterGeometry geometry = context.geometry();
        boolean changed = false;
        long firstBlock = references.clusters() >>> geometry.refcountBlockBits();
        for (long index = firstBlock; index < structure.tableEntries(); index++) {
            MemorySegment block = structure.block((int) index);
            long start = index << geometry.refcountBlockBits();
            int from = (int) Math.max(references.clusters() - start, 0);
            for (int i = from; block != null && i < geometry.refcountBlockEntries(); i++) {
                long cluster = start + i;
                if (RefcountWidth.get(block, 0, geometry.refcountOrder(), i) != 0
                        && references.firstFreeBehindEnd(cluster) == cluster
                        && context.overlaps()
                                .isFreeToMend(
                                        structure.blockOffset((int) index),
                                        geometry.clusterBytes(),
                                        MetadataClass.REFCOUNT_BLOCK,
                                        findings::say)) {
                    context.refcounts().set(cluster, 0);
                    changed = true;
                }
            }
        }
        return changed;
    }
}
