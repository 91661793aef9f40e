package dev.ashlar.core.toy;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockLimits;
import dev.ashlar.core.bitmap.NodeBitmaps;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.snapshot.SnapshotRequest;
import dev.ashlar.core.spi.BackingContent;
import dev.ashlar.core.spi.BitmapStore;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.FormatInfo;
import dev.ashlar.core.spi.FormatInstance;
import dev.ashlar.core.spi.ImageReference;
import dev.ashlar.core.spi.Mapping;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.core.spi.Resizable;
import dev.ashlar.core.spi.SnapshotCapable;
import dev.ashlar.core.spi.WritePlan;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** An opening of a toy image. Fails loudly where core breaks a promise: two plans for one cluster, snapshots not drained. */
public final class ToyInstance implements FormatInstance, SnapshotCapable, Resizable {
    private final ToyImage image;
    private final ChildAccess file;
    /** The map of a snapshot, for views. */
    private final long @Nullable [] frozen;
    /** Through which a view reads: closed after it. */
    private final @Nullable ToyInstance origin;

    private volatile boolean closed;

    public final AtomicInteger drainDepth = new AtomicInteger();
    /** What a driver must not do when it is told of a drain. */
    public volatile @Nullable Runnable onDrain;

    private final AtomicInteger planning = new AtomicInteger();

    private final boolean hasBrokenBitmaps;

    ToyInstance(ToyImage image, ChildAccess file, boolean hasBrokenBitmaps) {
        this(image, file, null, null, hasBrokenBitmaps);
    }

    private ToyInstance(
            ToyImage image,
            ChildAccess file,
            long @Nullable [] frozen,
            @Nullable ToyInstance origin,
            boolean hasBrokenBitmaps) {
        this.origin = origin;
        this.image = image;
        this.file = file;
        this.frozen = frozen;
        this.hasBrokenBitmaps = hasBrokenBitmaps;
    }

    @Override
    public BlockLimits limits() {
        return BlockLimits.NONE;
    }

    @Override
    public long lengthBytes() {
        return image.lengthBytes;
    }

    @Override
    public ChildAccess dataChild() {
        return file;
    }

    private long[] map() {
        if (closed || (origin != null && origin.closed)) {
            throw new AssertionError("a request of a driver that is closed");
        }
        return frozen == null ? image.map : frozen;
    }

    @Override
    public Mapping map(long guestOffset, long lengthBytes) {
        synchronized (image) {
            if (guestOffset >= image.lengthBytes) {
                return new Mapping.EndOfImage();
            }
            long most = Math.min(lengthBytes, image.lengthBytes - guestOffset);
            int cluster = (int) (guestOffset / image.clusterBytes);
            long within = guestOffset % image.clusterBytes;
            long first = map()[cluster];
            long length = image.clusterBytes - within;
            while (length < most && follows(first, map()[++cluster], length + within)) {
                length += image.clusterBytes;
            }
            length = Math.min(length, most);
            if (first == ToyImage.UNALLOCATED) {
                return new Mapping.Backing(length);
            }
            return first == ToyImage.ZERO
                    ? new Mapping.Zero(length, -1)
                    : new Mapping.Data(file, first + within, length);
        }
    }

    private static boolean follows(long first, long entry, long distance) {
        return first < 0 ? entry == first : entry == first + distance;
    }

    @Override
    public long mapDirect(long guestOffset, long lengthBytes) {
        return guestOffset + lengthBytes <= image.lengthBytes
                        && map(guestOffset, lengthBytes) instanceof Mapping.Data data
                        && data.lengthBytes() == lengthBytes
                ? data.hostOffset()
                : -1;
    }

    @Override
    public long planInPlace(long guestOffset, long lengthBytes) {
        synchronized (image) {
            long first = guestOffset / image.clusterBytes;
            long last = (guestOffset + lengthBytes - 1) / image.clusterBytes;
            for (long i = first; i <= last; i++) {
                if (i >= image.map.length || image.sharedWithSnapshot[(int) i]) {
                    return -1;
                }
            }
            return mapDirect(guestOffset, lengthBytes);
        }
    }

