package dev.ashlar.cli.img;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.ProgramExit;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.snapshot.SnapshotSelector;
import dev.ashlar.core.snapshot.Snapshots;
import java.util.Optional;

/** A snapshot as the source of a copy: found by what the command line says, opened for reading. */
final class SnapshotSource {
    private SnapshotSource() {}

    static SnapshotSelector parse(Console console, String text) {
        try {
            return SnapshotSelector.parse(text);
        } catch (BlockException e) {
            console.error(String.valueOf(e.getMessage()));
            console.error("Failed in parsing snapshot param '" + text + "'");
            throw new ProgramExit(1);
        }
    }

    /** A read-only view of the snapshot. */
    static BlockBackend open(SnapshotSelector selector, BlockBackend image) throws BlockException {
        try {
            Snapshots snapshots = image.snapshots();
            Optional<SnapshotInfo> found = snapshots.find(selector);
            if (found.isEmpty()) {
                throw new BlockException(Kind.NOT_FOUND, "Can't find snapshot");
            }
            return snapshots.open(found.get());
        } catch (BlockException e) {
            String why = e.kind() == Kind.UNSUPPORTED
                    ? "Block format '" + image.formatName()
                            + "' used by device '' does not support temporarily loading internal snapshots"
                    : e.getMessage();
            throw new BlockException(e.kind(), "Failed to load snapshot: " + why, e);
        }
    }
}
