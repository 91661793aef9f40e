package dev.ashlar.drivers.qcow2;

import dev.ashlar.drivers.qcow2.Qcow2Picture.Reference;
import dev.ashlar.drivers.qcow2.Qcow2Picture.Use;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.crash.DiskOperation;
import dev.ashlar.testkit.crash.WriteLog;
import dev.ashlar.testkit.crash.WriteLog.Event;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Replays what went to the disk and names the first rule of the write order that it breaks (R1 to R7, R9, R10). Each change is looked at as if, of all that no
 * flush covers yet, it alone had reached the disk: what it relies on has to be there already. Every sector of it is looked at on its own as well: nothing
 * longer arrives as a whole.
 *
 * <p>Who owns a host cluster is seen in its bytes: {@link ImageMachine} writes the number of the guest's sector into them.
 */
final class OrderingAuditor {
    private static final int SECTOR_BYTES = DiskOperation.SECTOR_BYTES;

    /** A rule that is broken. @param position of the event in the log */
    record Violation(String rule, int position, String what) {}

    private record Pending(int id, DiskOperation operation, boolean ended) {}

    private SparseBytes durable;
    private Qcow2Picture picture;
    private final List<Pending> pending = new ArrayList<>();
    private final Map<Integer, Set<Integer>> coveredByFlush = new HashMap<>();
    /** What failed after which nothing may follow; null: nothing did. */
    private @Nullable String failed;

    private OrderingAuditor(SparseBytes initial) {
        this.durable = initial.fork();
        this.picture = new Qcow2Picture(durable);
    }

    static @Nullable Violation firstViolation(WriteLog log, SparseBytes initial) {
        return firstViolation(log.events(), initial);
    }

    /** Null if no rule is broken. @param initial a valid image, which is not changed */
    static @Nullable Violation firstViolation(List<Event> events, SparseBytes initial) {
        OrderingAuditor auditor = new OrderingAuditor(initial);
        for (int i = 0; i < events.size(); i++) {
            String broken = auditor.advance(events.get(i));
            if (!broken.isEmpty()) {
                return new Violation(broken.substring(0, broken.indexOf(' ')), i, broken + ", by " + events.get(i));
            }
        }
        return null;
    }

    /** @return the rule that the event breaks and how, or "" */
    private String advance(Event event) {
        switch (event) {
            case Event.Started started -> {
                return start(started);
            }
            case Event.Ended ended -> end(ended);
            case Event.Mark mark -> {}
        }
        return "";
    }

    private String start(Event.Started started) {
        DiskOperation operation = started.operation();
        if (failed != null) {
            return "R9 something follows a failed " + failed;
        }
        if (operation instanceof DiskOperation.Flush) {
            Set<Integer> covered = new HashSet<>();
            pending.stream().filter(Pending::ended).forEach(each -> covered.add(each.id()));
            coveredByFlush.put(started.id(), covered);
            return "";
        }
        String broken = switch (operation) {
            case DiskOperation.Ranged ranged -> ranged(ranged);
            case DiskOperation.Truncate truncate -> truncated(truncate);
            case DiskOperation.Flush flush -> "";
        };
        pending.add(new Pending(started.id(), operation, false));
        return broken;
    }

    private void end(Event.Ended ended) {
        Set<Integer> covered = coveredByFlush.remove(ended.id());
        if (!ended.succeeded()) {
            failed = failure(ended.id(), covered != null);
            // nobody was told that it arrived
            pending.removeIf(each -> each.id() == ended.id());
        }
        if (covered == null) {
            if (ended.succeeded()) {
                pending.replaceAll(
                        each -> each.id() == ended.id() ? new Pending(each.id(), each.operation(), true) : each);
            }
        } else if (ended.succeeded() && !covered.isEmpty()) {
            for (Pending each : pending) {
                if (covered.contains(each.id())) {
                    each.operation().apply(durable);
                }
            }
            pending.removeIf(each -> covered.contains(each.id()));
            picture = new Qcow2Picture(durable);
        }
    }

    /** What ends the use of an image: a flush, or a write of metadata that is in use; other writes can be undone in memory. */
    private @Nullable String failure(int id, boolean flush) {
        if (flush) {
            return "flush";
        }
        for (Pending each : pending) {
            if (each.id() == id
                    && each.operation() instanceof DiskOperation.Write write
                    && write.metadata()
                    && touchesMetadata(write)) {
                return write.toString();
            }
        }
        return failed;
    }

