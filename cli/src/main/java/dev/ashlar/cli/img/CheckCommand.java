package dev.ashlar.cli.img;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.option.CacheMode;
import dev.ashlar.cli.option.LongOption;
import dev.ashlar.cli.option.OptionScanner;
import dev.ashlar.cli.output.Decimals;
import dev.ashlar.cli.output.Escapes;
import dev.ashlar.cli.output.JsonObject;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable.Repair;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** {@code check}: looks for damage and repairs it. */
final class CheckCommand {
    private static final int FAILED = 1;
    private static final int CORRUPT = 2;
    private static final int LEAKED = 3;
    private static final int NOT_SUPPORTED = 63;

    private final Console console;
    private @Nullable String format;
    private String cacheName = "writeback";
    private Repair repair = Repair.NONE;
    private boolean quiet;
    private boolean forceShare;
    private boolean json;

    CheckCommand(Console console) {
        this.console = console;
    }

    int run(String[] words) throws BlockException {
        ImgOptions options = ImgOptions.ofImages(
                console,
                words,
                ":hf:r:T:qU",
                new LongOption("format", true, 'f'),
                new LongOption("repair", true, 'r'),
                new LongOption("output", true, ImgOptions.OUTPUT));
        String output = null;
        for (int option = options.next(); option != OptionScanner.END; option = options.next()) {
            switch (option) {
                case 'f' -> format = options.argument();
                case 'r' -> repair = repairOf(options.argument());
                case ImgOptions.OUTPUT -> output = options.argument();
                case 'T' -> cacheName = options.argument();
                case 'q' -> quiet = true;
                default -> forceShare = true;
            }
        }
        String fileName = options.soleFileName();
        json = options.isJson(output);
        CacheMode cache = options.cacheMode(cacheName, "Invalid source cache option: ", FAILED);
        OpenOptions open =
                Images.options(repair != Repair.NONE, format, cache, forceShare).checking(true);
        try (BlockGraph graph = console.objects().newGraph();
                BlockBackend image = options.open(graph, fileName, open)) {
            return check(image, fileName);
        }
    }

    private Repair repairOf(String text) {
        return switch (text) {
            case "leaks" -> Repair.LEAKS;
            case "all" -> Repair.ALL;
            default -> throw console.usageError("Unknown option value for -r (expecting 'leaks' or 'all'): " + text);
        };
    }

    private int check(BlockBackend image, String fileName) throws BlockException {
        CheckReport report;
        long corruptionsFixed;
        long leaksFixed;
        try {
            Findings findings = new Findings(console);
            report = image.check(repair, findings);
            corruptionsFixed = report.corruptionsFixed();
            leaksFixed = report.leaksFixed();
            if (corruptionsFixed != 0 || leaksFixed != 0) {
                if (!json) {
                    print("The following inconsistencies were found and repaired:\n\n    " + leaksFixed
                            + " leaked clusters\n    " + corruptionsFixed
                            + " corruptions\n\nDouble checking the fixed image now...\n");
                }
                report = image.check(Repair.NONE, findings);
            }
        } catch (BlockException e) {
            if (e.kind() == Kind.UNSUPPORTED) {
                console.error("This image format does not support checks");
                return NOT_SUPPORTED;
            }
            console.error("Check failed: " + e.reason());
            return FAILED;
        }
        if (json) {
            print(jsonOf(report, fileName, image.formatName(), corruptionsFixed, leaksFixed) + "\n");
        } else {
            printHuman(report);
        }
        return statusOf(report);
    }

    private int statusOf(CheckReport report) {
        if (report.checkErrors() != 0) {
            console.error("Check failed");
            return FAILED;
        }
        if (report.corruptions() != 0) {
            return CORRUPT;
        }
        return report.leaks() != 0 ? LEAKED : 0;
    }

    private void printHuman(CheckReport report) {
        if (report.corruptions() == 0 && report.leaks() == 0 && report.checkErrors() == 0) {
            print("No errors were found on the image.\n");
        }
        if (report.corruptions() != 0) {
            print("\n" + report.corruptions() + " errors were found on the image.\n"
                    + "Data may be corrupted, or further writes to the image may corrupt it.\n");
        }
        if (report.leaks() != 0) {
            print("\n" + report.leaks() + " leaked clusters were found on the image.\n"
                    + "This means waste of disk space, but no harm to data.\n");
        }
        if (report.checkErrors() != 0) {
            print("\n" + report.checkErrors() + " internal errors have occurred during the check.\n");
        }
        long allocated = report.allocatedClusters();
        if (report.totalClusters() != 0 && allocated != 0) {
            print(allocated + "/" + report.totalClusters() + " = " + percent(allocated, report.totalClusters())
                    + "% allocated, " + percent(report.fragmentedClusters(), allocated) + "% fragmented, "
                    + percent(report.compressedClusters(), allocated) + "% compressed clusters\n");
        }
        if (report.imageEndOffset() != 0) {
            print("Image end offset: " + report.imageEndOffset() + "\n");
        }
    }

    private static String percent(long part, long whole) {
        return Decimals.fixed(part * 100.0 / whole, 2);
    }

    private static JsonObject jsonOf(
            CheckReport report, String fileName, String format, long corruptionsFixed, long leaksFixed) {
        JsonObject json = new JsonObject();
        json.put("filename", fileName);
        json.put("format", format);
        json.put("check-errors", report.checkErrors());
        putUnlessZero(json, "image-end-offset", report.imageEndOffset());
        putUnlessZero(json, "corruptions", report.corruptions());
        putUnlessZero(json, "leaks", report.leaks());
        putUnlessZero(json, "corruptions-fixed", corruptionsFixed);
        putUnlessZero(json, "leaks-fixed", leaksFixed);
        putUnlessZero(json, "total-clusters", report.totalClusters());
        putUnlessZero(json, "allocated-clusters", report.allocatedClusters());
        putUnlessZero(json, "fragmented-clusters", report.fragmentedClusters());
        putUnlessZero(json, "compressed-clusters", report.compressedClusters());
        return json;
    }

    private static void putUnlessZero(JsonObject json, String name, long value) {
        if (value != 0) {
            json.put(name, value);
        }
    }

    private void print(String text) {
        if (!quiet) {
            console.out().print(text);
        }
    }

    /** Shows findings as they come. A class, not a lambda, for the sake of the start time. */
    private static final class Findings implements Consumer<String> {
        /** What ends a check at once is said under the program's name, as by qemu-img. */
        private static final Pattern NOT_READABLE = Pattern.compile(
                "ERROR (snapshot table (offset invalid|too large)|failed to read the snapshot table: .*)");

        private final Console console;

        Findings(Console console) {
            this.console = console;
        }

        @Override
        public void accept(String finding) {
            if (NOT_READABLE.matcher(finding).matches()) {
                console.error(finding);
                return;
            }
            console.err().print(Escapes.lines(finding) + "\n");
            console.err().flush();
        }
    }
}
