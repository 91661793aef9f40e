package dev.ashlar.drivers.qcow2.check;

import dev.ashlar.core.spi.CheckReport;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** Counts and passes on what a check finds; keeps the first of it for the report. */
final class Findings {
    private static final int MAX_KEPT = 1000;

    private final Consumer<String> consumer;
    private final List<String> kept = new ArrayList<>();
    long corruptions;
    long leaks;
    long checkErrors;
    long corruptionsFixed;
    long leaksFixed;
    long allocatedClusters;
    long fragmentedClusters;
    long compressedClusters;

    Findings(Consumer<String> consumer) {
        this.consumer = consumer;
    }

    void say(String line) {
        if (kept.size() < MAX_KEPT) {
            kept.add(line);
        }
        consumer.accept(line);
    }

    /** What was found is looked at again, this time to be repaired. */
    void recount(long corruptionsBefore, long leaksBefore, long checkErrorsBefore) {
        corruptions = corruptionsBefore;
        leaks = leaksBefore;
        checkErrors = checkErrorsBefore;
    }

    void corruption(String line) {
        corruptions++;
        say(line);
    }

    void checkError(String line) {
        checkErrors++;
        say(line);
    }

    CheckReport report(long totalClusters, long imageEndOffset) {
        return new CheckReport(
                corruptions,
                leaks,
                checkErrors,
                corruptionsFixed,
                leaksFixed,
                totalClusters,
                allocatedClusters,
                fragmentedClusters,
                compressedClusters,
                imageEndOffset,
                kept);
    }
}
