package dev.ashlar.cli.snapshot;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.option.LongOption;
import dev.ashlar.cli.option.OptionScanner;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.snapshot.SnapshotGraph;
import org.jspecify.annotations.Nullable;

/** {@code graph}: the layers of a disk, their snapshots, and what each takes. */
public final class GraphCommand {
    private static final String USAGE = """
        Usage: ashlar graph [--dot | --json] [-f FMT] [-U] IMAGE
        Draws the layers of IMAGE down to its files, backing files included, with the internal snapshots of each and the bytes
        that each holds alone (which deleting it gives back) and shares with others.
          --dot    in the language of Graphviz: ashlar graph --dot IMAGE | dot -Tsvg > layers.svg
          --json   as JSON
          -f FMT   the format of IMAGE, instead of finding it out
          -U       although another program uses it
          --image-opts, --object DEFINITION   as in qemu-img
        """;
    private static final int DOT = 256;
    private static final int JSON = 257;

    private final Console console;

    public GraphCommand(Console console) {
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
                new LongOption("dot", false, DOT),
                new LongOption("json", false, JSON),
                new LongOption("force-share", false, 'U'));
        int form = 0;
        @Nullable String format = null;
        boolean forceShare = false;
        for (int option = arguments.next(); option != OptionScanner.END; option = arguments.next()) {
            switch (option) {
                case 'f' -> format = arguments.argument();
                case 'U' -> forceShare = true;
                default -> {
                    if (form != 0 && form != option) {
                        throw console.usageError("Cannot mix '--dot' and '--json'");
                    }
                    form = option;
                }
            }
        }
        OpenOptions options = OpenOptions.readOnly().format(format).forceShare(forceShare);
        try (BlockGraph graph = console.objects().newGraph();
                BlockBackend image = arguments.open(graph, arguments.soleFileName(), options)) {
            SnapshotGraph layers = SnapshotGraph.of(image.root());
            console.out()
                    .print(
                            switch (form) {
                                case DOT -> layers.toDot();
                                case JSON -> layers.toJson();
                                default -> layers.toText();
                            });
        }
        return 0;
    }
}
