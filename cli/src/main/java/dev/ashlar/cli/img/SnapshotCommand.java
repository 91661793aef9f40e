package dev.ashlar.cli.img;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.option.CacheMode;
import dev.ashlar.cli.option.OptionScanner;
import dev.ashlar.cli.output.SnapshotTable;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.snapshot.SnapshotRequest;
import dev.ashlar.core.snapshot.Snapshots;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/** {@code snapshot}: lists, creates, applies and deletes internal snapshots. */
final class SnapshotCommand {
    private final Console console;
    private char action;
    private String name = "";
    private boolean forceShare;

    SnapshotCommand(Console console) {
        this.console = console;
    }

    int run(String[] words) throws BlockException {
        ImgOptions options = ImgOptions.ofImages(console, words, ":la:c:d:hqU");
        for (int option = options.next(); option != OptionScanner.END; option = options.next()) {
            switch (option) {
                case 'l' -> choose('l', "");
                case 'a', 'c', 'd' -> choose((char) option, options.argument());
                case 'U' -> forceShare = true;
                default -> {
                    // -q: nothing is said anyway.
                }
            }
        }
        String fileName = options.soleFileName();
        try (BlockGraph graph = console.objects().newGraph();
                BlockBackend image = options.open(
                        graph, fileName, Images.options(action != 'l', null, CacheMode.WRITEBACK, forceShare))) {
            return act(image);
        }
    }

    private void choose(char newAction, String argument) {
        if (action != 0) {
            throw console.usageError("Cannot mix '-l', '-a', '-c', '-d'");
        }
        action = newAction;
        name = argument;
    }

    private int act(BlockBackend image) throws BlockException {
        switch (action) {
            case 'l' -> list(image);
            case 'c' -> create(image.snapshots());
            case 'a' -> apply(image.snapshots());
            case 'd' -> {
                return delete(image.snapshots());
            }
            default -> {
                // Without an action the image is opened for writing, and that is all.
            }
        }
        return 0;
    }

    private void list(BlockBackend image) {
        List<SnapshotInfo> snapshots;
        try {
            snapshots = image.snapshots().list();
        } catch (BlockException e) {
            // A format without snapshots has none to list.
            return;
        }
        if (!snapshots.isEmpty()) {
            SnapshotTable.print(console.out(), snapshots);
        }
    }

    private void create(Snapshots snapshots) throws BlockException {
        try {
            Instant now = Instant.now();
            // An instruction count of 0, not none: what qemu-img records.
            snapshots.create(
                    new SnapshotRequest("", name, 0, now.getEpochSecond(), now.getNano(), 0, OptionalLong.of(0)));
        } catch (BlockException e) {
            throw new BlockException(
                    e.kind(), "Could not create snapshot '" + name + "': " + errnoOf(e) + " (" + e.reason() + ")", e);
        }
    }

    private void apply(Snapshots snapshots) throws BlockException {
        try {
            Optional<SnapshotInfo> found = snapshots.findByIdOrName(name);
            if (found.isEmpty()) {
                throw new BlockException(Kind.NOT_FOUND, "Failed to load snapshot: " + Kind.NOT_FOUND.reason());
            }
            snapshots.apply(found.get());
        } catch (BlockException e) {
            String why = e.kind() == Kind.UNSUPPORTED ? "Block driver does not support snapshots" : e.getMessage();
            throw new BlockException(e.kind(), "Could not apply snapshot '" + name + "': " + why, e);
        }
    }

    private int delete(Snapshots snapshots) throws BlockException {
        Optional<SnapshotInfo> found = findToDelete(snapshots);
        if (found.isEmpty()) {
            console.error("Could not delete snapshot '" + name + "': snapshot not found");
            return 1;
        }
        try {
            snapshots.delete(found.get());
        } catch (BlockException e) {
            throw new BlockException(e.kind(), "Could not delete snapshot '" + name + "': " + e.getMessage(), e);
        }
        return 0;
    }

    /** qemu-img deletes by name, and says "not found" also where a format has no snapshots. */
    private Optional<SnapshotInfo> findToDelete(Snapshots snapshots) throws BlockException {
        try {
            return snapshots.findByName(name);
        } catch (BlockException e) {
            if (e.kind() == Kind.UNSUPPORTED || e.kind() == Kind.NO_MEDIUM) {
                return Optional.empty();
            }
            throw e;
        }
    }

    /** The negative errno value that QEMU puts into the message: that of the reason which stands beside it. */
    private static int errnoOf(BlockException e) {
        for (Kind kind : Kind.values()) {
            if (kind.reason().equals(e.reason())) {
                return errnoOf(kind);
            }
        }
        return errnoOf(e.kind());
    }

    private static int errnoOf(Kind kind) {
        return -switch (kind) {
            case IO, OUT_OF_BOUNDS -> 5;
            case NO_SPACE -> 28;
            case TOO_LARGE -> 27;
            case CORRUPT, INVALID -> 22;
            case UNSUPPORTED -> 95;
            case PERMISSION -> 13;
            case READ_ONLY -> 30;
            case LOCKED -> 11;
            case NO_MEDIUM -> 123;
            case NOT_FOUND -> 2;
            case EXISTS -> 17;
            case BUSY -> 16;
            case CLOSED -> 9;
        };
    }
}
