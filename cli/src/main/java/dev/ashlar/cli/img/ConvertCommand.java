package dev.ashlar.cli.img;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.ProgramExit;
import dev.ashlar.cli.option.CacheMode;
import dev.ashlar.cli.option.LongOption;
import dev.ashlar.cli.option.NumberText;
import dev.ashlar.cli.option.OptionList;
import dev.ashlar.cli.option.OptionScanner;
import dev.ashlar.cli.output.ProgressLine;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.BlockNode;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.snapshot.SnapshotSelector;
import dev.ashlar.core.spi.BlockDriver;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** {@code convert}: copies images, or a snapshot of one, into a new image; durable when it ends with status 0. */
final class ConvertCommand {
    private static final int SECTOR = 512;
    private static final String KEY_SECRET = "encrypt.key-secret";
    private static final String DATA_FILE = "data_file";
    private static final int MAXIMUM_SPARSE_BYTES = 32_768 * SECTOR;
    private static final int MAXIMUM_WORKERS = 16;

    private final Console console;
    private @Nullable String sourceFormat;
    private @Nullable String givenTargetFormat;
    private String targetFormat = "raw";
    private @Nullable String targetCache;
    private String sourceCache = "writeback";
    private @Nullable String backingFile;
    private @Nullable String backingFormat;
    private @Nullable String optionText;
    private @Nullable String snapshot;
    private int sparseBytes = 4096;
    private int workers = 8;
    private boolean inOrder = true;
    private boolean sparseGiven;
    private long bytesPerSecond;
    private boolean salvaging;
    private boolean skipCreate;
    private boolean targetIsZero;
    private boolean progress;
    private boolean quiet;
    private boolean compressed;
    private boolean copyOffloading;
    private boolean forceShare;
    private boolean bitmaps;
    private boolean skipBrokenBitmaps;
    /** The backing file of the target, open already, where images are not trusted. */
    private @Nullable BlockNode untrustedBase;

    ConvertCommand(Console console) {
        this.console = console;
    }

    int run(String[] words) throws BlockException {
        ImgOptions options = ImgOptions.ofImages(
                console,
                words,
                ":hf:O:B:CcF:o:l:S:pt:T:qnm:WUr:",
                new LongOption("target-image-opts", false, ImgOptions.TARGET_IMAGE_OPTS),
                new LongOption("salvage", false, ImgOptions.SALVAGE),
                new LongOption("target-is-zero", false, ImgOptions.TARGET_IS_ZERO),
                new LongOption("bitmaps", false, ImgOptions.BITMAPS),
                new LongOption("skip-broken-bitmaps", false, ImgOptions.SKIP_BROKEN_BITMAPS));
        for (int option = options.next(); option != OptionScanner.END; option = options.next()) {
            take(options, option);
        }
        if (givenTargetFormat != null) {
            targetFormat = givenTargetFormat;
        }
        checkCombinations();
        if (options.isTargetImageOpts() && !skipCreate) {
            throw fail("--target-image-opts requires use of -n flag");
        }
        if (skipCreate && optionText != null) {
            throw fail("-o has no effect when skipping image creation");
        }
        if (targetIsZero && !skipCreate) {
            throw fail("--target-is-zero requires use of -n flag");
        }
        if (skipCreate && !console.trust().isFull() && (options.isTargetImageOpts() || !targetFormat.equals("raw"))) {
            // what stands in it already may name other files, and its tables lead anywhere
            throw fail("With --untrusted, -n takes a target of format 'raw' only");
        }
        int sources = options.operandCount() - 1;
        OptionList list = OptionList.of(optionText == null ? "" : optionText);
        try (BlockGraph graph = console.objects().newGraph()) {
            if (list.isHelpWanted()) {
                String target = sources >= 1 ? options.operand(sources) : null;
                return CreateOptions.printHelp(console, graph, target, targetFormat);
            }
            if (sources < 1) {
                throw fail("Must specify image file name");
            }
            CacheMode cache = options.cacheMode(sourceCache, "Invalid source cache option: ", 1);
            try (HalfTarget half = new HalfTarget()) {
                convert(graph, options, sources, list, cache, half);
                half.finish();
            }
            return 0;
        }
    }

