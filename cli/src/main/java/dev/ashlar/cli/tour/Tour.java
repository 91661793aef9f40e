package dev.ashlar.cli.tour;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.output.Decimals;
import dev.ashlar.cli.output.SizeWords;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.snapshot.SnapshotRequest;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.core.spi.PrintableName;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * The tour: creates a scratch image, writes, takes a snapshot, overwrites, draws, rolls back, and proves by checksum that the
 * first content is back. Ends with status 1 when anything is not as it should be.
 */
public final class Tour {
    private static final long DISK_BYTES = 192L << 20;
    private static final long FIRST_BYTES = 32L << 20;
    private static final long SECOND_OFFSET = 120L << 20;
    private static final long SECOND_BYTES = 24L << 20;
    private static final long CHANGED_OFFSET = 16L << 20;
    private static final long CHANGED_BYTES = 24L << 20;
    private static final int CHECKSUM_SHOWN = 16;
    private static final String USAGE = """
        Usage: ashlar tour [FOLDER]
        Shows on a scratch image what Ashlar does: create, write, snapshot, overwrite, roll back, check.
        The image is made in FOLDER, else here, else in the folder for temporary files, and removed again.
        """;

    private final Console console;
    private final Palette palette = Palette.ofEnvironment();
    private final Content content = new Content();
    private int step;
    private boolean good = true;

    public Tour(Console console) {
        this.console = console;
    }

    /**
     * @param words the command line; the first word is the program's name
     * @return the exit status
     */
    public int run(String[] words) throws BlockException {
        if (words.length > 2 || words.length == 2 && words[1].startsWith("-")) {
            boolean help = words.length == 2 && (words[1].equals("-h") || words[1].equals("--help"));
            if (!help) {
                throw console.usageError("unrecognized option '" + words[words.length - 1] + "'");
            }
            console.out().print(USAGE);
            return 0;
        }
        long start = System.nanoTime();
        try (ScratchFolder folder = folder(words)) {
            walk(folder.file("disk.qcow2"));
        } catch (IOException e) {
            if (e instanceof BlockException block) {
                throw block;
            }
            console.error("no place for a scratch image: " + e);
            return 1;
        }
        say("");
        String total = seconds(System.nanoTime() - start);
        if (good) {
            say(palette.good("Everything was as it should be.") + " The scratch image is gone again. " + total);
            return 0;
        }
        say(palette.bad("Something is wrong: see above.") + " The scratch image is gone again. " + total);
        return 1;
    }

    private static ScratchFolder folder(String[] words) throws IOException {
        if (words.length == 2) {
            return new ScratchFolder(Path.of(words[1]));
        }
        Path here = Path.of("").toAbsolutePath();
        if (Files.isWritable(here)) {
            return new ScratchFolder(here);
        }
        return new ScratchFolder(Path.of(System.getProperty("java.io.tmpdir", "/tmp")));
    }

    private void walk(Path path) throws BlockException {
        String file = path.toString();
        say(palette.title("Ashlar: disk images, snapshots and direct I/O, from Java."));
        try (BlockGraph graph = BlockGraph.create()) {
            heading("Create a disk image of " + SizeWords.threeDigits(DISK_BYTES) + " in the qcow2 format");
            say(palette.faint("   " + PrintableName.of(file)));
            long start = System.nanoTime();
            graph.createImage(file, "qcow2", Map.of("size", Long.toString(DISK_BYTES)));
            boolean direct = canBeDirect(graph, file);
            try (BlockBackend disk =
                    graph.open(file, OpenOptions.readWrite().direct(direct).unmap(true))) {
                done(
                        start,
                        "It takes " + SizeWords.threeDigits(disk.allocatedBytes())
                                + " on the host: space is claimed as it is written.");
                work(disk, direct);
            }
        }
        checkWithOthers(file);
    }

    /** Whether the file system takes O_DIRECT; a memory file system may not. */
    private static boolean canBeDirect(BlockGraph graph, String file) {
        try (BlockBackend disk = graph.open(file, OpenOptions.readOnly().direct(true))) {
            return disk.lengthBytes() > 0;
        } catch (BlockException e) {
            return false;
        }
    }

