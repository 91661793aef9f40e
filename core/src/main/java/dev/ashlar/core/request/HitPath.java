package dev.ashlar.core.request;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.FormatInstance;
import dev.ashlar.core.spi.ProtocolInstance;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The way of a queue's requests from a node straight to the file below: through formats that know without I/O where bytes live. Each
 * layer on the way tracks the request until it completes. No lock, no allocation.
 */
final class HitPath {
    private final FormatLayer[] formats;
    private final ProtocolLayer file;
    /** The opening to which the queue's ring belongs. */
    private final ProtocolInstance opening;
    /** One bank per format from the top, then the file's. */
    private final SlotBank[] banks;
    /** Where each request is in each format, slot by slot: nobody asks the formats again when it ends. */
    private final long[] offsets;

    private HitPath(List<FormatLayer> formats, ProtocolLayer file, int depth, BankOwner owner) {
        this.formats = formats.toArray(new FormatLayer[0]);
        this.file = file;
        this.opening = file.instance();
        this.banks = new SlotBank[this.formats.length + 1];
        for (int i = 0; i < this.formats.length; i++) {
            banks[i] = this.formats[i].tracker().openBank(depth, owner);
        }
        banks[this.formats.length] = file.tracker().openBank(depth, owner);
        this.offsets = new long[this.formats.length * depth];
    }

    /** The path from that layer down, or null where a filter must see each request. */
    static @Nullable HitPath from(Layer top, int depth, BankOwner owner) {
        List<FormatLayer> formats = new ArrayList<>(2);
        Layer layer = top;
        while (layer instanceof FormatLayer format) {
            if (!(format.instance().dataChild() instanceof LayerAccess access)) {
                return null;
            }
            formats.add(format);
            layer = access.child();
        }
        return layer instanceof ProtocolLayer file ? new HitPath(formats, file, depth, owner) : null;
    }

    ProtocolInstance opening() {
        return opening;
    }

    ProtocolLayer file() {
        return file;
    }

    /**
     * Admits a request at each layer on the way.
     *
     * @return its offset in the file, or -1: then nothing is left admitted
     */
    long enter(int slot, long offset, MemorySegment buffer, boolean write, Origin origin) {
        long length = buffer.byteSize();
        long at = offset;
        for (int i = 0; i < formats.length; i++) {
            if (!banks[i].tryEnter(slot, at, at + length)) {
                leave(slot, i);
                return -1;
            }
            offsets[slot * formats.length + i] = at;
            // Asked only now: an answer is good for tracked requests alone.
            FormatInstance format = formats[i].instance();
            at = formats[i].isClosed() || !leadsHere(i, origin)
                    ? -1
                    : write ? format.planInPlace(at, length) : format.mapDirect(at, length);
            if (at < 0) {
                leave(slot, i + 1);
                return -1;
            }
        }
        if (!file.takes(at, buffer) || !banks[formats.length].tryEnter(slot, at, at + length)) {
            leave(slot, formats.length);
            return -1;
        }
        if (file.isClosed()
                || !leadsHere(formats.length, origin)
                || !file.instance().equals(opening)
                || (write && !mayWrite(offset))) {
            exit(slot);
            return -1;
        }
        return at;
    }

    /** Whether requests of the user still go this way; a hint to those that are in none of the layers. */
    boolean isCurrent(Origin origin) {
        for (int i = 0; i <= formats.length; i++) {
            if (!leadsHere(i, origin)) {
                return false;
            }
        }
        return file.instance().equals(opening);
    }

    /** Whether what is above still leads to a layer of the way; stays so for who is inside what is above (D4). */
    private boolean leadsHere(int i, Origin origin) {
        Layer here = i < formats.length ? formats[i] : file;
        return i == 0
                ? origin.leadsTo(here)
                : formats[i - 1].instance().dataChild() instanceof LayerAccess access && access.child() == here;
    }

    /** A write that was admitted has been carried out or has failed: bitmaps are told before it ends. */
    void written(int slot, long hostOffset, long lengthBytes) {
        for (int i = 0; i < formats.length; i++) {
            long offset = offsets[slot * formats.length + i];
            formats[i].bitmaps().written(offset, offset + lengthBytes);
        }
        file.bitmaps().written(hostOffset, hostOffset + lengthBytes);
    }

    /** Ends a request that was admitted. */
    void exit(int slot) {
        leave(slot, banks.length);
    }

    void close() {
        for (int i = 0; i < banks.length; i++) {
            (i < formats.length ? formats[i] : file).tracker().closeBank(banks[i]);
        }
    }

    private void leave(int slot, int layers) {
        for (int i = layers - 1; i >= 0; i--) {
            banks[i].exit(slot);
        }
    }

    private boolean mayWrite(long offset) {
        for (FormatLayer format : formats) {
            if (!format.takesWrites(offset)) {
                return false;
            }
        }
        return file.takesWrites(offset);
    }

    /** The failure that the file reported as a negative errno. */
    static BlockException failure(int errno, ProtocolLayer file, boolean write) {
        BlockException.Kind kind = switch (errno) {
            case -28, -122 -> BlockException.Kind.NO_SPACE;
            case -27 -> BlockException.Kind.TOO_LARGE;
            case -1, -13 -> BlockException.Kind.PERMISSION;
            case -9 -> BlockException.Kind.CLOSED;
            case -22 -> BlockException.Kind.INVALID;
            default -> BlockException.Kind.IO;
        };
        return new BlockException(
                kind,
                (write ? "Write to '" : "Read from '") + file.instance().fileName() + "' failed: " + kind.reason());
    }
}
