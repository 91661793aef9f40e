package dev.ashlar.nativeio;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * What the kernel's {@code io_uring} offers this process.
 *
 * @param refusal 0, or the positive errno with which the kernel or a policy refuses rings
 * @param operations bit <i>n</i> is set when operation code <i>n</i> is supported
 * @see <a
 *     href="https://man7.org/linux/man-pages/man2/io_uring_register.2.html">IORING_REGISTER_PROBE</a>
 */
public record RingFeatures(int refusal, long operations) {
    private static final int REGISTER_PROBE = 8;
    private static final int MAX_OPERATIONS = 64;

    /*
     * struct io_uring_probe: 0 u8 last_op, 1 u8 ops_len, 2 .. 16 reserved, then for each operation
     * 0 u8 op, 1 u8 -, 2 u16 flags (bit 0: supported), 4 u32 -
     */
    private static final int HEADER_BYTES = 16;
    private static final int OPERATION_BYTES = 8;

    /** Asks the kernel, by making a small ring for a moment. */
    public static RingFeatures probe() {
        return probe(RingKernel.LINUX);
    }

    static RingFeatures probe(RingKernel kernel) {
        try {
            Ring ring = Ring.open(1, RingSetup.choices(EngineOwnership.MOVABLE), kernel);
            try {
                return of(ring);
            } finally {
                ring.close();
            }
        } catch (ErrnoException e) {
            return new RingFeatures(e.errno(), 0);
        }
    }

    static RingFeatures of(Ring ring) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment probe = arena.allocate(HEADER_BYTES + MAX_OPERATIONS * OPERATION_BYTES, 8);
            int result = ring.register(REGISTER_PROBE, probe.address(), MAX_OPERATIONS);
            if (result < 0) {
                return new RingFeatures(-result, 0);
            }
            long operations = 0;
            int count = Byte.toUnsignedInt(probe.get(JAVA_BYTE, 1));
            for (int i = 0; i < Math.min(count, MAX_OPERATIONS); i++) {
                int flags = probe.get(JAVA_SHORT, HEADER_BYTES + (long) i * OPERATION_BYTES + 2);
                operations |= (flags & 1L) << i;
            }
            return new RingFeatures(0, operations);
        }
    }

    /** Whether rings can be made and have every operation that {@link IoEngine} needs. */
    public boolean isSufficient() {
        return refusal == 0 && (operations & SubmissionEntries.OPERATIONS) == SubmissionEntries.OPERATIONS;
    }

    void requireEngineOperations() throws ErrnoException {
        if (!isSufficient()) {
            throw new ErrnoException("io_uring_register", refusal != 0 ? refusal : Errno.ENOSYS, "");
        }
    }
}
