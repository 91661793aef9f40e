package dev.ashlar.core.bitmap;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Which parts of a node's content were written while the bitmap was enabled. Any thread; nothing here waits for requests. Offsets are bytes of
 * the node, rounded outward to the granularity when bits are set and inward when they are cleared.
 *
 * <p>A bit is set after the bytes have been written and before the write is reported as done. So a backup that clears a range and then
 * reads it has every write that the range was cleared of; and a bitmap that is created, enabled or given a successor while the node is drained
 * misses nothing of what comes after. Created on a node that is not drained, it has all writes that end later.
 *
 * <p>While a bitmap has a successor it is frozen: the successor records what the bitmap would have, until {@link #abdicate} or {@link
 * #reclaim}. A busy bitmap is in use by an operation; a read-only one belongs to an image that can't be written; an inconsistent one was not
 * stored when its image was written last and can only be removed. What a state forbids fails with the words of QEMU.
 */
public final class DirtyBitmap {
    private final NodeBitmaps owner;
    private final DirtyBits bits;
    private final int granularityBits;

    private final BitmapState state;
    private final BitmapSuccession succession;

    /** Changed under the owner's lock. */
    private volatile long sizeBytes;

    DirtyBitmap(NodeBitmaps owner, @Nullable String name, long granularityBytes, long sizeBytes) {
        this.owner = owner;
        this.state = new BitmapState(name);
        this.succession = new BitmapSuccession(owner, this);
        this.granularityBits = Long.numberOfTrailingZeros(granularityBytes);
        this.sizeBytes = sizeBytes;
        this.bits = new DirtyBits(bitsFor(sizeBytes, granularityBits));
    }

    static long bitsFor(long sizeBytes, int granularityBits) {
        return sizeBytes == 0 ? 0 : (sizeBytes - 1 >>> granularityBits) + 1;
    }

    /** Unique among the bitmaps of a node; null for an anonymous one. */
    public @Nullable String name() {
        return state.name;
    }

    /** Bytes per bit, a power of two. */
    public long granularityBytes() {
        return 1L << granularityBits;
    }

    /** Bytes of the node that the bitmap covers. */
    public long sizeBytes() {
        return sizeBytes;
    }

    /** Whether writes set bits here; false as well while a successor records them. */
    public boolean isEnabled() {
        return state.enabled;
    }

    /** Whether writes are recorded here or by the successor. */
    public boolean isRecording() {
        DirtyBitmap next = succession.successor();
        return state.enabled || (next != null && next.state.enabled);
    }

    /** Whether an operation uses it, as one that has a successor does. */
    public boolean isBusy() {
        return state.busy;
    }

    /** Whether it belongs to an image that can't be written; it records nothing then. */
    public boolean isReadOnly() {
        return state.readOnly;
    }

    /** Whether its image was written without it: its bits mean nothing, and it can only be removed. */
    public boolean isInconsistent() {
        return state.inconsistent;
    }

    /** Whether it is stored in the image when that is closed. */
    public boolean isPersistent() {
        return state.persistent;
    }

    /** Whether another bitmap records in its place, until {@link #abdicate} or {@link #reclaim}. */
    public boolean hasSuccessor() {
        return succession.successor() != null;
    }

    /** Whether it is not as its image keeps it, as far as it was loaded from one or stored. */
    public boolean isChanged() {
        return state.changed;
    }

    /** The image keeps it as it is now. For drivers. */
    public void markStored() {
        state.changed = false;
    }

    /** Asked before an operation that changes it. @throws BlockException BUSY; READ_ONLY; CORRUPT if it is inconsistent */
    public void requireUsable() throws BlockException {
        state.requireUsable();
    }

    /** Whether the byte lies in a dirty part. */
    public boolean isDirty(long offset) {
        Objects.checkIndex(offset, sizeBytes);
        return bits.get(offset >>> granularityBits);
    }

    /** Bytes that are dirty, in whole units of the granularity, the last one included. */
    public long dirtyBytes() {
        return bits.count() << granularityBits;
    }

    /** The first dirty byte in the range, or -1. What reaches behind the end is cut. */
    public long nextDirty(long offset, long lengthBytes) {
        return next(offset, lengthBytes, true);
    }

    /** The first clean byte in the range, or -1. What reaches behind the end is cut. */
    public long nextClean(long offset, long lengthBytes) {
        return next(offset, lengthBytes, false);
    }

    private long next(long offset, long lengthBytes, boolean dirty) {
        long end = endOf(offset, lengthBytes);
        if (offset >= end) {
            return -1;
        }
        long from = offset >>> granularityBits;
        long to = (end - 1 >>> granularityBits) + 1;
        long bit = dirty ? bits.nextSet(from, to) : bits.nextClear(from, to);
        return bit < 0 ? -1 : Math.max(offset, bit << granularityBits);
    }

    /** Receives ranges. */
    @FunctionalInterface
    public interface RangeConsumer {
        /** @param lengthBytes at least 1; all of it lies within the node */
        void range(long offset, long lengthBytes) throws BlockException;
    }

    /** Tells of each dirty range from front to back, with clean bytes between any two unless bits change meanwhile. */
    public void forEachDirtyRange(RangeConsumer consumer) throws BlockException {
        forEachDirtyRange(0, Long.MAX_VALUE, consumer);
    }

    /** As {@link #forEachDirtyRange(RangeConsumer)}, of a part of the node. */
    public void forEachDirtyRange(long offset, long lengthBytes, RangeConsumer consumer) throws BlockException {
        long end = endOf(offset, lengthBytes);
        long at = nextDirty(offset, end - offset);
        while (at >= 0) {
            long clean = nextClean(at, end - at);
            long stop = clean < 0 ? end : clean;
            if (stop > at) {
                consumer.range(at, stop - at);
            }
            at = nextDirty(stop, end - stop);
        }
    }

    /** Records writes from now on. @throws BlockException BUSY; CORRUPT if it is inconsistent */
    public void enable() throws BlockException {
        setEnabled(true);
    }

    /** Records no more writes; bits stay. @throws BlockException as {@link #enable} */
    public void disable() throws BlockException {
        setEnabled(false);
    }

    private void setEnabled(boolean on) throws BlockException {
        owner.lock().lock();
        try {
            state.requireIdleAndConsistent();
            state.changed |= state.enabled != on;
            state.enabled = on;
            owner.stateChanged();
        } finally {
            owner.lock().unlock();
        }
    }

    /** Clears all bits. @throws BlockException BUSY; READ_ONLY; CORRUPT if it is inconsistent */
    public void clear() throws BlockException {
        owner.lock().lock();
        try {
            state.requireUsable();
            state.changed = true;
            bits.clear(0, bits.length());
        } finally {
            owner.lock().unlock();
        }
    }

    /**
     * Clears the bits of what lies whole within the range, where the node's end ends a unit. For the operation that uses the bitmap: being
     * busy is no bar.
     */
    public void clear(long offset, long lengthBytes) throws BlockException {
        requireChangeable();
        long end = endOf(offset, lengthBytes);
        if (offset < end) {
            long to = end == sizeBytes ? bits.length() : end >>> granularityBits;
            state.changed = true;
            bits.clear(bitsFor(offset, granularityBits), to);
        }
    }

    /** Makes the range dirty. For the operation that uses the bitmap: being busy is no bar. */
    public void set(long offset, long lengthBytes) throws BlockException {
        requireChangeable();
        long end = endOf(offset, lengthBytes);
        if (offset < end) {
            state.changed = true;
            bits.set(offset >>> granularityBits, (end - 1 >>> granularityBits) + 1);
        }
    }

    private void requireChangeable() throws BlockException {
        state.requireNot(BitmapState.Bar.READ_ONLY);
        state.requireNot(BitmapState.Bar.INCONSISTENT);
    }

    /**
     * Makes dirty here what is dirty in the others; they may have other granularities and belong to other nodes. If one of them is refused
     * nothing has changed.
     *
     * @throws BlockException BUSY, READ_ONLY or CORRUPT for this one; BUSY or CORRUPT for a source; INVALID if sizes differ
     */
    public void merge(List<DirtyBitmap> sources) throws BlockException {
        state.requireUsable();
        DirtyBits sum = new DirtyBits(bits.length());
        for (DirtyBitmap source : sources) {
            source.state.requireIdleAndConsistent();
            if (source.sizeBytes != sizeBytes) {
                throw new BlockException(
                        Kind.INVALID,
                        "Bitmaps are of different sizes (destination size is " + sizeBytes + ", source size is "
                                + source.sizeBytes + ") and can't be merged");
            }
            addTo(sum, source);
        }
        owner.lock().lock();
        try {
            state.requireUsable();
            if (sum.length() != bits.length()) {
                throw new BlockException(
                        Kind.BUSY, "Bitmap '" + state.shownName() + "' was resized while it was merged");
            }
            state.changed = true;
            bits.or(sum);
        } finally {
            owner.lock().unlock();
        }
    }

    private void addTo(DirtyBits sum, DirtyBitmap source) throws BlockException {
        if (source.granularityBits == granularityBits && source.bits.length() == sum.length()) {
            sum.or(source.bits);
            return;
        }
        long end = sizeBytes;
        source.forEachDirtyRange(
                0,
                end,
                (offset, lengthBytes) ->
                        sum.set(offset >>> granularityBits, (offset + lengthBytes - 1 >>> granularityBits) + 1));
    }

    /**
     * Freezes the bitmap for an operation and lets an anonymous one record in its place, if this one did. The node is drained where the
     * moment matters.
     *
     * @return the successor
     * @throws BlockException BUSY if the bitmap is in use or has a successor
     */
    public DirtyBitmap createSuccessor() throws BlockException {
        return succession.begin();
    }

    /** Lets the successor record, whatever this bitmap did. @throws IllegalStateException if there is none */
    public void enableSuccessor() {
        succession.enable();
    }

    /**
     * The operation succeeded: the successor takes over the name, this bitmap is gone.
     *
     * @return the successor
     * @throws BlockException INVALID if there is none
     */
    public DirtyBitmap abdicate() throws BlockException {
        return succession.abdicate();
    }

    /**
     * The operation failed: what the successor recorded comes back here, and so does the recording.
     *
     * @throws BlockException INVALID if there is none
     */
    public void reclaim() throws BlockException {
        succession.reclaim();
    }

    /** Says that an operation uses the bitmap, or no longer does. */
    public void setBusy(boolean on) {
        owner.lock().lock();
        try {
            state.busy = on || hasSuccessor();
        } finally {
            owner.lock().unlock();
        }
    }

    /**
     * Writes bits in their form on disks: bit <i>n</i> is bit <i>n</i> mod 8 of byte <i>n</i> / 8. For drivers that store bitmaps.
     *
     * @param firstBit a multiple of 64
     * @param destination a multiple of 8 bytes long; what is behind the last bit becomes 0
     * @return whether a bit was set
     */
    public boolean store(long firstBit, MemorySegment destination) {
        return bits.copyTo(firstBit, destination);
    }

    /** Sets the bits that are set in the form of {@link #store}; bits behind the end are left out. For drivers that load bitmaps. */
    public void load(long firstBit, MemorySegment source) {
        bits.setFrom(firstBit, source);
    }

    /** Number of bits. */
    public long bitCount() {
        return bits.length();
    }

    @Override
    public String toString() {
        return "bitmap " + state.shownName() + " of " + granularityBytes() + " bytes per bit";
    }

    /** A write has ended. On the way of every request of a node with bitmaps. */
    void written(long offset, long end) {
        if (end > sizeBytes) {
            owner.grow(end);
        }
        long last = Math.min(end, sizeBytes) - 1;
        if (offset <= last) {
            if (!state.changed) {
                state.changed = true;
            }
            bits.set(offset >>> granularityBits, (last >>> granularityBits) + 1);
        }
    }

    BitmapState state() {
        return state;
    }

    // Under the owner's lock.

    void addBitsOf(DirtyBitmap other) {
        bits.or(other.bits);
    }

    boolean fits(long lengthBytes) {
        return bitsFor(lengthBytes, granularityBits) <= DirtyBits.MAX_BITS;
    }

    void resize(long lengthBytes) {
        if (!fits(lengthBytes)) {
            state.enabled = false;
            state.inconsistent = true;
            return;
        }
        state.changed = true;
        bits.resize(bitsFor(lengthBytes, granularityBits));
        sizeBytes = lengthBytes;
    }

    private long endOf(long offset, long lengthBytes) {
        if (offset < 0 || lengthBytes < 0) {
            throw new IllegalArgumentException("range " + offset + "+" + lengthBytes);
        }
        long size = sizeBytes;
        return offset >= size || lengthBytes > size - offset ? Math.max(offset, size) : offset + lengthBytes;
    }
}
