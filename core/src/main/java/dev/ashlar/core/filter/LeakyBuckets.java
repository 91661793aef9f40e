package dev.ashlar.core.filter;

import dev.ashlar.core.filter.ThrottleLimits.Limit;
import dev.ashlar.core.filter.ThrottleLimits.Rate;
import java.util.Map;

/**
 * How much was let through lately, as leaky buckets: each request pours its units in, time lets them leak at the sustained rate, and
 * while a bucket is too full the next request waits. A second bucket per limit leaks at the burst rate where bursts may last longer
 * than a second. Not thread-safe.
 */
final class LeakyBuckets {
    private static final double NANOS_PER_SECOND = 1e9;
    /** What is let through at once where no burst is allowed: a tenth of a second's worth. */
    private static final double SLACK = 0.1;

    private final ThrottleLimits limits;
    private final double[] levels = new double[Limit.values().length];
    private final double[] burstLevels = new double[levels.length];
    private long leakedAtNanos;

    LeakyBuckets(ThrottleLimits limits, long nowNanos) {
        this.limits = limits;
        this.leakedAtNanos = nowNanos;
    }

    /** Nanoseconds until a request of that direction may go, 0 for now. */
    long waitNanos(boolean write, long nowNanos) {
        leak(nowNanos);
        double longest = 0;
        for (Map.Entry<Limit, Rate> entry : limits.rates().entrySet()) {
            if (entry.getKey().concerns(write)) {
                longest = Math.max(longest, waitSeconds(entry.getKey(), entry.getValue()));
            }
        }
        return (long) Math.ceil(longest * NANOS_PER_SECOND);
    }

    /** Takes a request that goes now into account. */
    void account(boolean write, long lengthBytes) {
        long unit = limits.iopsSizeBytes();
        double requests = unit > 0 && lengthBytes > unit ? (double) lengthBytes / unit : 1;
        for (Limit limit : limits.rates().keySet()) {
            if (limit.concerns(write)) {
                double amount = limit.countsBytes() ? lengthBytes : requests;
                levels[limit.ordinal()] += amount;
                burstLevels[limit.ordinal()] += amount;
            }
        }
    }

    private double waitSeconds(Limit limit, Rate rate) {
        double allowed = rate.burstPerSecond() == 0
                ? rate.perSecond() * SLACK
                : (double) rate.burstPerSecond() * rate.burstLengthSeconds();
        double extra = levels[limit.ordinal()] - allowed;
        if (extra > 0) {
            return extra / rate.perSecond();
        }
        if (rate.burstLengthSeconds() > 1) {
            extra = burstLevels[limit.ordinal()] - rate.burstPerSecond() * SLACK;
            return extra > 0 ? extra / rate.burstPerSecond() : 0;
        }
        return 0;
    }

    private void leak(long nowNanos) {
        double seconds = (nowNanos - leakedAtNanos) / NANOS_PER_SECOND;
        if (seconds <= 0) {
            return;
        }
        leakedAtNanos = nowNanos;
        limits.rates().forEach((limit, rate) -> {
            int i = limit.ordinal();
            levels[i] = Math.max(0, levels[i] - rate.perSecond() * seconds);
            burstLevels[i] = Math.max(0, burstLevels[i] - rate.burstPerSecond() * seconds);
        });
    }
}
