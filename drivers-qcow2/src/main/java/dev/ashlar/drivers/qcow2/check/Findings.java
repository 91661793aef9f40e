package dev.ashlar.drivers.qcow2.check;

import dev.ashlar.core.spi.CheckReport;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Counts what a check finds. The check's own passes lines on and keeps the first of them for the report; those of its parts keep all their lines until it is their
 * turn. One thread at a time.
 */
final class Findings {
    private static final int MAX_KEPT = 1000;

    private final @Nullable Consumer<String> consumer;
    private final List<String> lines = new ArrayList<>(0);
    long corruptions;
    long leaks;
    long checkErrors;
    long corruptionsFixed;
    long leaksFixed;
    long allocatedClusters;
    long fragmentedClusters;
    long compressedClusters;

    /** @param consumer takes each line at once */
    Findings(Consumer<String> consumer) {
        this.consumer = consumer;
    }

    private Findings() {
        this.consumer = null;
    }

    /** Of a part: {@link #absorb} passes its lines on. */
    static Findings ofPart() {
        return new Findings();
    }

    void say(String line) {
        if (consumer == null) {
            lines.add(line);
            return;
        }
        if (lines.size() < MAX_KEPT) {
            lines.add(line);
        }
        consumer.accept(line);
    }

    void corruption(String line) {
        corruptions++;
        say(line);
    }

    void checkError(String line) {
        checkErrors++;
        say(line);
    }

    /** Adds what a part has found. */
    void absorb(Findings part) {
        for (String line : part.lines) {
            say(line);
        }
        addTally(part);
        allocatedClusters += part.allocatedClusters;
        fragmentedClusters += part.fragmentedClusters;
        compressedClusters += part.compressedClusters;
    }

    private void addTally(Findings part) {
        corruptions += part.corruptions;
        leaks += part.leaks;
        checkErrors += part.checkErrors;
        corruptionsFixed += part.corruptionsFixed;
        leaksFixed += part.leaksFixed;
    }

    /** How much was found and mended so far. */
    Tally tally() {
        return new Tally(corruptions, leaks, checkErrors, corruptionsFixed, leaksFixed);
    }

    /** Counts as if nothing had been found since: it is looked at again. */
    void backTo(Tally earlier) {
        corruptions = earlier.corruptions;
        leaks = earlier.leaks;
        checkErrors = earlier.checkErrors;
        corruptionsFixed = earlier.corruptionsFixed;
        leaksFixed = earlier.leaksFixed;
    }

    /** The statistics are taken anew. */
    void clearStatistics() {
        allocatedClusters = 0;
        fragmentedClusters = 0;
        compressedClusters = 0;
    }

    /** Counters at one moment. */
    record Tally(long corruptions, long leaks, long checkErrors, long corruptionsFixed, long leaksFixed) {}

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
                lines);
    }
}
