package dev.ashlar.drivers.file;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.HostExtent;
import dev.ashlar.core.spi.Preallocation;

/** How a kind of host file gives out, zeros and takes back space. Blocking; any thread. */
sealed interface HostSpace permits RegularFileSpace, DeviceSpace {
    /** Makes a range read as zeros; see {@link dev.ashlar.core.spi.ProtocolInstance#writeZeroes}. */
    void writeZeroes(long offset, long lengthBytes, boolean mayUnmap) throws BlockException;

    /** Frees a range, or does nothing where the host can't. */
    void discard(long offset, long lengthBytes) throws BlockException;

    /** How the range starts. */
    HostExtent extentAt(long offset, long lengthBytes) throws BlockException;

    /** Sets the size. */
    void truncate(long lengthBytes, Preallocation preallocation) throws BlockException;

    /** Unit of {@link #discard}, a power of two, or 1. */
    int discardAlignmentBytes();

    /** Unit of {@link #writeZeroes}, a power of two, or 1. */
    int writeZeroesAlignmentBytes();
}
