package dev.ashlar.nativeio.syscall;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * The C library's {@code syscall(2)} with errno captured: six arguments, the second a pointer.
 *
 * <p>One handle serves every call: a second signature would cost several milliseconds of start time
 * for its own adapter classes. The second argument is a {@link MemorySegment} because that is where
 * the calls with a caller's buffer have it, and a segment passed as such cannot be freed while the
 * call runs. Scalars in that place go through {@link MemorySegment#ofAddress}. The function is
 * variadic in C; on both supported processors its integer arguments travel in the same registers
 * either way.
 *
 * @see <a href="https://man7.org/linux/man-pages/man2/syscall.2.html">syscall(2)</a>
 */
public final class SystemCall {
    private static final int EINTR = 4;

    private static final MethodHandle SYSCALL = bind();

    private SystemCall() {}

    /** Makes the call and returns its result, or a negative errno. */
    public static long invoke(
            int number, long first, MemorySegment second, long third, long fourth, long fifth, long sixth) {
        MemorySegment errno = ErrnoCells.take();
        try {
            long result = (long) SYSCALL.invokeExact(errno, (long) number, first, second, third, fourth, fifth, sixth);
            // The capture structure holds nothing but errno on Linux.
            return result != -1 ? result : -(long) errno.get(ValueLayout.JAVA_INT, 0);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        } finally {
            ErrnoCells.give(errno);
        }
    }

    /**
     * As {@link #invoke(int, long, MemorySegment, long, long, long, long)}, with a number in second
     * place.
     */
    public static long invoke(int number, long first, long second, long third, long fourth, long fifth, long sixth) {
        return invoke(number, first, MemorySegment.ofAddress(second), third, fourth, fifth, sixth);
    }

    /**
     * As {@link #invoke(int, long, MemorySegment, long, long, long, long)}, again and again while a
     * signal interrupts.
     */
    public static long restarting(int number, long first, MemorySegment second, long third, long fourth, long fifth) {
        long result;
        do {
            result = invoke(number, first, second, third, fourth, fifth, 0);
        } while (result == -EINTR);
        return result;
    }

    /**
     * As {@link #restarting(int, long, MemorySegment, long, long, long)}, with a number in second
     * place.
     */
    public static long restarting(int number, long first, long second, long third, long fourth, long fifth) {
        return restarting(number, first, MemorySegment.ofAddress(second), third, fourth, fifth);
    }

    private static MethodHandle bind() {
        Linker linker = Linker.nativeLinker();
        MemorySegment function = linker.defaultLookup().find("syscall").orElseThrow();
        ValueLayout.OfLong word = ValueLayout.JAVA_LONG;
        return linker.downcallHandle(
                function,
                FunctionDescriptor.of(word, word, word, ValueLayout.ADDRESS, word, word, word, word),
                Linker.Option.captureCallState("errno"));
    }
}
