package dev.ashlar.nativeio;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.ashlar.nativeio.syscall.Platform;
import dev.ashlar.nativeio.syscall.SystemCall;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;

/**
 * One {@code io_uring}: its descriptor and the two queues it shares with the kernel.
 *
 * <p>The kernel reads submissions from the head this side only reads, and writes completions at a
 * tail this side only reads; each index is published with release and read with acquire order.
 * Owned by one thread at a time.
 *
 * @see <a href="https://man7.org/linux/man-pages/man7/io_uring.7.html">io_uring(7)</a>
 */
final class Ring {
    static final int ENTRY_BYTES = 64;

    private static final int FEATURE_SINGLE_MMAP = 1;
    private static final int FEATURE_NODROP = 1 << 1;
    private static final int FEATURE_SUBMIT_STABLE = 1 << 2;
    private static final int FEATURE_EXT_ARG = 1 << 8;
    private static final int NEEDED_FEATURES =
            FEATURE_SINGLE_MMAP | FEATURE_NODROP | FEATURE_SUBMIT_STABLE | FEATURE_EXT_ARG;

    private static final int ENTER_GETEVENTS = 1;
    private static final int ENTER_EXT_ARG = 1 << 3;
    private static final int REGISTER_ENABLE_RINGS = 12;

    private static final int SQ_CQ_OVERFLOW = 1 << 1;
    private static final int SQ_TASKRUN = 1 << 2;

    private static final int PROT_READ_WRITE = 3;
    private static final int MAP_SHARED_POPULATE = 0x8001;
    private static final long OFFSET_RINGS = 0;
    private static final long OFFSET_ENTRIES = 0x10000000L;
    private static final int COMPLETION_BYTES = 16;

    private static final VarHandle INT = JAVA_INT.varHandle();

    private final RingKernel kernel;
    private final LinuxFile file;
    private final Arena arena;
    private final MemorySegment rings;
    private final MemorySegment entries;

    /** A {@code struct io_uring_getevents_arg} (24 bytes) and the {@code timespec} it points to. */
    private final MemorySegment waitArgument;

    private final int entryCount;
    private final int entryMask;
    private final long sqHeadOffset;
    private final long sqTailOffset;
    private final long sqFlagsOffset;
    private final int completionMask;
    private final long cqHeadOffset;
    private final long cqTailOffset;
    private final long completionsOffset;

    /**
     * Next submission to fill in; what lies before it and behind {@link #submittedTail} is prepared.
     */
    private int sqTail;

    private int submittedTail;
    private int cqHead;
    private boolean disabled;