    @Override
    public WritePlan planWrite(long guestOffset, long lengthBytes) {
        synchronized (image) {
            int cluster = (int) (guestOffset / image.clusterBytes);
            long within = guestOffset % image.clusterBytes;
            long length = Math.min(lengthBytes, image.clusterBytes - within);
            long present = image.map[cluster];
            if (present >= 0 && !image.sharedWithSnapshot[cluster]) {
                return new Plan(cluster, present + within, length, 0, 0, false);
            }
            if (image.beingAllocated[cluster]) {
                throw new AssertionError("two plans for cluster " + cluster);
            }
            image.beingAllocated[cluster] = true;
            planning.incrementAndGet();
            long host = image.allocate();
            return new Plan(cluster, host + within, length, within, image.clusterBytes - within - length, true);
        }
    }

    private final class Plan implements WritePlan {
        private final int cluster;
        private final long hostOffset;
        private final long lengthBytes;
        private final long before;
        private final long after;
        private final boolean allocates;

        Plan(int cluster, long hostOffset, long lengthBytes, long before, long after, boolean allocates) {
            this.cluster = cluster;
            this.hostOffset = hostOffset;
            this.lengthBytes = lengthBytes;
            this.before = before;
            this.after = after;
            this.allocates = allocates;
        }

        @Override
        public long lengthBytes() {
            return lengthBytes;
        }

        @Override
        public ChildAccess child() {
            return file;
        }

        @Override
        public long hostOffset() {
            return hostOffset;
        }

        @Override
        public long copyBeforeBytes() {
            return before;
        }

        @Override
        public long copyAfterBytes() {
            return after;
        }

        @Override
        public void commit() {
            synchronized (image) {
                if (allocates) {
                    image.map[cluster] = hostOffset - before;
                    image.sharedWithSnapshot[cluster] = false;
                    image.beingAllocated[cluster] = false;
                    planning.decrementAndGet();
                }
            }
        }

        @Override
        public void abort() {
            synchronized (image) {
                image.aborts.incrementAndGet();
                if (allocates) {
                    image.beingAllocated[cluster] = false;
                    planning.decrementAndGet();
                }
            }
        }
    }

    @Override
    public long allocationUnitBytes() {
        return image.clusterBytes;
    }

    @Override
    public long writeZeroes(long guestOffset, long lengthBytes, boolean mayUnmap) {
        return setWhole(guestOffset, lengthBytes, ToyImage.ZERO) && image.canWriteZeroes ? lengthBytes : 0;
    }

    @Override
    public void discard(long guestOffset, long lengthBytes) {
        setWhole(guestOffset, lengthBytes, ToyImage.ZERO);
    }

    private boolean setWhole(long guestOffset, long lengthBytes, long entry) {
        synchronized (image) {
            long end = guestOffset + lengthBytes;
            if (guestOffset % image.clusterBytes != 0 || (end % image.clusterBytes != 0 && end != image.lengthBytes)) {
                throw new AssertionError("not whole clusters: " + guestOffset + "+" + lengthBytes);
            }
            if (!image.canWriteZeroes) {
                return false;
            }
            for (int i = (int) (guestOffset / image.clusterBytes); i < image.clustersOf(end); i++) {
                image.map[i] = entry;
                image.sharedWithSnapshot[i] = false;
            }
            return true;
        }
    }

    @Override
    public Optional<ImageReference> backing() {
        return Optional.ofNullable(image.backing);
    }

    @Override
    public FormatInfo info() {
        return new FormatInfo(image.clusterBytes, false, false, false, Map.of());
    }

    @Override
    public void flush() throws BlockException {
        file.flush();
    }

    @Override
    public <T> Optional<T> capability(Class<T> type) {
        return type == BitmapStore.class && hasBrokenBitmaps
                ? Optional.of(type.cast(new BrokenBitmaps()))
                : FormatInstance.super.capability(type);
    }

