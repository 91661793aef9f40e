package dev.ashlar.drivers.qcow2.amend;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.drivers.qcow2.alloc.RefcountTable;
import dev.ashlar.drivers.qcow2.format.Bits;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.Qcow2Header;
import dev.ashlar.drivers.qcow2.format.RefcountWidth;
import dev.ashlar.drivers.qcow2.metadata.ImageFile;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashSet;
import java.util.Set;
import java.util.function.DoubleConsumer;

/**
 * All refcounts anew in another width: new blocks and a new table behind all that is in use, counting themselves and no longer the old ones, durable before one
 * write of the header's sector puts width and table in force. Until then the old ones are untouched; a crash leaves the file longer at worst. The caller holds both
 * locks, and nothing is waiting to be written; afterwards the image has to be opened again.
 */
final class RefcountRebuild {
    private final MetadataContext context;
    private final ImageFile file;
    private final RefcountTable old;
    private final ClusterGeometry geometry;
    private final ClusterGeometry wanted;
    private final Set<Long> oldClusters = new HashSet<>();
    private final long firstBlock;
    private long blocks = 1;
    private long tableClusters = 1;

    RefcountRebuild(MetadataContext context, int refcountOrder) throws BlockException {
        this.context = context;
        this.file = context.file();
        this.old = context.refcounts();
        this.geometry = context.geometry();
        this.wanted = new ClusterGeometry(geometry.clusterBits(), refcountOrder, geometry.extendedL2());
        this.firstBlock = Math.max(old.lastCounted() + 1, geometry.clustersFor(file.lengthBytes()));
        for (long i = 0; i < old.tableClusters(); i++) {
            oldClusters.add(geometry.clusterIndex(old.tableOffset()) + i);
        }
        for (int i = 0; i < old.tableEntries(); i++) {
            if (old.blockOffset(i) != 0) {
                oldClusters.add(geometry.clusterIndex(old.blockOffset(i)));
            }
        }
        while (true) {
            long neededBlocks = (end() + wanted.refcountBlockEntries() - 1) >>> wanted.refcountBlockBits();
            long neededTable = geometry.clustersFor(neededBlocks * 8);
            if (neededBlocks <= blocks && neededTable <= tableClusters) {
                break;
            }
            blocks = Math.max(blocks, neededBlocks);
            tableClusters = Math.max(tableClusters, neededTable);
        }
    }

    /** The cluster behind the new structures. */
    private long end() {
        return firstBlock + blocks + tableClusters;
    }

    void run(DoubleConsumer progress) throws BlockException {
        if (tableClusters * geometry.clusterBytes() > Qcow2Header.MAX_REFCOUNT_TABLE_BYTES) {
            throw new BlockException(Kind.TOO_LARGE, "The new reference count table would be too large");
        }
        requireFits(progress);
        long before = file.lengthBytes();
        try {
            file.claim(geometry.clusterOffset(firstBlock), geometry.clusterOffset(blocks + tableClusters));
        } catch (BlockException e) {
            file.cut(before);
            throw new BlockException(e.kind(), "Failed to write refblock: " + e.reason(), e.reason(), e);
        }
        writeBlocks(progress);
        writeTable();
        file.flush();
        context.header()
                .setRefcounts(geometry.clusterOffset(firstBlock + blocks), tableClusters, wanted.refcountOrder());
        context.header().write(file);
        file.flush();
    }

    private void requireFits(DoubleConsumer progress) throws BlockException {
        long limit = wanted.maxRefcount();
        for (long cluster = 0; cluster < firstBlock; cluster++) {
            long count = newCount(cluster);
            if (Long.compareUnsigned(count, limit) > 0) {
                throw new BlockException(
                        Kind.INVALID,
                        "Cannot decrease refcount entry width to " + wanted.refcountBits()
                                + " bits: Cluster at offset 0x" + Long.toHexString(geometry.clusterOffset(cluster))
                                + " has a refcount of " + Long.toUnsignedString(count));
            }
            if ((cluster & 0xffff) == 0) {
                progress.accept(0.5 * cluster / firstBlock);
            }
        }
    }

    private long newCount(long cluster) throws BlockException {
        if (cluster >= firstBlock) {
            return cluster < end() ? 1 : 0;
        }
        long count = old.get(cluster);
        return count != 0 && oldClusters.contains(cluster) ? count - 1 : count;
    }

    private void writeBlocks(DoubleConsumer progress) throws BlockException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment block = arena.allocate(geometry.clusterBytes(), 4096);
            for (long index = 0; index < blocks; index++) {
                block.fill((byte) 0);
                long first = index << wanted.refcountBlockBits();
                long here = Math.min(wanted.refcountBlockEntries(), Math.max(0, end() - first));
                for (int i = 0; i < here; i++) {
                    RefcountWidth.set(block, wanted.refcountOrder(), i, newCount(first + i));
                }
                file.write(geometry.clusterOffset(firstBlock + index), block);
                progress.accept(0.5 + 0.5 * (index + 1) / blocks);
            }
        }
    }

    private void writeTable() throws BlockException {
        MemorySegment table = MemorySegment.ofArray(new byte[(int) geometry.clusterOffset(tableClusters)]);
        for (long i = 0; i < blocks; i++) {
            Bits.putU64(table, 8 * i, geometry.clusterOffset(firstBlock + i));
        }
        file.write(geometry.clusterOffset(firstBlock + blocks), table);
    }
}
