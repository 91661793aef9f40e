package dev.ashlar.core.spi;

import dev.ashlar.core.BlockException;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/**
 * An image format. It does no data I/O of its own: it says <em>where</em> bytes live ({@link #map}, {@link #planWrite}) and core
 * moves them, for every format the same way.
 */
public non-sealed interface FormatInstance extends DriverInstance {
    /**
     * Whether much of what {@link #map} calls data was never written, so that holes of the file below are worth a look when somebody asks which parts read as
     * zeros.
     */
    default boolean hasUnwrittenData() throws BlockException {
        return false;
    }

    /** The child to which {@link #mapDirect} and {@link #planInPlace} refer. */
    ChildAccess dataChild();

    /**
     * Where the range lives. May do metadata I/O.
     *
     * @param guestOffset 0 or more; at or behind the end gives {@link Mapping.EndOfImage}
     * @param lengthBytes at least 1; what reaches behind the end is cut
     */
    Mapping map(long guestOffset, long lengthBytes) throws BlockException;

    /**
     * The hit path of {@link #map}: no lock, no allocation, no I/O, no waiting.
     *
     * @return the offset in {@link #dataChild()} of the whole range, if it is plain and contiguous there and this is known
     *     without I/O; else -1, which decides nothing
     */
    default long mapDirect(long guestOffset, long lengthBytes) {
        return -1;
    }

    /**
     * The hit path of {@link #planWrite}, likewise, for writes in place that change no metadata.
     *
     * @return the offset in {@link #dataChild()}, or -1
     */
    default long planInPlace(long guestOffset, long lengthBytes) {
        return -1;
    }

    /**
     * Prepares a write of the front of the range. The caller's request is serialising on whole allocation units.
     *
     * @param guestOffset before the end of the node; the range does not reach behind it
     */
    WritePlan planWrite(long guestOffset, long lengthBytes) throws BlockException;

    /** Granularity of allocation (the cluster size), a power of two. 1 where writes never allocate. */
    long allocationUnitBytes();

    /** Granularity in which {@link #writeZeroes} works, a power of two; at most the allocation unit. */
    default long zeroUnitBytes() {
        return allocationUnitBytes();
    }

    /**
     * Reads {@code destination.byteSize()} bytes at {@code guestOffset}, which {@link #map} called {@link Mapping.Encoded}.
     *
     * @param mapping that answer; the range lies within what it covered
     */
    default void decode(Mapping.Encoded mapping, long guestOffset, MemorySegment destination) throws BlockException {
        throw new IllegalStateException("nothing is encoded here");
    }

    /**
     * Makes whole {@linkplain #zeroUnitBytes units} read as zeros without writing data, as far as the format can.
     *
     * @param guestOffset a multiple of the unit, as is the end of the range; the range may end at the end of the node instead
     * @param mayUnmap space may be given back
     * @return bytes done from the front; 0: core writes zeros instead
     */
    default long writeZeroes(long guestOffset, long lengthBytes, boolean mayUnmap) throws BlockException {
        return 0;
    }

    /** Gives back the space of whole allocation units; they read as zeros (or anything, per format) afterwards. */
    default void discard(long guestOffset, long lengthBytes) throws BlockException {}

    /** The backing file that the image names, where it names one. */
    default Optional<ImageReference> backing() {
        return Optional.empty();
    }

    /** Facts for {@code info}. */
    FormatInfo info() throws BlockException;
}
