package dev.ashlar.cli.interop.differential;

import dev.ashlar.testkit.qcow2.StoredBitmap;
import java.util.BitSet;

/** What a dirty bitmap of an image must hold. */
final class BitmapModel {
    private final int granularityBytes;
    private BitSet bits = new BitSet();
    private boolean enabled = true;
    /** Something may have been copied into the image that no model follows: more bits than these may be set when it is looked at next. */
    private boolean grown;

    BitmapModel(int granularityBytes) {
        this.granularityBytes = granularityBytes;
    }

    BitmapModel copy() {
        BitmapModel result = new BitmapModel(granularityBytes);
        result.bits = (BitSet) bits.clone();
        result.enabled = enabled;
        result.grown = grown;
        return result;
    }

    void enable(boolean on) {
        enabled = on;
    }

    void clear() {
        bits.clear();
        grown = false;
    }

    /** What is copied into the image from now on is not known in detail. */
    void mayGrow() {
        grown |= enabled;
    }

    void touch(long offset, long lengthBytes) {
        if (enabled && lengthBytes > 0) {
            set(offset, offset + lengthBytes);
        }
    }

    private void set(long from, long to) {
        bits.set((int) (from / granularityBytes), (int) ((to - 1) / granularityBytes) + 1);
    }

    /** A granule that the new end is in keeps its bit. */
    void resize(long lengthBytes) {
        bits.clear(count(lengthBytes), Math.max(bits.length(), count(lengthBytes)));
    }

    private int count(long lengthBytes) {
        return (int) Math.ceilDiv(lengthBytes, (long) granularityBytes);
    }

    /** @param diskBytes where the disk ends: bits behind it are not set */
    void merge(BitmapModel source, long diskBytes) {
        BitSet from = (BitSet) source.bits.clone();
        for (int bit = from.nextSetBit(0); bit >= 0; bit = from.nextSetBit(bit + 1)) {
            set((long) bit * source.granularityBytes, Math.min(diskBytes, (bit + 1L) * source.granularityBytes));
        }
        grown |= source.grown;
    }

    /** Compares with what is in the file, and takes over what may have been set. @return what differs, or an empty text */
    String mismatch(StoredBitmap found) {
        BitSet expected = (BitSet) bits.clone();
        if (grown) {
            expected.or(found.bits());
        }
        grown = false;
        bits = expected;
        if (found.granularityBytes() != granularityBytes || found.isInUse() || found.isEnabled() != enabled) {
            return found + " instead of granularity " + granularityBytes + ", enabled " + enabled;
        }
        BitSet difference = (BitSet) expected.clone();
        difference.xor(found.bits());
        return difference.isEmpty()
                ? ""
                : "bits " + difference + " differ, which should be " + expected.get(difference.nextSetBit(0));
    }
}
