package dev.ashlar.testkit;

import java.lang.management.ManagementFactory;

/** What a thread has had of a processor, which does not grow while others run. */
public final class ProcessorTime {
    private ProcessorTime() {}

    /** Nanoseconds of the calling thread, a platform thread. */
    public static long ofThreadNanos() {
        return ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
    }
}
