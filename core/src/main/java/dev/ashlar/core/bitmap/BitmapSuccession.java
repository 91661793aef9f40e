package dev.ashlar.core.bitmap;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import org.jspecify.annotations.Nullable;

/**
 * Who records while an operation uses a bitmap: an anonymous successor, which takes the bitmap's place if the operation succeeds and is taken
 * in again if it fails. Each step is taken under the lock of the node's bitmaps, and no write is lost in any (B3).
 */
final class BitmapSuccession {
    private final NodeBitmaps owner;
    private final DirtyBitmap bitmap;
    private volatile @Nullable DirtyBitmap successor;

    BitmapSuccession(NodeBitmaps owner, DirtyBitmap bitmap) {
        this.owner = owner;
        this.bitmap = bitmap;
    }

    @Nullable
    DirtyBitmap successor() {
        return successor;
    }

    /** @see DirtyBitmap#createSuccessor */
    DirtyBitmap begin() throws BlockException {
        BitmapState state = bitmap.state();
        owner.lock().lock();
        try {
            if (state.busy) {
                throw new BlockException(
                        Kind.BUSY, "Cannot create a successor for a bitmap that is in-use by an operation");
            }
            state.requireIdleAndConsistent();
            DirtyBitmap next = owner.addAnonymous(bitmap.granularityBytes(), bitmap.sizeBytes());
            state.changed = true;
            next.state().enabled = state.enabled;
            state.enabled = false;
            state.busy = true;
            successor = next;
            owner.stateChanged();
            return next;
        } finally {
            owner.lock().unlock();
        }
    }

    /** @see DirtyBitmap#enableSuccessor */
    void enable() {
        owner.lock().lock();
        try {
            DirtyBitmap next = successor;
            if (next == null) {
                throw new IllegalStateException("bitmap '" + bitmap.state().shownName() + "' has no successor");
            }
            next.state().enabled = true;
            owner.stateChanged();
        } finally {
            owner.lock().unlock();
        }
    }

    /** @see DirtyBitmap#abdicate */
    DirtyBitmap abdicate() throws BlockException {
        BitmapState state = bitmap.state();
        owner.lock().lock();
        try {
            DirtyBitmap next = successor;
            if (next == null) {
                throw new BlockException(Kind.INVALID, "Cannot relinquish control if there's no successor present");
            }
            String named = state.name;
            next.state().persistent = state.persistent;
            state.persistent = false;
            state.busy = false;
            successor = null;
            owner.forget(bitmap);
            owner.forget(next);
            state.name = null;
            next.state().name = named;
            owner.add(next);
            owner.stateChanged();
            return next;
        } finally {
            owner.lock().unlock();
        }
    }

    /** @see DirtyBitmap#reclaim */
    void reclaim() throws BlockException {
        BitmapState state = bitmap.state();
        owner.lock().lock();
        try {
            DirtyBitmap next = successor;
            if (next == null) {
                throw new BlockException(Kind.INVALID, "Cannot reclaim a successor when none is present");
            }
            state.enabled = next.state().enabled;
            state.busy = false;
            successor = null;
            owner.forget(next);
            // First the recording, then the bits: a write that only found the successor sees the change and comes here
            // as well.
            owner.stateChanged();
            bitmap.addBitsOf(next);
        } finally {
            owner.lock().unlock();
        }
    }
}
