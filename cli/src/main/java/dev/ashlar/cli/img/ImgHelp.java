package dev.ashlar.cli.img;

import dev.ashlar.cli.Console;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.spi.BlockDriver;
import java.io.PrintStream;

/** What {@code --help} and {@code --version} say. */
public final class ImgHelp {
    private static final String TEXT = """
        Creates, inspects, copies and repairs disk images, the way qemu-img does.

          -h, --help      this text
          -V, --version   which version this is

        Commands:
          bench     measures reads or writes: [-c COUNT] [-d DEPTH] [-s SIZE] [-S STEP] [-o OFFSET] [-w] [-n] [-i AIO]
                    [-t CACHE] [--pattern=BYTE] [--flush-interval=N] [--no-drain] [-f FMT] [-q] [-U] FILE
          bitmap    dirty bitmaps of an image: --add [-g SIZE] | --remove | --clear | --enable | --disable
                    | --merge SOURCE [-b FILE [-F FMT]], any number of them; [-f FMT] FILE BITMAP
          check     looks for damage: [-r leaks|all] [--output=human|json] [-f FMT] [-T CACHE] [-q] [-U] FILE
          commit    puts an image's content into its backing file: [-b BASE] [-d] [-t CACHE] [-r RATE] [-f FMT] [-p]
                    [-q] FILE
          compare   compares what two images contain: [-f FMT] [-F FMT] [-T CACHE] [-p] [-q] [-s] [-U] FILE1 FILE2
          convert   copies images into a new one: [-f FMT] [-O FMT] [-o OPTIONS] [-l SNAPSHOT] [-B BACKING [-F FMT]]
                    [-S SIZE] [-t CACHE] [-T CACHE] [-m N] [-W] [-n] [--target-is-zero]
                    [--bitmaps [--skip-broken-bitmaps]] [-p] [-q] [-U] FILE... TARGET
          create    makes an image: [-f FMT] [-o OPTIONS] [-b BACKING [-F FMT]] [-u] [-q] FILE [SIZE]
          dd        copies blocks: [-f FMT] [-O FMT] [-U] [bs=SIZE] [count=BLOCKS] [skip=BLOCKS] if=INPUT of=OUTPUT
          info      tells about an image: [--output=human|json] [--backing-chain] [-f FMT] [-U] FILE
          map       tells where the bytes lie: [--output=human|json] [--start-offset=N] [--max-length=N] [-f FMT] [-U]
                    FILE
          measure   tells how large a new image gets: [--output=human|json] [-O FMT] [-o OPTIONS]
                    [--size SIZE | [-f FMT] [-l SNAPSHOT] [-U] FILE]
          rebase    gives an image another backing file: -b BACKING [-F FMT] [-u] [-t CACHE] [-T CACHE] [-f FMT] [-p]
                    [-q] [-U] FILE
          resize    changes the size of the disk: [-f FMT] [--preallocation=MODE] [--shrink] [-q] FILE [+|-]SIZE
          snapshot  internal snapshots: [-l | -c NAME | -a NAME | -d NAME] [-q] [-U] FILE

        SIZE and OFFSET are bytes; the suffixes k, M, G, T, P and E multiply by powers of 1024.
        CACHE is one of none, writeback, writethrough, directsync and unsafe.
        OPTIONS is NAME=VALUE[,NAME=VALUE...]; '-o help' lists them.
        """;

    private static final String ASHLAR_TEXT = """

        Further commands of ashlar:
          io        reads and writes parts of an image like qemu-io: see 'ashlar io --help'
          graph     draws the layers of an image and its snapshots: [--dot | --json] IMAGE
          diff      tells where two snapshots differ, from tables alone: --from SNAPSHOT [--to SNAPSHOT] IMAGE
          group     snapshots of several disks, all or none: create|apply|delete|list|check NAME --disk IMAGE...
          tour      shows on a scratch image what all this is about

        Every command takes --untrusted: the image is only read, its format is given or shown by its magic, no file that it names is
        opened, and --untrusted=max-size=SIZE,max-snapshots=N,max-table=SIZE says what it may claim at most. That holds for backing
        files on the command line too: 'create -b' and 'convert -B' refuse one that names a further file, 'create -u' opens none.
        'convert -n' then writes into raw targets only.
        """;

    private ImgHelp() {}

    /** Prints the help with the formats that are there. */
    public static void print(Console console) throws BlockException {
        PrintStream out = console.out();
        printVersion(console);
        out.print("usage: " + console.program() + " [options] command [options of the command]\n");
        out.print(TEXT);
        if (console.program().equals("ashlar")) {
            out.print(ASHLAR_TEXT);
        }
        out.print("\nSupported formats:");
        try (BlockGraph graph = BlockGraph.create()) {
            java.util.TreeSet<String> names = new java.util.TreeSet<>();
            for (BlockDriver driver : graph.drivers()) {
                names.add(driver.name());
            }
            for (String name : names) {
                out.print(" " + name);
            }
        }
        out.print("\n");
    }

    /** Prints name and version. */
    public static void printVersion(Console console) {
        console.out().print(versionLine(console.program()));
    }

    /** The line that tells which program this is and what it stands in for. */
    public static String versionLine(String program) {
        String version = ImgHelp.class.getPackage().getImplementationVersion();
        return program + " version 7.2.0 (Ashlar" + (version == null ? "" : " " + version) + ")\n";
    }
}
