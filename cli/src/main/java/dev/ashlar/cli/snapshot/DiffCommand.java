package dev.ashlar.cli.snapshot;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.option.LongOption;
import dev.ashlar.cli.option.OptionScanner;
import dev.ashlar.cli.output.Decimals;
import dev.ashlar.cli.output.JsonObject;
import dev.ashlar.cli.output.SizeWords;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.snapshot.SnapshotSelector;
import dev.ashlar.core.snapshot.Snapshots;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** {@code diff}: where two snapshots, or a snapshot and the live disk, may differ. */
public final class DiffCommand {
    private static final String USAGE = """
        Usage: ashlar diff --from SNAPSHOT [--to SNAPSHOT] [--output=human|json] [-f FMT] [-U] IMAGE
        Tells where the content of two internal snapshots may differ, or that of a snapshot and the live disk, from the image's tables
        alone: everywhere else they are the same, byte for byte.
          SNAPSHOT   an id, a name, or snapshot.id=ID,snapshot.name=NAME
          --to       without it: the live disk
          -f FMT     the format of IMAGE, instead of finding it out
          -U         although another program uses it
          --image-opts, --object DEFINITION   as in qemu-img
        """;
    private static final int FROM = 256;
    private static final int TO = 257;
    private static final int OUTPUT = 258;

    private final Console console;

    public DiffCommand(Console console) {
        this.console = console;
    }

    /**
     * @param words the command line; the first word is the program's name
     * @return the exit status
     */
    public int run(String[] words) throws BlockException {
        Arguments arguments = new Arguments(
                console,
                words,
                "f:U",
                USAGE,
                new LongOption("from", true, FROM),
                new LongOption("to", true, TO),
                new LongOption("output", true, OUTPUT),
                new LongOption("force-share", false, 'U'));
        @Nullable String from = null;
        @Nullable String to = null;
        @Nullable String format = null;
        boolean json = false;
        boolean forceShare = false;
        for (int option = arguments.next(); option != OptionScanner.END; option = arguments.next()) {
            switch (option) {
                case FROM -> from = arguments.argument();
                case TO -> to = arguments.argument();
                case OUTPUT -> json = arguments.isJson(arguments.argument());
                case 'f' -> format = arguments.argument();
                default -> forceShare = true;
            }
        }
        String fileName = arguments.soleFileName();
        if (from == null) {
            throw console.usageError("Expecting the snapshot to compare from: --from SNAPSHOT");
        }
        OpenOptions options = OpenOptions.readOnly().format(format).forceShare(forceShare);
        try (BlockGraph graph = console.objects().newGraph();
                BlockBackend image = arguments.open(graph, fileName, options)) {
            Snapshots snapshots = image.snapshots();
            SnapshotInfo first = find(snapshots, from);
            SnapshotInfo second = to == null ? null : find(snapshots, to);
            print(snapshots.difference(first, second), json);
        }
        return 0;
    }

    private static SnapshotInfo find(Snapshots snapshots, String text) throws BlockException {
        SnapshotSelector selector = SnapshotSelector.parse(text);
        Optional<SnapshotInfo> found = snapshots.find(selector);
        if (found.isEmpty()) {
            throw new BlockException(Kind.NOT_FOUND, "Can't find snapshot with " + selector);
        }
        return found.get();
    }

    private void print(List<Snapshots.Range> ranges, boolean json) {
        if (json) {
            List<JsonObject> list = new ArrayList<>();
            for (Snapshots.Range range : ranges) {
                list.add(new JsonObject().put("start", range.guestOffset()).put("length", range.lengthBytes()));
            }
            console.out().print(JsonObject.listText(list) + "\n");
            return;
        }
        long total = 0;
        if (!ranges.isEmpty()) {
            console.out().print(Decimals.left("Offset", 16) + "Length\n");
        }
        for (Snapshots.Range range : ranges) {
            if (console.isOutputLost()) {
                return;
            }
            total += range.lengthBytes();
            console.out()
                    .print(Decimals.left("0x" + Long.toHexString(range.guestOffset()), 16) + "0x"
                            + Long.toHexString(range.lengthBytes()) + "\n");
        }
        console.out().print(SizeWords.threeDigits(total) + " in " + ranges.size() + " ranges may differ\n");
    }
}