    private void checkCombinations() {
        if (skipBrokenBitmaps && !bitmaps) {
            throw fail("Use of --skip-broken-bitmaps requires --bitmaps");
        }
        if (copyOffloading && compressed) {
            throw fail("Cannot enable copy offloading when -c is used");
        }
        if (copyOffloading && sparseGiven) {
            throw fail("Cannot enable copy offloading when -S is used");
        }
        if (copyOffloading && salvaging) {
            throw fail("Cannot use copy offloading in salvaging mode");
        }
    }

    private void take(ImgOptions options, int option) {
        switch (option) {
            case 'f' -> sourceFormat = options.argument();
            case 'O' -> givenTargetFormat = options.argument();
            case 'B' -> backingFile = options.argument();
            case 'F' -> backingFormat = options.argument();
            case 'o' ->
                optionText = CreateOptions.join(console, optionText == null ? "" : optionText, options.argument());
            case 'l' -> snapshot = options.argument();
            case 'S' -> {
                sparseBytes = sparseBytes(options, options.argument());
                sparseGiven = true;
            }
            case 'p' -> progress = true;
            case 't' -> targetCache = options.argument();
            case 'T' -> sourceCache = options.argument();
            case 'q' -> quiet = true;
            case 'n' -> skipCreate = true;
            case 'm' -> workers = workers(options.argument());
            case 'W' -> inOrder = false;
            case 'U' -> forceShare = true;
            case ImgOptions.TARGET_IS_ZERO -> targetIsZero = true;
            case 'c' -> compressed = true;
            case 'C' -> copyOffloading = true;
            case 'r' -> bytesPerSecond = options.requiredSize("rate limit", options.argument(), Long.MAX_VALUE);
            case ImgOptions.SALVAGE -> salvaging = true;
            case ImgOptions.BITMAPS -> bitmaps = true;
            default -> skipBrokenBitmaps = true;
        }
    }

    private int sparseBytes(ImgOptions options, String text) {
        long bytes = options.requiredSize("buffer size for sparse output", text, Long.MAX_VALUE);
        if (bytes % SECTOR != 0 || bytes > MAXIMUM_SPARSE_BYTES) {
            throw fail("Invalid buffer size for sparse output specified. Valid sizes are multiples of " + SECTOR
                    + " up to " + MAXIMUM_SPARSE_BYTES
                    + ". Select 0 to disable sparse detection (fully allocates output).");
        }
        return (int) bytes;
    }

    private int workers(String text) {
        NumberText number = NumberText.of(text, 0);
        if (!number.isWhole(text, MAXIMUM_WORKERS) || number.value() < 1) {
            throw fail(
                    "Invalid number of coroutines. Allowed number of coroutines is between 1 and " + MAXIMUM_WORKERS);
        }
        return (int) number.value();
    }

