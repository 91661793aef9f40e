package dev.ashlar.core.toy;

import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.spi.ImageReference;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** The tables of a toy image; they live beside the file, so that nothing but data goes through core. Guarded by itself. */
public final class ToyImage {
    static final long UNALLOCATED = -1;
    static final long ZERO = -2;

    final int clusterBytes;
    long lengthBytes;
    long[] map;
    boolean[] sharedWithSnapshot;
    boolean[] beingAllocated;
    long nextFree;
    public @Nullable ImageReference backing;
    public boolean canWriteZeroes = true;
    final List<Saved> saved = new ArrayList<>();
    public final AtomicInteger allocations = new AtomicInteger();
    /** Views of snapshots aside. */
    public final AtomicInteger openInstances = new AtomicInteger();

    public final AtomicInteger aborts = new AtomicInteger();

    /** A snapshot. */
    record Saved(SnapshotInfo info, long[] map) {}

    public ToyImage(int clusterBytes, long lengthBytes) {
        this.clusterBytes = clusterBytes;
        this.lengthBytes = lengthBytes;
        int clusters = clustersOf(lengthBytes);
        this.map = new long[clusters];
        Arrays.fill(map, UNALLOCATED);
        this.sharedWithSnapshot = new boolean[clusters];
        this.beingAllocated = new boolean[clusters];
    }

    int clustersOf(long bytes) {
        return Math.toIntExact((bytes + clusterBytes - 1) / clusterBytes);
    }

    /** @param added what clusters that are new hold */
    synchronized void resize(long bytes, long added) {
        int clusters = clustersOf(bytes);
        int before = map.length;
        map = Arrays.copyOf(map, clusters);
        for (int i = before; i < clusters; i++) {
            map[i] = added;
        }
        sharedWithSnapshot = Arrays.copyOf(sharedWithSnapshot, clusters);
        beingAllocated = Arrays.copyOf(beingAllocated, clusters);
        lengthBytes = bytes;
    }

    /** Host offset of a new cluster; offsets are spread, so that runs are not contiguous by accident alone. */
    long allocate() {
        allocations.incrementAndGet();
        long host = nextFree;
        nextFree += clusterBytes;
        return host;
    }
}
