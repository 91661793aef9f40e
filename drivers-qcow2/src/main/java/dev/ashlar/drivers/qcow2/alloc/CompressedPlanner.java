package dev.ashlar.drivers.qcow2.alloc;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.CompressionCapable.CompressedPlan;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.TableEntry;
import dev.ashlar.drivers.qcow2.metadata.L1Table;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import java.util.Arrays;

/**
 * Decides where compressed clusters go: one behind the other, byte by byte, so that a host cluster holds several; each of them is one reference to it. Whatever
 * a cluster was before, it loses that; nothing is ever overwritten where it is.
 */
public final class CompressedPlanner {
    private static final int SECTOR_BYTES = 512;

    private final MetadataContext context;
    private final ClusterGeometry geometry;
    private final OwnedTables tables;

    public CompressedPlanner(MetadataContext context, OwnedTables tables) {
        this.context = context;
        this.geometry = context.geometry();
        this.tables = tables;
    }

    /** As {@link dev.ashlar.core.spi.CompressionCapable#planCompressed}. */
    public CompressedPlan plan(long guestOffset, int[] sizesBytes, int from, int to) throws BlockException {
        tables.makeRoom();
        return tables.growing(() -> tryPlan(guestOffset, sizesBytes, from, to));
    }

    private CompressedPlan tryPlan(long guestOffset, int[] sizesBytes, int from, int to) throws BlockException {
        long stamp = context.lock().writeLock();
        try {
            context.file().requireHealthy();
            L1Table active = context.active();
            int l1Index = (int) geometry.l1Index(guestOffset);
            int l2Index = geometry.l2Index(guestOffset);
            int wanted = Math.min(to - from, geometry.l2Entries() - l2Index);
            tables.own(active, l1Index);
            long[] words = new long[wanted];
            int done = 0;
            try {
                while (done < wanted) {
                    words[done] = allocate(sizesBytes[from + done]);
                    done++;
                }
            } catch (BlockException e) {
                if (done == 0) {
                    throw e;
                }
                // what has space can be written; the next plan meets the trouble again
            }
            long[] found = Arrays.copyOf(words, done);
            reach(found);
            return new Plan(new PlannedEntries(context, active, l1Index, l2Index), found);
        } finally {
            context.lock().unlockWrite(stamp);
        }
    }

    /** @return the L2 word for a place that was found and counted */
    private long allocate(int sizeBytes) throws BlockException {
        long host = context.allocator().allocateBytes(sizeBytes);
        if (host > TableEntry.maxCompressedOffset(geometry)) {
            release(context.allocator(), geometry, host, sizeBytes);
            throw new BlockException(Kind.TOO_LARGE, "The image file is too large for compressed clusters");
        }
        return TableEntry.compressed(host, sizeBytes, geometry);
    }

    /**
     * The file reaches behind all host clusters before anything refers to them (rule R3): compressed data ends anywhere. Nobody has written behind the end yet, and
     * nobody can before the lock is given back.
     */
    private void reach(long[] words) throws BlockException {
        long last = words[words.length - 1];
        long end = TableEntry.compressedOffset(last, geometry) + TableEntry.compressedBytes(last, geometry);
        long hostEnd = geometry.alignUp(end);
        if (context.file().lengthBytes() >= hostEnd) {
            return;
        }
        try {
            context.file().data().writeZeroes(hostEnd - SECTOR_BYTES, SECTOR_BYTES, false);
        } catch (BlockException e) {
            releaseAll(words);
            throw e;
        }
    }

    private void releaseAll(long[] words) throws BlockException {
        for (long word : words) {
            release(
                    context.allocator(),
                    geometry,
                    TableEntry.compressedOffset(word, geometry),
                    TableEntry.compressedBytes(word, geometry));
        }
    }

    private static void release(ClusterAllocator allocator, ClusterGeometry geometry, long host, int sizeBytes)
            throws BlockException {
        long first = geometry.clusterIndex(host);
        allocator.release(first, geometry.clusterIndex(host + sizeBytes - 1) - first + 1);
    }

    /** Compressed clusters that nothing refers to yet. */
    private final class Plan implements CompressedPlan {
        private final PlannedEntries entries;
        private final long[] words;

        Plan(PlannedEntries entries, long[] words) {
            this.entries = entries;
            this.words = words;
        }

        @Override
        public int units() {
            return words.length;
        }

        @Override
        public ChildAccess child() {
            return context.file().plainData();
        }

        @Override
        public long hostOffset(int unit) {
            return TableEntry.compressedOffset(words[unit], geometry);
        }

        @Override
        public void commit() throws BlockException {
            entries.commit((active, l1Index, l2Index) -> {
                for (int i = 0; i < words.length; i++) {
                    long old = active.l2Word(l1Index, l2Index + i);
                    active.putL2Entry(l1Index, l2Index + i, words[i], 0);
                    tables.giveUp(old, Discard.OTHER);
                }
            });
        }

        @Override
        public void abort() {
            entries.abort(() -> releaseAll(words));
        }
    }
}