    private void convert(
            BlockGraph graph, ImgOptions options, int sourceCount, OptionList list, CacheMode cache, HalfTarget half)
            throws BlockException {
        ProgressLine line = new ProgressLine(console.out(), progress && !quiet, 1);
        line.at(0);
        List<BlockBackend> opened = new ArrayList<>();
        try {
            List<BlockBackend> sources = new ArrayList<>();
            for (int i = 0; i < sourceCount; i++) {
                BlockBackend source =
                        options.open(graph, options.operand(i), Images.options(false, sourceFormat, cache, forceShare));
                opened.add(source);
                sources.add(source);
            }
            CopiedBitmaps copiedBitmaps = bitmaps ? CopiedBitmaps.of(console, sources, skipBrokenBitmaps) : null;
            if (snapshot != null) {
                BlockBackend view = openSnapshot(sources, snapshot);
                opened.add(view);
                sources.set(0, view);
            }
            String targetName = options.operand(sourceCount);
            CopySources copied = new CopySources(sources, salvaging ? new Salvage(console, quiet) : null);
            OptionValues values = create(graph, targetName, copied.lengthBytes(), list, sourceCount);
            if (values != null) {
                half.begin(targetName);
            }
            BlockBackend target = openTarget(graph, options, targetName, values);
            opened.add(target);
            if (compressed && target.compressedUnitBytes() == 0) {
                throw fail("Compression not supported for this file format");
            }
            if (copiedBitmaps != null) {
                copiedBitmaps.requireSupport(target.root());
            }
            copy(copied, target, targetName, values, line);
            if (copiedBitmaps != null) {
                copiedBitmaps.copyTo(target.root());
            }
            line.at(100);
        } finally {
            line.end();
            for (int i = opened.size() - 1; i >= 0; i--) {
                opened.get(i).close();
            }
        }
    }

    private BlockBackend openSnapshot(List<BlockBackend> sources, String text) throws BlockException {
        if (!SnapshotSelector.isLongForm(text) && sources.size() > 1) {
            throw fail("No support for concatenating multiple snapshot");
        }
        return SnapshotSource.open(SnapshotSource.parse(console, text), sources.get(0));
    }

    /** Creates the target, unless that is to be skipped. @return its options, or null where it is not created */
    private @Nullable OptionValues create(
            BlockGraph graph, String targetName, long lengthBytes, OptionList list, int sourceCount)
            throws BlockException {
        if (skipCreate) {
            checkBacking(backingFile != null, sourceCount);
            return null;
        }
        OptionValues values =
                new OptionValues(console, "", CreateOptions.unnamed(console, graph, targetName, targetFormat));
        values.setAll(list);
        values.set("size", Long.toString(lengthBytes));
        if (backingFile != null) {
            if (!values.has("backing_file")) {
                throw fail("Backing file not supported for file format '" + targetFormat + "'");
            }
            values.set("backing_file", backingFile);
        }
        if (backingFormat != null) {
            if (!values.has("backing_fmt")) {
                throw fail("Backing file format not supported for file format '" + targetFormat + "'");
            }
            values.set("backing_fmt", backingFormat);
        }
        boolean backed = values.get("backing_file") != null;
        checkBacking(backed, sourceCount);
        if (backed && values.get("backing_fmt") == null) {
            throw fail("Use of backing file requires explicit backing format");
        }
        if (compressed) {
            requireCompression(graph, values);
        }
        openUntrustedBase(graph, targetName, values);
        try {
            graph.createImage(targetName, targetFormat, values.asMap());
        } catch (BlockException e) {
            throw new BlockException(
                    e.kind(), targetName + ": error while converting " + targetFormat + ": " + e.getMessage(), e);
        }
        return values;
    }

    /** A backing file that is not trusted is opened as such, before anything is created, and not by the target. */
    private void openUntrustedBase(BlockGraph graph, String targetName, OptionValues values) throws BlockException {
        String name = values.get("backing_file");
        if (console.trust().isFull() || name == null || name.isEmpty()) {
            return;
        }
        OpenOptions how = Images.options(false, values.get("backing_fmt"), CacheMode.WRITEBACK, false);
        try {
            untrustedBase = graph.openNode(
                    Images.resolve(targetName, name), console.trust().apply(how, name));
        } catch (BlockException e) {
            throw new BlockException(e.kind(), "Could not open backing file '" + name + "': " + e.getMessage(), e);
        }
    }

    private void requireCompression(BlockGraph graph, OptionValues values) {
        boolean can = false;
        Optional<BlockDriver> driver = graph.driver(targetFormat);
        if (driver.isPresent()) {
            can = driver.get().canCompress();
        }
        if (!can) {
            throw fail("Compression not supported for this file format");
        }
        String preallocation = values.get("preallocation");
        if (preallocation != null && !preallocation.equals("off")) {
            throw fail("Compression and preallocation not supported at the same time");
        }
    }

