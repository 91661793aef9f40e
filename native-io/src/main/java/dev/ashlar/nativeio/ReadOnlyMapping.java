package dev.ashlar.nativeio;

import dev.ashlar.nativeio.syscall.Platform;
import dev.ashlar.nativeio.syscall.SystemCall;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The page cache of a file as memory: a shared, read-only mapping from offset 0.
 *
 * <p>The mapping may be far longer than the file. Bytes appear as the file grows, without mapping
 * again. Reading a page behind the end of the file, or one that the device fails to deliver, raises
 * {@link InternalError}, possibly some statements after the access; the rest of the last page
 * behind the end of the file reads as zeros. Writes by any process through the page cache are seen
 * at once, torn in any way: copy a value out once, then judge the copy.
 *
 * <p>The mapping outlives the {@link LinuxFile} it was made from. Safe for use by many threads;
 * {@link #close} makes further access throw {@link IllegalStateException}.
 *
 * @see <a href="https://man7.org/linux/man-pages/man2/mmap.2.html">mmap(2)</a>
 */
public final class ReadOnlyMapping implements AutoCloseable {
    private static final int PROT_READ = 1;
    private static final int MAP_SHARED = 1;
    private static final int MAP_NORESERVE = 0x4000;
    private static final int MS_SYNC = 4;

    private final Arena arena;
    private final MemorySegment segment;

    private ReadOnlyMapping(Arena arena, MemorySegment segment) {
        this.arena = arena;
        this.segment = segment;
    }

    /**
     * Maps the first {@code reserveBytes} bytes of a file that is open for reading.
     *
     * @param reserveBytes length of the address range, at least 1; the file may be shorter
     * @throws ErrnoException {@code ENODEV} where the file cannot be mapped, {@code ENOMEM} where the
     *     range is too long
     */
    public static ReadOnlyMapping map(LinuxFile file, long reserveBytes) throws ErrnoException {
        if (reserveBytes < 1) {
            throw new IllegalArgumentException("length must be positive: " + reserveBytes);
        }
        if (!file.acquire()) {
            throw new ErrnoException("mmap", Errno.EBADF, file.path());
        }
        long address;
        try {
            address = SystemCall.invoke(
                    Platform.MMAP, 0, reserveBytes, PROT_READ, MAP_SHARED | MAP_NORESERVE, file.descriptor(), 0);
        } finally {
            file.release();
        }
        file.check("mmap", address);
        Arena arena = Arena.ofShared();
        MemorySegment segment = MemorySegment.ofAddress(address)
                .reinterpret(reserveBytes, arena, mapped -> unmap(mapped.address(), reserveBytes))
                .asReadOnly();
        return new ReadOnlyMapping(arena, segment);
    }

    /** The mapped bytes, read-only; usable until {@link #close}. */
    public MemorySegment segment() {
        return segment;
    }

    /** Length of the mapped range. */
    public long reserveBytes() {
        return segment.byteSize();
    }

    /**
     * Tells the kernel how a range will be used; it is widened to whole pages. Returns 0 or a
     * negative errno.
     *
     * @see <a href="https://man7.org/linux/man-pages/man2/madvise.2.html">madvise(2)</a>
     */
    public int advise(AccessAdvice advice, long offset, long lengthBytes) {
        return onPages(Platform.MADVISE, offset, lengthBytes, advice.number());
    }

    /**
     * Writes back what any process has stored to the range of the file through a mapping. Returns 0
     * or a negative errno.
     *
     * @see <a href="https://man7.org/linux/man-pages/man2/msync.2.html">msync(2)</a>
     */
    public int sync(long offset, long lengthBytes) {
        return onPages(Platform.MSYNC, offset, lengthBytes, MS_SYNC);
    }

    /** Removes the mapping. Closing again does nothing. */
    @Override
    public void close() {
        synchronized (arena) {
            if (arena.scope().isAlive()) {
                arena.close();
            }
        }
    }

    private int onPages(int call, long offset, long lengthBytes, int argument) {
        long address = segment.asSlice(offset, lengthBytes).address();
        long slack = address & (PageSize.bytes() - 1);
        // These calls have the address in the first place, where the linker does not keep it alive.
        synchronized (arena) {
            if (!arena.scope().isAlive()) {
                throw new IllegalStateException("mapping is closed");
            }
            return (int) SystemCall.restarting(call, address - slack, lengthBytes + slack, argument, 0, 0);
        }
    }

    private static void unmap(long address, long lengthBytes) {
        SystemCall.invoke(Platform.MUNMAP, address, lengthBytes, 0, 0, 0, 0);
    }
}
