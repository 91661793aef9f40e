/**
 * Safe Java face of the Linux system calls a block layer needs.
 *
 * <p>{@link dev.ashlar.nativeio.LinuxFile} is an open file; {@link dev.ashlar.nativeio.OfdLocks}
 * and {@link dev.ashlar.nativeio.BlockDevice} add byte-range locks and block-device requests to it;
 * {@link dev.ashlar.nativeio.ReadOnlyMapping} maps it; {@link dev.ashlar.nativeio.AlignedBuffers}
 * makes memory that direct I/O accepts; {@link dev.ashlar.nativeio.IoEngine} keeps many operations
 * in flight, through {@code io_uring} where the kernel allows it and one at a time where it does
 * not.
 *
 * <p>Calls that stand on a data path, or whose failure is an ordinary branch for the caller ("not
 * supported here, write zeros instead"), return a negative {@link dev.ashlar.nativeio.Errno} and
 * allocate nothing; {@link dev.ashlar.nativeio.LinuxFile#check} turns such a number into an {@link
 * dev.ashlar.nativeio.ErrnoException}. All other calls throw it themselves. Calls into the kernel
 * block the thread that makes them, and pin the carrier of a virtual thread while they do.
 */
package dev.ashlar.nativeio;