    private void checkBacking(boolean backed, int sourceCount) {
        if (targetIsZero && backed) {
            throw fail("Cannot use --target-is-zero when the destination image has a backing file");
        }
        if (sourceCount > 1 && backed) {
            throw fail("Having a backing file for the target makes no sense when concatenating multiple input images");
        }
    }

    private BlockBackend openTarget(
            BlockGraph graph, ImgOptions options, String targetName, @Nullable OptionValues values)
            throws BlockException {
        // qemu-img's default is "unsafe"; here the target is flushed once, at the end, before success is reported.
        CacheMode cache =
                targetCache == null ? CacheMode.WRITEBACK : options.cacheMode(targetCache, "Invalid cache option: ", 1);
        OpenOptions how = Images.options(
                        true, options.isTargetImageOpts() ? givenTargetFormat : targetFormat, cache, false)
                .unmap(sparseBytes != 0);
        Map<String, String> driverOptions = new HashMap<>();
        String keySecret = values == null || !values.has(KEY_SECRET) ? null : values.get(KEY_SECRET);
        if (keySecret != null) {
            // what was created encrypted is opened with the same key
            driverOptions.put(KEY_SECRET, keySecret);
        }
        if (untrustedBase != null) {
            driverOptions.put("backing", untrustedBase.name());
        }
        String dataFile = values == null || !values.has(DATA_FILE) ? null : values.get(DATA_FILE);
        how = console.trust()
                .applyToTarget(how.driverOptions(driverOptions), dataFile == null ? Set.of() : Set.of(dataFile));
        return options.isTargetImageOpts()
                ? Images.openDescribed(console, graph, targetName, how)
                : Images.open(console, graph, targetName, how);
    }

    private void copy(
            CopySources sources,
            BlockBackend target,
            String targetName,
            @Nullable OptionValues values,
            ProgressLine line)
            throws BlockException {
        if (skipCreate && target.lengthBytes() < sources.lengthBytes()) {
            throw fail("output file is smaller than input file");
        }
        boolean backed = skipCreate ? backingFile != null : values != null && values.get("backing_file") != null;
        boolean zeroed =
                targetIsZero || values != null && sparseBytes != 0 && !backed && startsZeroed(targetName, values);
        long backingEnd = -1;
        if (backed && !skipCreate) {
            Optional<BlockNode> backing = target.root().backing();
            backingEnd = backing.isPresent() ? backing.get().lengthBytes() : -1;
        }
        int clusterBytes = compressed ? Math.toIntExact(target.compressedUnitBytes()) : 0;
        // as in qemu-img, compression is no matter of -m
        int threads = compressed ? Math.max(workers, Runtime.getRuntime().availableProcessors()) : workers;
        // Copy offloading is a wish. It moves data as it is, without a look at it; so does this, by reading and
        // writing.
        CopyJob.Parameters parameters = new CopyJob.Parameters(
                sparseBytes,
                !copyOffloading,
                threads,
                inOrder,
                zeroed,
                backed,
                backingEnd,
                clusterBytes,
                new Pace(bytesPerSecond));
        new CopyJob(sources, target, parameters, line).run(progress && !quiet);
        target.flush();
    }

    /** Whether what was just created reads as zeros: always for sparse formats, else for regular files. */
    private boolean startsZeroed(String targetName, OptionValues values) {
        String preallocation = values.get("preallocation");
        boolean sparse = !targetFormat.equals("raw") && (preallocation == null || preallocation.equals("off"));
        return sparse || Files.isRegularFile(Path.of(targetName));
    }

    private ProgramExit fail(String message) {
        console.error(message);
        return new ProgramExit(1);
    }
}