    /**
     * Makes a ring for at least {@code depth} submissions with the best of the setup flags that the
     * kernel knows.
     */
    static Ring open(int depth, RingSetup[] choices, RingKernel kernel) throws ErrnoException {
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment params = scratch.allocate(RingSetup.PARAMS_BYTES, JAVA_LONG.byteAlignment());
            int descriptor = -Errno.EINVAL;
            int flags = 0;
            for (int i = 0; i < choices.length && descriptor == -Errno.EINVAL; i++) {
                params.fill((byte) 0);
                flags = choices[i].flags();
                params.set(JAVA_INT, RingSetup.FLAGS, flags);
                params.set(JAVA_INT, RingSetup.CQ_ENTRIES, choices[i].completionEntries());
                descriptor = kernel.setup(depth, params);
            }
            if (descriptor < 0) {
                throw new ErrnoException("io_uring_setup", -descriptor, "");
            }
            LinuxFile file = LinuxFile.ofDescriptor(descriptor, "io_uring");
            if ((params.get(JAVA_INT, RingSetup.FEATURES) & NEEDED_FEATURES) != NEEDED_FEATURES) {
                file.close();
                throw new ErrnoException("io_uring_setup", Errno.ENOSYS, "");
            }
            Arena arena = Arena.ofShared();
            try {
                return new Ring(kernel, file, arena, params, flags);
            } catch (ErrnoException e) {
                arena.close();
                file.close();
                throw e;
            }
        }
    }

    private Ring(RingKernel kernel, LinuxFile file, Arena arena, MemorySegment params, int flags)
            throws ErrnoException {
        this.kernel = kernel;
        this.file = file;
        this.arena = arena;
        this.disabled = (flags & RingSetup.R_DISABLED) != 0;
        entryCount = params.get(JAVA_INT, RingSetup.SQ_ENTRIES);
        int completionCount = params.get(JAVA_INT, RingSetup.CQ_ENTRIES);
        sqHeadOffset = params.get(JAVA_INT, RingSetup.SQ_OFFSETS);
        sqTailOffset = params.get(JAVA_INT, RingSetup.SQ_OFFSETS + 4);
        entryMask = entryCount - 1;
        sqFlagsOffset = params.get(JAVA_INT, RingSetup.SQ_OFFSETS + 16);
        long arrayOffset = params.get(JAVA_INT, RingSetup.SQ_OFFSETS + 24);
        cqHeadOffset = params.get(JAVA_INT, RingSetup.CQ_OFFSETS);
        cqTailOffset = params.get(JAVA_INT, RingSetup.CQ_OFFSETS + 4);
        completionMask = completionCount - 1;
        completionsOffset = params.get(JAVA_INT, RingSetup.CQ_OFFSETS + 20);

        long ringsBytes = Math.max(
                arrayOffset + (long) entryCount * Integer.BYTES,
                completionsOffset + (long) completionCount * COMPLETION_BYTES);
        rings = map(ringsBytes, OFFSET_RINGS);
        entries = map((long) entryCount * ENTRY_BYTES, OFFSET_ENTRIES);
        waitArgument = arena.allocate(40, JAVA_LONG.byteAlignment());
        waitArgument.set(JAVA_LONG, 16, waitArgument.address() + 24);
        // Submission i always uses entry i: the indirection of the ring is filled in once.
        for (int i = 0; i < entryCount; i++) {
            rings.set(JAVA_INT, arrayOffset + (long) i * Integer.BYTES, i);
        }
    }

    private MemorySegment map(long lengthBytes, long offset) throws ErrnoException {
        long address = SystemCall.invoke(
                Platform.MMAP, 0, lengthBytes, PROT_READ_WRITE, MAP_SHARED_POPULATE, file.descriptor(), offset);
        if (address < 0) {
            throw new ErrnoException("mmap", (int) -address, "io_uring");
        }
        return MemorySegment.ofAddress(address)
                .reinterpret(
                        lengthBytes,
                        arena,
                        mapped -> SystemCall.invoke(Platform.MUNMAP, mapped.address(), lengthBytes, 0, 0, 0, 0));
    }

    /** Memory of the submission entries; those not handed over yet may be written. */
    MemorySegment entries() {
        return entries;
    }

    /**
     * Offset in {@link #entries} of a zeroed entry for the next submission, or -1 when the queue is
     * full.
     */
    long nextEntry() {
        if (sqTail - (int) INT.getAcquire(rings, sqHeadOffset) == entryCount) {
            return -1;
        }
        long offset = (long) (sqTail & entryMask) * ENTRY_BYTES;
        sqTail++;
        return offset;
    }

    /** Number of entries prepared and not yet handed over. */
    int pending() {
        return sqTail - submittedTail;
    }

    /**
     * Hands over what is pending and waits for completions.
     *
     * @param minComplete completions that must be in the queue before this returns
     * @param timeoutNanos longest wait, or {@link Long#MAX_VALUE}
     * @return 0, or a negative errno of {@code EINTR}, {@code ETIME}, {@code EAGAIN} or {@code EBUSY}
     */
    int enter(int minComplete, boolean collect, long timeoutNanos) throws ErrnoException {
        if (disabled) {
            enable();
        }
        int pending = pending();
        if (pending > 0) {
            INT.setRelease(rings, sqTailOffset, sqTail);
        }
        int flags = collect ? ENTER_GETEVENTS : 0;
        long argument = 0;
        long argumentBytes = 0;
        if (timeoutNanos != Long.MAX_VALUE) {
            waitArgument.set(JAVA_LONG, 24, timeoutNanos / 1_000_000_000);
            waitArgument.set(JAVA_LONG, 32, timeoutNanos % 1_000_000_000);
            flags |= ENTER_EXT_ARG;
            argument = waitArgument.address();
            argumentBytes = 24;
        }
        int result = kernel.enter(file.descriptor(), pending, minComplete, flags, argument, argumentBytes);
        // The head tells what was taken even when an error hides the count.
        submittedTail = (int) INT.getAcquire(rings, sqHeadOffset);
        if (result >= 0) {
            return 0;
        }
        return switch (-result) {
            case Errno.EINTR, Errno.ETIME, Errno.EAGAIN, Errno.EBUSY -> result;
            case Errno.EEXIST -> throw new IllegalStateException("engine belongs to the thread that submitted first");
            default -> throw new ErrnoException("io_uring_enter", -result, "");
        };
    }

    private void enable() throws ErrnoException {
        int result = register(REGISTER_ENABLE_RINGS, 0, 0);
        if (result < 0) {
            throw new ErrnoException("io_uring_register", -result, "");
        }
        disabled = false;
    }

    /** Whether completions wait in the kernel for a call to {@link #enter}. */
    boolean hasHiddenCompletions() {
        return ((int) INT.getAcquire(rings, sqFlagsOffset) & (SQ_CQ_OVERFLOW | SQ_TASKRUN)) != 0;
    }

    /** Number of completions that can be read now. */
    int completionCount() {
        return (int) INT.getAcquire(rings, cqTailOffset) - cqHead;
    }

    /** The word that the oldest completion's submission was given. */
    long completionUserData() {
        return rings.get(JAVA_LONG, completionOffset());
    }

    /** The oldest completion's result. */
    int completionResult() {
        return rings.get(JAVA_INT, completionOffset() + 8);
    }

    private long completionOffset() {
        return completionsOffset + (long) (cqHead & completionMask) * COMPLETION_BYTES;
    }

    /** Gives the oldest completion's place back to the kernel. */
    void dropCompletion() {
        cqHead++;
        INT.setRelease(rings, cqHeadOffset, cqHead);
    }

    /** {@code io_uring_register(2)} on this ring. */
    int register(int operation, long argument, int count) {
        return kernel.register(file.descriptor(), operation, argument, count);
    }

    /**
     * Unmaps the queues and gives the descriptor back; nothing that uses caller's memory may be in
     * flight.
     */
    void close() {
        arena.close();
        file.close();
    }
}
