package dev.ashlar.testkit.model;

import dev.ashlar.testkit.SparseBytes;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a disk with snapshots may hold after a crash: one of several {@linkplain World worlds}, each of which fixes size and snapshots and leaves each
 * sector of the live disk a choice of versions. Immutable.
 */
public record DiskExpectation(List<World> worlds) {
    private static final int SECTOR_BYTES = 512;

    public DiskExpectation {
        worlds = List.copyOf(worlds);
    }

    /**
     * One consistent outcome.
     *
     * @param versions contents of the live disk, at least one, all of one length; each sector shows any of them
     * @param snapshots exact contents by name, in table order
     */
    public record World(List<SparseBytes> versions, Map<String, SparseBytes> snapshots) {
        public World {
            versions = List.copyOf(versions);
            snapshots = new LinkedHashMap<>(snapshots);
        }

        /** The model as it is, nothing in doubt. */
        public static World of(ByteModel model) {
            return new World(List.of(model.disk().fork()), model.snapshots());
        }

        long lengthBytes() {
            return versions.get(0).lengthBytes();
        }
    }

    @Override
    public String toString() {
        List<String> texts = new ArrayList<>();
        for (World world : worlds) {
            texts.add(world.lengthBytes() + " bytes in " + world.versions().size() + " versions, snapshots "
                    + world.snapshots().keySet());
        }
        return String.join(" or ", texts);
    }

    /**
     * What was found.
     *
     * @param ownLengths whether snapshots were read in their own lengths; qemu-img reads them in the length of the live disk, and then they are compared as
     *     far as both go
     */
    public record Found(SparseBytes disk, Map<String, SparseBytes> snapshots, boolean ownLengths) {
        public Found(SparseBytes disk, Map<String, SparseBytes> snapshots) {
            this(disk, snapshots, true);
        }
    }

    /** Why the finding is none of the worlds, a line for each, or an empty text where it is one. */
    public String mismatch(Found found) {
        List<String> reasons = new ArrayList<>();
        for (World world : worlds) {
            String reason = mismatch(world, found);
            if (reason.isEmpty()) {
                return "";
            }
            reasons.add("not world " + reasons.size() + ": " + reason);
        }
        return String.join("\n", reasons);
    }

    private static String mismatch(World world, Found found) {
        if (!List.copyOf(world.snapshots().keySet())
                .equals(List.copyOf(found.snapshots().keySet()))) {
            return "snapshots " + found.snapshots().keySet() + " instead of "
                    + world.snapshots().keySet();
        }
        for (Map.Entry<String, SparseBytes> each : world.snapshots().entrySet()) {
            long at = difference(each.getValue(), found.snapshots().get(each.getKey()), found.ownLengths());
            if (at >= 0) {
                return "snapshot " + each.getKey() + " differs at " + at;
            }
        }
        if (found.disk().lengthBytes() != world.lengthBytes()) {
            return "size " + found.disk().lengthBytes() + " instead of " + world.lengthBytes();
        }
        return mismatch(world.versions(), found.disk());
    }

    private static long difference(
            SparseBytes expected, @org.jspecify.annotations.Nullable SparseBytes content, boolean ownLengths) {
        if (content == null || ownLengths) {
            return content == null ? 0 : expected.firstDifference(content);
        }
        long common = Math.min(expected.lengthBytes(), content.lengthBytes());
        SparseBytes left = expected.fork();
        SparseBytes right = content.fork();
        left.setLengthBytes(common);
        right.setLengthBytes(common);
        return left.firstDifference(right);
    }

    private static String mismatch(List<SparseBytes> versions, SparseBytes disk) {
        SparseBytes last = versions.get(versions.size() - 1);
        long at = last.firstDifference(disk);
        if (at < 0) {
            return "";
        }
        for (long sector = at / SECTOR_BYTES; sector * SECTOR_BYTES < disk.lengthBytes(); sector++) {
            byte[] content = disk.read(sector * SECTOR_BYTES, SECTOR_BYTES);
            long offset = sector * SECTOR_BYTES;
            if (versions.stream().noneMatch(each -> Arrays.equals(each.read(offset, SECTOR_BYTES), content))) {
                return "sector at " + offset + " is none of its " + versions.size() + " versions but starts with "
                        + Arrays.toString(Arrays.copyOf(content, 8)) + ", versions "
                        + versions.stream()
                                .map(each -> Arrays.toString(each.read(offset, 8)))
                                .distinct()
                                .toList();
            }
        }
        return "";
    }
}
