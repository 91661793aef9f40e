package dev.ashlar.cli.img;

import dev.ashlar.cli.output.JsonObject;
import dev.ashlar.cli.output.SizeWords;
import dev.ashlar.cli.output.SnapshotTable;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.spi.FormatInfo;
import dev.ashlar.core.spi.ImageReference;
import dev.ashlar.core.spi.PrintableName;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What {@code info} tells about one image.
 *
 * @param allocatedBytes space it takes on the host, negative where that is unknown
 * @param info what its format tells, or null
 * @param backing the backing file named in it, or null
 * @param backingPath where that is, or null
 */
record ImageFacts(
        String fileName,
        String format,
        long lengthBytes,
        long allocatedBytes,
        @Nullable FormatInfo info,
        @Nullable ImageReference backing,
        @Nullable String backingPath,
        List<SnapshotInfo> snapshots) {
    private static final long NANOS_PER_SECOND = 1_000_000_000L;
    private static final long SECTOR = 512;

    static ImageFacts of(BlockBackend image) throws BlockException {
        String fileName = NodeNames.shown(image.root());
        ImageReference backing = image.root().backingReference().orElse(null);
        return new ImageFacts(
                fileName,
                image.formatName(),
                wholeSectors(image.lengthBytes()),
                image.allocatedBytes(),
                image.formatInfo().orElse(null),
                backing,
                backing == null ? null : Images.resolve(image.fileName(), backing.fileName()),
                snapshotsOf(image));
    }

    private static long wholeSectors(long bytes) {
        return (bytes + SECTOR - 1) & -SECTOR;
    }

    private static List<SnapshotInfo> snapshotsOf(BlockBackend image) throws BlockException {
        try {
            return image.snapshots().list();
        } catch (BlockException e) {
            if (e.kind() == Kind.UNSUPPORTED || e.kind() == Kind.NO_MEDIUM) {
                return List.of();
            }
            throw e;
        }
    }

    /** A file that the image names, its backing file or else its data file; null if it names none. */
    @Nullable
    String reference() {
        if (backing != null) {
            return backing.fileName();
        }
        return info != null && info.specific().get("data-file") instanceof String dataFile ? dataFile : null;
    }

    @Nullable
    String backingFormat() {
        return backing == null ? null : backing.format();
    }

    void print(PrintStream out) {
        out.print("image: " + PrintableName.of(fileName) + "\nfile format: " + format + "\nvirtual size: "
                + SizeWords.threeDigits(lengthBytes) + " (" + lengthBytes + " bytes)\ndisk size: "
                + (allocatedBytes < 0 ? "unavailable" : SizeWords.threeDigits(allocatedBytes)) + "\n");
        if (info != null) {
            if (info.encrypted()) {
                out.print("encrypted: yes\n");
            }
            if (info.clusterSizeBytes() != 0) {
                out.print("cluster_size: " + info.clusterSizeBytes() + "\n");
            }
            if (info.dirty()) {
                out.print("cleanly shut down: no\n");
            }
        }
        if (backing != null && backingPath != null) {
            printBacking(out, backing, backingPath);
        }
        if (!snapshots.isEmpty()) {
            SnapshotTable.print(out, snapshots);
        }
        if (info != null && !info.specific().isEmpty()) {
            FormatFacts.print(out, info);
        }
    }

    private static void printBacking(PrintStream out, ImageReference backing, String path) {
        out.print("backing file: " + PrintableName.of(backing.fileName()));
        if (!path.equals(backing.fileName())) {
            out.print(" (actual path: " + PrintableName.of(path) + ")");
        }
        out.print("\n");
        if (backing.format() != null) {
            out.print("backing file format: " + PrintableName.of(backing.format()) + "\n");
        }
    }

    JsonObject toJson() {
        JsonObject json = new JsonObject();
        json.put("filename", fileName).put("format", format);
        json.put("dirty-flag", info != null && info.dirty());
        if (allocatedBytes >= 0) {
            json.put("actual-size", allocatedBytes);
        }
        json.put("virtual-size", lengthBytes);
        if (info != null && info.clusterSizeBytes() != 0) {
            json.put("cluster-size", info.clusterSizeBytes());
        }
        if (info != null && info.encrypted()) {
            json.put("encrypted", true);
        }
        if (backing != null && backingPath != null) {
            json.put("backing-filename", backing.fileName());
            json.put("full-backing-filename", backingPath);
            if (backing.format() != null) {
                json.put("backing-filename-format", backing.format());
            }
        }
        if (!snapshots.isEmpty()) {
            List<JsonObject> list = new ArrayList<>();
            for (SnapshotInfo snapshot : snapshots) {
                list.add(json(snapshot));
            }
            json.put("snapshots", list);
        }
        if (info != null && !info.specific().isEmpty()) {
            json.put(
                    "format-specific",
                    new JsonObject().put("type", format).put("data", JsonObject.of(info.specific())));
        }
        return json;
    }

    private static JsonObject json(SnapshotInfo snapshot) {
        JsonObject json = new JsonObject();
        json.put("id", snapshot.id());
        json.put("name", snapshot.name());
        json.put("vm-state-size", snapshot.vmStateSizeBytes());
        json.put("date-sec", snapshot.dateSeconds());
        json.put("date-nsec", snapshot.dateNanos());
        json.put("vm-clock-sec", snapshot.vmClockNanos() / NANOS_PER_SECOND);
        json.put("vm-clock-nsec", snapshot.vmClockNanos() % NANOS_PER_SECOND);
        if (snapshot.instructionCount().isPresent()) {
            json.put("icount", snapshot.instructionCount().getAsLong());
        }
        return json;
    }
}