    /** Bitmaps that can't be read. */
    private static final class BrokenBitmaps implements BitmapStore {
        @Override
        public void loadBitmaps(NodeBitmaps bitmaps) throws BlockException {
            throw new BlockException(Kind.CORRUPT, "The bitmaps can't be read");
        }

        @Override
        public void requireRoomFor(String name, long granularityBytes) {}

        @Override
        public void removeStored(String name) {}
    }

    @Override
    public void close() {
        closed = true;
        if (frozen == null) {
            image.openInstances.decrementAndGet();
        }
    }

    @Override
    public void drainBegin() {
        runOnDrain();
        drainDepth.incrementAndGet();
    }

    @Override
    public void drainEnd() {
        drainDepth.decrementAndGet();
        runOnDrain();
    }

    private void runOnDrain() {
        Runnable wrong = onDrain;
        if (wrong != null) {
            wrong.run();
        }
    }

    @Override
    public List<SnapshotInfo> snapshots() {
        synchronized (image) {
            List<SnapshotInfo> list = new ArrayList<>();
            for (ToyImage.Saved saved : image.saved) {
                list.add(saved.info());
            }
            return List.copyOf(list);
        }
    }

    @Override
    public SnapshotInfo createSnapshot(SnapshotRequest request) {
        requireStill();
        synchronized (image) {
            String id = request.id().isEmpty() ? String.valueOf(image.saved.size() + 1) : request.id();
            SnapshotInfo info = new SnapshotInfo(
                    id, request.name(), 0, request.dateSeconds(), 0, 0, OptionalLong.empty(), image.lengthBytes);
            image.saved.add(new ToyImage.Saved(info, image.map.clone()));
            Arrays.fill(image.sharedWithSnapshot, true);
            return info;
        }
    }

    @Override
    public void applySnapshot(SnapshotInfo snapshot) {
        requireStill();
        synchronized (image) {
            image.map = find(snapshot).map().clone();
            Arrays.fill(image.sharedWithSnapshot, true);
        }
    }

    @Override
    public void deleteSnapshot(SnapshotInfo snapshot) {
        requireStill();
        synchronized (image) {
            image.saved.remove(find(snapshot));
        }
    }

    @Override
    public FormatInstance openSnapshot(SnapshotInfo snapshot) throws BlockException {
        for (ToyImage.Saved saved : image.saved) {
            if (saved.info().equals(snapshot)) {
                return new ToyInstance(image, file, saved.map(), this, false);
            }
        }
        throw new BlockException(Kind.NOT_FOUND, "Can't find snapshot");
    }

    @Override
    public void resize(long lengthBytes, Preallocation preallocation, @Nullable BackingContent backing)
            throws BlockException {
        requireStill();
        long before = image.lengthBytes;
        boolean hides = backing != null && backing.lengthBytes() > before;
        if (backing != null && hides && lengthBytes > before) {
            fillLastCluster(before, backing);
        }
        image.resize(lengthBytes, hides ? ToyImage.ZERO : ToyImage.UNALLOCATED);
    }

    /** What the backing file has behind the old end must not show. */
    private void fillLastCluster(long end, BackingContent backing) throws BlockException {
        int within = (int) (end % image.clusterBytes);
        int cluster = (int) (end / image.clusterBytes);
        if (within == 0 || image.map[cluster] != ToyImage.UNALLOCATED) {
            return;
        }
        byte[] content = new byte[image.clusterBytes];
        backing.read(end - within, MemorySegment.ofArray(content).asSlice(0, within));
        long host = image.allocate();
        file.write(host, MemorySegment.ofArray(content));
        image.map[cluster] = host;
    }

    private ToyImage.Saved find(SnapshotInfo snapshot) {
        return image.saved.stream()
                .filter(saved -> saved.info().equals(snapshot))
                .findFirst()
                .orElseThrow();
    }

    private void requireStill() {
        if (drainDepth.get() == 0 || planning.get() != 0) {
            throw new AssertionError("control operation on a node that is not drained");
        }
    }
}