    private void work(BlockBackend disk, boolean direct) throws BlockException {
        if (direct) {
            heading("Write " + SizeWords.threeDigits(FIRST_BYTES + SECOND_BYTES)
                    + " through O_DIRECT, past the page cache, and flush");
        } else {
            heading("Write " + SizeWords.threeDigits(FIRST_BYTES + SECOND_BYTES) + " and flush");
            say("   This file system does not take O_DIRECT, so the writes go through the page cache.");
        }
        long start = System.nanoTime();
        long writing = content.write(disk, 0, FIRST_BYTES, 1) + content.write(disk, SECOND_OFFSET, SECOND_BYTES, 2);
        long flushStart = System.nanoTime();
        disk.flush();
        writing += System.nanoTime() - flushStart;
        done(start, "Random bytes, written at " + rate(FIRST_BYTES + SECOND_BYTES, writing) + ".");
        String before = checksum(disk, "The whole disk has the SHA-256 checksum");

        heading("Take a snapshot, \"before\"");
        start = System.nanoTime();
        SnapshotInfo snapshot = disk.snapshots().create(SnapshotRequest.named("before"));
        done(start, "Nothing was copied: from now on live disk and snapshot share what neither changes.");

        heading("Overwrite " + SizeWords.threeDigits(CHANGED_BYTES) + " of the live disk");
        start = System.nanoTime();
        content.write(disk, CHANGED_OFFSET, CHANGED_BYTES, 3);
        disk.flush();
        done(start, "The new bytes went to new places; the snapshot kept the old ones.");
        String after = checksum(disk, "The live disk has the checksum");
        verify(!after.equals(before), "It differs from the first one.", "It should differ from the first one");

        heading("Look at the layers");
        for (String line : new LayerDrawing(palette).draw(disk)) {
            say("   " + line);
        }

        heading("Read the snapshot beside the live disk");
        start = System.nanoTime();
        String kept;
        try (BlockBackend view = disk.snapshots().open(snapshot)) {
            kept = content.checksum(view);
        }
        done(start, "Its checksum is " + kept.substring(0, CHECKSUM_SHOWN) + "…");
        verify(kept.equals(before), "That is what was written at first.", "That should be the first checksum");

        heading("Roll back: the live disk becomes what it was at the snapshot");
        start = System.nanoTime();
        disk.snapshots().apply(snapshot);
        disk.flush();
        done(start, "The overwritten bytes are given up, all at once.");
        String back = checksum(disk, "The live disk has the checksum");
        verify(back.equals(before), "Every byte is back.", "That should be the first checksum");

        heading("Check the image for damage");
        start = System.nanoTime();
        CheckReport report = disk.check(Repair.NONE, this::finding);
        done(start, report.allocatedClusters() + " of " + report.totalClusters() + " clusters are in use.");
        verify(
                report.corruptions() == 0 && report.leaks() == 0 && report.checkErrors() == 0,
                "No errors, nothing leaked.",
                report.corruptions() + " errors, " + report.leaks() + " leaked clusters");
    }

    private String checksum(BlockBackend disk, String text) throws BlockException {
        long start = System.nanoTime();
        String checksum = content.checksum(disk);
        done(start, text + " " + checksum.substring(0, CHECKSUM_SHOWN) + "…");
        return checksum;
    }

    private void finding(String finding) {
        say("   " + palette.bad(PrintableName.of(finding)));
    }

    /** Lets a real qemu-img look at the image, where there is one. */
    private void checkWithOthers(String file) {
        String program = findOnPath("qemu-img");
        if (program == null) {
            return;
        }
        heading("Let the real qemu-img check it as well");
        long start = System.nanoTime();
        try {
            Process process = new ProcessBuilder(program, "check", "-f", "qcow2", file)
                    .redirectErrorStream(true)
                    .start();
            process.getOutputStream().close();
            String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            int status = process.waitFor();
            int end = said.indexOf('\n');
            done(start, "It says: " + PrintableName.of(end < 0 ? said : said.substring(0, end)));
            verify(status == 0, "Both agree.", "It ended with status " + status);
        } catch (IOException e) {
            say("   It could not be started: " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static @org.jspecify.annotations.Nullable String findOnPath(String name) {
        String path = System.getenv("PATH");
        List<String> folders = new ArrayList<>(List.of((path == null ? "" : path).split(File.pathSeparator, -1)));
        for (String folder : folders) {
            Path candidate = Path.of(folder, name);
            if (Files.isExecutable(candidate) && !isThisProgram(candidate)) {
                return candidate.toString();
            }
        }
        return null;
    }

    /** A link named qemu-img may lead back here. */
    private static boolean isThisProgram(Path candidate) {
        try {
            return candidate.toRealPath().getFileName().toString().equals("ashlar");
        } catch (IOException e) {
            return true;
        }
    }

    private void heading(String text) {
        step++;
        say("");
        say(palette.title(step + ". " + text));
    }

    private void done(long startNanos, String text) {
        say("   " + text + " " + seconds(System.nanoTime() - startNanos));
    }

    private void verify(boolean holds, String yes, String no) {
        if (holds) {
            say("   " + palette.good((palette.boxes() ? "✓ " : "ok: ") + yes));
        } else {
            say("   " + palette.bad((palette.boxes() ? "✗ " : "WRONG: ") + no));
            good = false;
        }
    }

    private String seconds(long nanos) {
        return palette.faint("(" + Decimals.fixed(nanos / 1e6, nanos < 10_000_000 ? 1 : 0) + " ms)");
    }

    private static String rate(long bytes, long nanos) {
        return SizeWords.threeDigits((long) (bytes / (nanos / 1e9))) + "/s";
    }

    private void say(String text) {
        console.out().print((palette.boxes() ? text : text.replace("…", "...")) + "\n");
        console.out().flush();
    }
}
