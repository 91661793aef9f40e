package dev.ashlar.cli.img;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.ProgramExit;
import dev.ashlar.cli.option.OptionList;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.snapshot.Snapshots;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * How a snapshot is named on a command line: {@code snapshot.id=ID,snapshot.name=NAME}, or a word that is an id or else a name.
 *
 * @param word the word, or null where id or name are given
 */
record SnapshotSelector(
        @Nullable String id,
        @Nullable String name,
        @Nullable String word) {
    /** What tells the long form. */
    static final String PREFIX = "snapshot.";

    static SnapshotSelector of(Console console, String text) {
        if (!text.startsWith(PREFIX)) {
            return new SnapshotSelector(null, null, text);
        }
        OptionList list = OptionList.of(text);
        for (OptionList.Entry entry : list.entries()) {
            if (!entry.name().equals("snapshot.id") && !entry.name().equals("snapshot.name")) {
                console.error("Invalid parameter '" + entry.name() + "'");
                console.error("Failed in parsing snapshot param '" + text + "'");
                throw new ProgramExit(1);
            }
        }
        return new SnapshotSelector(list.value("snapshot.id"), list.value("snapshot.name"), null);
    }

    /** A read-only view of the snapshot. */
    BlockBackend open(BlockBackend image) throws BlockException {
        try {
            Snapshots snapshots = image.snapshots();
            Optional<SnapshotInfo> found = word == null ? snapshots.find(id, name) : snapshots.findByIdOrName(word);
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
