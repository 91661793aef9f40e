package dev.ashlar.core.filter;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;

/**
 * What a throttle group allows (QAPI {@code ThrottleLimits}).
 *
 * @param rates by what they limit; what is missing is not limited
 * @param iopsSizeBytes requests longer than this count as several; 0: each counts as one
 */
public record ThrottleLimits(Map<Limit, Rate> rates, long iopsSizeBytes) {
    /** No limit at all. */
    public static final ThrottleLimits NONE = new ThrottleLimits(Map.of(), 0);

    private static final long MAX_VALUE = 1_000_000_000_000_000L;

    /** What is limited, by name ({@code bps-total}, …). */
    public enum Limit {
        BPS_TOTAL,
        BPS_READ,
        BPS_WRITE,
        IOPS_TOTAL,
        IOPS_READ,
        IOPS_WRITE;

        /** The name of the option. */
        public String label() {
            return name().toLowerCase(Locale.ROOT).replace('_', '-');
        }

        boolean countsBytes() {
            return ordinal() < IOPS_TOTAL.ordinal();
        }

        boolean concerns(boolean write) {
            return switch (this) {
                case BPS_TOTAL, IOPS_TOTAL -> true;
                case BPS_READ, IOPS_READ -> !write;
                case BPS_WRITE, IOPS_WRITE -> write;
            };
        }
    }

    /**
     * A rate with bursts.
     *
     * @param perSecond bytes or requests per second that are sustained; at least 1
     * @param burstPerSecond rate of a burst, at least {@code perSecond}; 0: no bursts but a tenth of a second's worth
     * @param burstLengthSeconds how long a burst may last, at least 1
     */
    public record Rate(long perSecond, long burstPerSecond, long burstLengthSeconds) {}

    public ThrottleLimits {
        rates = Map.copyOf(rates);
    }

    /**
     * Reads options such as {@code bps-total}, {@code bps-total-max}, {@code bps-total-max-length} and {@code iops-size}.
     *
     * @throws BlockException INVALID for unknown names and for values that QEMU refuses
     */
    public static ThrottleLimits of(Map<String, String> texts) throws BlockException {
        FilterOptions options = new FilterOptions("throttle", texts);
        EnumMap<Limit, Rate> rates = new EnumMap<>(Limit.class);
        for (Limit limit : Limit.values()) {
            Rate rate = new Rate(
                    options.size(limit.label(), 0),
                    options.size(limit.label() + "-max", 0),
                    options.size(limit.label() + "-max-length", 1));
            check(rate);
            if (rate.perSecond() > 0) {
                rates.put(limit, rate);
            }
        }
        long iopsSize = options.size("iops-size", 0);
        options.refuseRest();
        ThrottleLimits limits = new ThrottleLimits(rates, iopsSize);
        limits.checkTogether();
        return limits;
    }

    private static void check(Rate rate) throws BlockException {
        if (rate.perSecond() > MAX_VALUE || rate.burstPerSecond() > MAX_VALUE) {
            throw invalid("bps/iops/max values must be within [0, " + MAX_VALUE + "]");
        }
        if (rate.burstLengthSeconds() == 0) {
            throw invalid("the burst length cannot be 0");
        }
        if (rate.burstLengthSeconds() > 1 && rate.burstPerSecond() == 0) {
            throw invalid("burst length set without burst rate");
        }
        if (rate.burstPerSecond() > 0 && rate.burstLengthSeconds() > MAX_VALUE / rate.burstPerSecond()) {
            throw invalid("burst length too high for this burst rate");
        }
        if (rate.burstPerSecond() > 0 && rate.perSecond() == 0) {
            throw invalid("bps_max/iops_max require corresponding bps/iops values");
        }
        if (rate.burstPerSecond() > 0 && rate.burstPerSecond() < rate.perSecond()) {
            throw invalid("bps_max/iops_max cannot be lower than bps/iops");
        }
    }

    private void checkTogether() throws BlockException {
        if (conflicts(Limit.BPS_TOTAL, Limit.BPS_READ, Limit.BPS_WRITE)
                || conflicts(Limit.IOPS_TOTAL, Limit.IOPS_READ, Limit.IOPS_WRITE)) {
            throw invalid("bps/iops/max total values and read/write values cannot be used at the same time");
        }
        boolean counted = rates.keySet().stream().anyMatch(limit -> !limit.countsBytes());
        if (iopsSizeBytes > 0 && !counted) {
            throw invalid("iops size requires an iops value to be set");
        }
    }

    private boolean conflicts(Limit total, Limit read, Limit write) {
        return rates.containsKey(total) && (rates.containsKey(read) || rates.containsKey(write));
    }

    private static BlockException invalid(String message) {
        return new BlockException(Kind.INVALID, message);
    }
}