    private String truncated(DiskOperation.Truncate truncate) {
        return truncate.lengthBytes() < durable.lengthBytes() ? structure(truncate, sector -> true, "R3") : "";
    }

    private String ranged(DiskOperation.Ranged ranged) {
        String broken = reuse(ranged);
        if (!broken.isEmpty() || !touchesMetadata(ranged)) {
            return broken;
        }
        boolean counts = touches(ranged, Use.REFCOUNT_BLOCK);
        broken = structure(ranged, sector -> true, counts ? "R4" : "R1");
        if (broken.isEmpty() && picture.autoclear() >> 2 != 0 && !touches(ranged, Use.HEADER)) {
            broken = "R10 autoclear bits stand while metadata changes";
        }
        for (int i = 0; broken.isEmpty() && i < ranged.sectorCount() && ranged.sectorCount() > 1; i++) {
            int only = i;
            if (!changes(ranged, i)) {
                continue;
            }
            broken = structure(ranged, sector -> sector == only, "R7");
            if (!broken.isEmpty()) {
                broken = "R7 only sector " + i + " is there: " + broken;
            }
        }
        return broken;
    }

    private boolean changes(DiskOperation.Ranged ranged, int sector) {
        long at = (ranged.offset() & -SECTOR_BYTES) + (long) sector * SECTOR_BYTES;
        SparseBytes image = durable.fork();
        ranged.apply(image, each -> each == sector);
        return image.lengthBytes() != durable.lengthBytes()
                || !Arrays.equals(
                        image.read(at, (int) Math.min(SECTOR_BYTES, image.lengthBytes() - at)),
                        durable.read(at, (int) Math.min(SECTOR_BYTES, durable.lengthBytes() - at)));
    }

    private long firstCluster(DiskOperation.Ranged ranged) {
        return ranged.offset() >> picture.clusterBits();
    }

    private long lastCluster(DiskOperation.Ranged ranged) {
        return ranged.offset() + Math.max(1, ranged.lengthBytes()) - 1 >> picture.clusterBits();
    }

    private boolean touches(DiskOperation.Ranged ranged, Use use) {
        for (long cluster = firstCluster(ranged); cluster <= lastCluster(ranged); cluster++) {
            if (picture.references(cluster).stream().anyMatch(each -> each.use() == use)) {
                return true;
            }
        }
        return false;
    }

    private boolean touchesMetadata(DiskOperation.Ranged ranged) {
        for (long cluster = firstCluster(ranged); cluster <= lastCluster(ranged); cluster++) {
            if (picture.references(cluster).stream().anyMatch(each -> isMetadata(each.use()))) {
                return true;
            }
        }
        return false;
    }

    private static boolean isMetadata(Use use) {
        return use != Use.DATA && use != Use.COMPRESSED;
    }

    /** R5: what is durably referred to is touched by nobody but its owner. R6: and not by him if he is not alone. */
    private String reuse(DiskOperation.Ranged ranged) {
        for (long cluster = firstCluster(ranged); cluster <= lastCluster(ranged); cluster++) {
            List<Reference> owners = picture.references(cluster);
            boolean data = owners.stream().anyMatch(each -> each.use() == Use.DATA);
            boolean tables = owners.stream().anyMatch(each -> isMetadata(each.use()));
            if (owners.isEmpty()
                    || (tables && !data && ranged instanceof DiskOperation.Write write && write.metadata())) {
                continue;
            }
            if (!(ranged instanceof DiskOperation.Write write)) {
                return "R5 cluster " + cluster + " is given away or cleared, but " + owners + " is durable";
            }
            if (!data) {
                if (owners.get(0).use() == Use.COMPRESSED) {
                    // compressed clusters share a host cluster, also with ones that come later
                    continue;
                }
                return "R5 cluster " + cluster + " is written, but " + owners + " is durable";
            }
            if (owners.size() > 1) {
                return "R6 cluster " + cluster + " is written, but shared: " + owners;
            }
            String stranger = stranger(write, cluster, owners.get(0));
            if (!stranger.isEmpty()) {
                return stranger;
            }
        }
        return "";
    }

