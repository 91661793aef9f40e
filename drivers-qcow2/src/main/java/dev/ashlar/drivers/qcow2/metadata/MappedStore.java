package dev.ashlar.drivers.qcow2.metadata;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.MetadataAccess;
import dev.ashlar.core.spi.MetadataAccess.MappedView;
import dev.ashlar.drivers.qcow2.format.Bits;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Tables seen through a read-only shared mapping of the file. The reserved range is far larger than the file; what lies behind it
 * is read with plain reads. The only class that touches the mapping: a page that can't be read surfaces as {@link InternalError}
 * and leaves here as an I/O error.
 */
public final class MappedStore implements MetadataStore {
    /** Least virtual range to reserve, so that growth needs no second mapping. */
    private static final long RESERVE_BYTES = 1L << 40;

    private final ChildAccess file;
    private final MetadataAccess access;
    private final MappedView view;
    private final MemorySegment mapped;
    /** File length last seen; pages below it may be touched. Lowered before the file is cut. */
    private volatile long knownLengthBytes;

    private MappedStore(ChildAccess file, MappedView view) throws BlockException {
        this.file = file;
        this.access = file.metadata();
        this.view = view;
        this.mapped = view.segment();
        this.knownLengthBytes = file.lengthBytes();
    }

    /** @return null where the child can't be mapped */
    public static @org.jspecify.annotations.Nullable MappedStore open(ChildAccess file) throws BlockException {
        long lengthBytes = file.lengthBytes();
        MappedView view = file.metadata()
                .map(Math.max(RESERVE_BYTES, Long.highestOneBit(lengthBytes) * 4))
                .orElse(null);
        return view == null ? null : new MappedStore(file, view);
    }

    @Override
    public long u64(long hostOffset) throws BlockException {
        require(hostOffset, 8);
        if (hostOffset > mapped.byteSize() - 8) {
            return Bits.u64(copy(hostOffset, 8), 0);
        }
        try {
            return Bits.u64(mapped, hostOffset);
        } catch (InternalError e) {
            throw pageFailed(hostOffset, e);
        }
    }

    @Override
    public long u64IfResident(long hostOffset, long fallback) {
        if (hostOffset < 0 || hostOffset > knownLengthBytes - 8 || hostOffset > mapped.byteSize() - 8) {
            return fallback;
        }
        try {
            return Bits.u64(mapped, hostOffset);
        } catch (InternalError e) {
            return fallback;
        }
    }

    @Override
    public boolean isAtHand(long hostOffset) {
        return true;
    }

    @Override
    public void read(long hostOffset, MemorySegment destination) throws BlockException {
        long bytes = destination.byteSize();
        require(hostOffset, bytes);
        if (hostOffset > mapped.byteSize() - bytes) {
            access.read(hostOffset, destination);
            return;
        }
        try {
            MemorySegment.copy(mapped, hostOffset, destination, 0, bytes);
        } catch (InternalError e) {
            throw pageFailed(hostOffset, e);
        }
    }

    @Override
    public MemorySegment view(long hostOffset, long lengthBytes) throws BlockException {
        require(hostOffset, lengthBytes);
        return hostOffset > mapped.byteSize() - lengthBytes
                ? copy(hostOffset, lengthBytes)
                : mapped.asSlice(hostOffset, lengthBytes);
    }

    private MemorySegment copy(long hostOffset, long lengthBytes) throws BlockException {
        MemorySegment copy = Arena.ofAuto().allocate(lengthBytes, 8);
        access.read(hostOffset, copy);
        return copy;
    }

    @Override
    public void write(long hostOffset, MemorySegment source) throws BlockException {
        access.write(hostOffset, source);
    }

    /** No page behind the end of the file is touched: the kernel would raise SIGBUS there. */
    private void require(long hostOffset, long bytes) throws BlockException {
        if (hostOffset < 0 || hostOffset > knownLengthBytes - bytes) {
            knownLengthBytes = file.lengthBytes();
            if (hostOffset < 0 || hostOffset > knownLengthBytes - bytes) {
                throw new BlockException(
                        Kind.IO,
                        "Metadata at offset 0x" + Long.toHexString(hostOffset) + " lies behind the end of the file");
            }
        }
    }

    private static BlockException pageFailed(long hostOffset, InternalError cause) {
        return new BlockException(
                Kind.IO, "Metadata at offset 0x" + Long.toHexString(hostOffset) + " can't be read", cause);
    }

    /** Nothing: the mapping shows what is written. */
    @Override
    public void forget(long hostOffset, long lengthBytes) {}

    @Override
    public void cut(long lengthBytes) {
        knownLengthBytes = Math.min(knownLengthBytes, lengthBytes);
    }

    @Override
    public void close() {
        view.close();
    }
}
