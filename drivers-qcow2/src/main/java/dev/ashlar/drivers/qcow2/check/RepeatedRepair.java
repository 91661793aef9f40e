package dev.ashlar.drivers.qcow2.check;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable.Repair;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;

/**
 * Repairs until there is no more to mend: what one pass mends may show the next what it could not see before, a file that got longer say, into which tables name places now.
 * Each pass is a whole check, at the end of which the image is in order but for what is told. What was said once is not said again.
 */
public final class RepeatedRepair {
    /** No image is known that takes more than four. */
    private static final int MAX_PASSES = 8;

    private static final int MAX_REMEMBERED = 10_000;

    private final Consumer<String> consumer;
    private final Set<String> said = new HashSet<>();

    /** @param consumer takes each finding at once */
    public RepeatedRepair(Consumer<String> consumer) {
        this.consumer = consumer;
    }

    /** One check of the image. */
    public interface Pass {
        /**
         * @param number from 0 on
         * @param repair NONE where repairs have come to no end
         * @param findings takes each line at once
         */
        CheckReport run(int number, Repair repair, Consumer<String> findings) throws BlockException;
    }

    /** @return what was mended by all passes, and what the last one left */
    public CheckReport run(Repair repair, Pass pass) throws BlockException {
        CheckReport all = pass.run(0, repair, repair == Repair.NONE ? consumer : this::remember);
        CheckReport last = all;
        for (int i = 1; i <= MAX_PASSES && hasMended(last); i++) {
            last = pass.run(i, i < MAX_PASSES ? repair : Repair.NONE, this::sayNews);
            all = together(all, last);
        }
        return all;
    }

    private static boolean hasMended(CheckReport report) {
        return report.corruptionsFixed() + report.leaksFixed() > 0;
    }

    private void remember(String line) {
        if (said.size() < MAX_REMEMBERED) {
            said.add(line);
        }
        consumer.accept(line);
    }

    private void sayNews(String line) {
        // of very many it is not known which have been said; what is mended now certainly has not
        if (!said.contains(line) && (said.size() < MAX_REMEMBERED || line.startsWith("Repairing"))) {
            remember(line);
        }
    }

    private static CheckReport together(CheckReport earlier, CheckReport last) {
        List<String> lines = new ArrayList<>(earlier.findings());
        lines.addAll(last.findings());
        return new CheckReport(
                last.corruptions(),
                last.leaks(),
                last.checkErrors(),
                earlier.corruptionsFixed() + last.corruptionsFixed(),
                earlier.leaksFixed() + last.leaksFixed(),
                last.totalClusters(),
                last.allocatedClusters(),
                last.fragmentedClusters(),
                last.compressedClusters(),
                last.imageEndOffset(),
                lines.stream().distinct().toList());
    }
}