    private String stranger(DiskOperation.Write write, long cluster, Reference owner) {
        long clusterStart = cluster << picture.clusterBits();
        long end = Math.min(write.offset() + write.lengthBytes(), clusterStart + (1L << picture.clusterBits()));
        for (long at = Math.max(write.offset(), clusterStart) + 3 & -4L; at + 4 <= end; ) {
            long sectorEnd = Math.min(end, (at & -SECTOR_BYTES) + SECTOR_BYTES);
            long expected = (owner.guestCluster() << picture.clusterBits()) + (at - clusterStart) >> 9;
            int own = 0;
            int strange = 0;
            int last = -1;
            long words = (sectorEnd - at) / 4;
            for (; at + 4 <= sectorEnd; at += 4) {
                int sector = sectorIn(write.content(), (int) (at - write.offset()));
                own += sector == (expected & 0xff) ? 1 : 0;
                strange += sector >= 0 && sector == last ? 1 : 0;
                last = sector;
            }
            at = sectorEnd + 3 & -4L;
            // where one write of the guest ends and another begins a number may be made of both, and noise has some
            // alike by chance
            if (own == 0 && strange > Math.max(2, words / 16)) {
                return "R5 cluster " + cluster + " takes bytes of guest sector " + last + " (modulo 256), but " + owner
                        + " is durable";
            }
        }
        return "";
    }

    /** The guest's sector, modulo 256, of which these four bytes say they are; -1 for zeros. */
    private static int sectorIn(byte[] bytes, int index) {
        boolean zero = bytes[index] == 0 && bytes[index + 1] == 0 && bytes[index + 2] == 0;
        return zero ? -1 : bytes[index + 2] - bytes[index] & 0xff;
    }

    /** The image as it would be if this alone arrived, against the image as it is for certain. */
    private String structure(DiskOperation operation, java.util.function.IntPredicate sectors, String countRule) {
        SparseBytes image = durable.fork();
        operation.apply(image, sectors);
        Qcow2Picture after = new Qcow2Picture(image);
        if (!after.problems().isEmpty() && picture.problems().isEmpty()) {
            String problem = after.problems().get(0);
            return (problem.contains("behind the end") ? "R3 " : "R7 ") + problem;
        }
        for (long cluster : after.referencedClusters()) {
            List<Reference> references = after.references(cluster);
            int before = picture.references(cluster).size();
            long count = after.count(cluster);
            boolean compressed = references.get(0).use() == Use.COMPRESSED;
            if (references.size() > count && before <= picture.count(cluster) && !picture.isDirty()) {
                return countRule + " cluster " + cluster + " has " + references.size() + " references and a count of "
                        + count + ": " + references;
            }
            String flags = flags(cluster, references, count);
            if (!flags.isEmpty()) {
                return flags;
            }
            if (references.size() > before && !compressed) {
                String unfilled = unfilled(cluster, references);
                if (!unfilled.isEmpty()) {
                    return unfilled;
                }
            }
        }
        return "";
    }

    private String flags(long cluster, List<Reference> references, long count) {
        boolean copied = references.stream().anyMatch(Reference::copied);
        boolean copiedBefore = picture.references(cluster).stream().anyMatch(Reference::copied);
        boolean exactBefore = picture.references(cluster).size() < 2;
        if (copied && references.size() > 1 && (exactBefore || !copiedBefore)) {
            return "R6 cluster " + cluster + " is claimed, but shared: " + references;
        }
        if (copied && !copiedBefore && count != 1 && !picture.isDirty()) {
            return "R6 cluster " + cluster + " is claimed with a durable count of " + count + ": " + references;
        }
        return "";
    }

    /** R2: of what becomes reachable nothing may still be on its way. */
    private String unfilled(long cluster, List<Reference> references) {
        for (Pending each : pending) {
            if (each.operation() instanceof DiskOperation.Ranged ranged
                    && firstCluster(ranged) <= cluster
                    && lastCluster(ranged) >= cluster) {
                return "R2 cluster " + cluster + " becomes reachable (" + references.get(references.size() - 1)
                        + "), but " + ranged + " is not durable";
            }
        }
        return "";
    }
}
