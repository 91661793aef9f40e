package dev.ashlar.nativeio;

import dev.ashlar.nativeio.syscall.Platform;
import dev.ashlar.nativeio.syscall.SystemCall;
import java.lang.foreign.MemorySegment;

/** The three system calls of {@code io_uring}; results are negative errnos when they fail. */
interface RingKernel {
    /** The running kernel. */
    RingKernel LINUX = new RingKernel() {
        @Override
        public int setup(int entries, MemorySegment params) {
            return (int) SystemCall.invoke(Platform.IO_URING_SETUP, entries, params, 0, 0, 0, 0);
        }

        @Override
        public int enter(int ring, int toSubmit, int minComplete, int flags, long argument, long argumentBytes) {
            return (int) SystemCall.invoke(
                    Platform.IO_URING_ENTER, ring, toSubmit, minComplete, flags, argument, argumentBytes);
        }

        @Override
        public int register(int ring, int operation, long argument, int count) {
            return (int) SystemCall.invoke(Platform.IO_URING_REGISTER, ring, operation, argument, count, 0, 0);
        }
    };

    /** Makes a ring: its descriptor. {@code io_uring_setup(2)}. */
    int setup(int entries, MemorySegment params);

    /** Submits and waits. {@code io_uring_enter(2)}. */
    int enter(int ring, int toSubmit, int minComplete, int flags, long argument, long argumentBytes);

    /** Registers resources and asks about features. {@code io_uring_register(2)}. */
    int register(int ring, int operation, long argument, int count);
}
