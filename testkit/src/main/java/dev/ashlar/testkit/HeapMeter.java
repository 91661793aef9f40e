package dev.ashlar.testkit;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;

/** Memory of the heap, as the virtual machine counts it: for tests that ask how work grows without a clock. Any thread. */
public final class HeapMeter {
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private static final int COLLECTIONS = 4;

    private HeapMeter() {}

    /** Bytes that the calling thread has allocated since it began, whatever became of them. */
    public static long allocatedBytes() {
        return THREADS.getCurrentThreadAllocatedBytes();
    }

    /** Bytes in use when all that can be collected is collected. */
    public static long retainedBytes() {
        long least = Long.MAX_VALUE;
        for (int i = 0; i < COLLECTIONS; i++) {
            System.gc();
            least = Math.min(
                    least,
                    ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed());
        }
        return least;
    }
}
