package dev.ashlar.testkit.crash;

import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.crash.CrashState.Choice;
import dev.ashlar.testkit.crash.CrashState.Extent;
import dev.ashlar.testkit.crash.WriteLog.Event;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;

/**
 * Walks a log and shows the images that a power cut could leave at each of its points: all combinations of whole operations where
 * they are few, and a sample drawn from a seed, torn writes included, where they are many.
 *
 * <p>No order of the uncertain operations need be tried: where two write the same sector, the older one surviving the newer is the
 * state in which the newer did not arrive there.
 */
public final class CrashStates {
    /** Takes the states. */
    @FunctionalInterface
    public interface StateVisitor {
        void visit(CrashState state) throws Exception;
    }

    private record Pending(int id, DiskOperation operation, boolean ended) {}

    private final SparseBytes durable;
    /** As if there were no crash. */
    private final SparseBytes latest;

    private final Random random;
    private final StateVisitor visitor;
    private final List<Pending> pending = new ArrayList<>();
    private final Map<Integer, Set<Integer>> coveredByFlush = new HashMap<>();
    /** Operations of which nobody can be sure any more: they failed, or a flush over them did. */
    private final Set<Integer> lost = new HashSet<>();

    private final List<Object> marks = new ArrayList<>();
    private int certain;
    private long visited;

    private CrashStates(SparseBytes initialImage, long seed, StateVisitor visitor) {
        this.durable = initialImage.fork();
        this.latest = initialImage.fork();
        this.random = new Random(seed);
        this.visitor = visitor;
    }

    /**
     * Shows states to a visitor, in the order of the log.
     *
     * @param initialImage the image when the log began; it is not changed
     * @param budget about how many states to show; every point of the log that can differ gets a share
     * @return how many were shown
     * @throws Exception what the visitor throws, at once
     */
    public static long forEachState(WriteLog log, SparseBytes initialImage, long seed, int budget, StateVisitor visitor)
            throws Exception {
        return forEachStateFrom(0, log, initialImage, seed, budget, visitor);
    }

    /**
     * As {@link #forEachState}, for crashes at or after a point only.
     *
     * @param firstPosition number of events that have happened by then
     */
    public static long forEachStateFrom(
            int firstPosition, WriteLog log, SparseBytes initialImage, long seed, int budget, StateVisitor visitor)
            throws Exception {
        List<Event> events = log.events();
        CrashStates states = new CrashStates(initialImage, seed, visitor);
        double points = 1
                + events.stream()
                        .skip(firstPosition)
                        .filter(CrashStates::isPoint)
                        .count();
        states.walk(events, firstPosition, budget / points);
        return states.visited;
    }

    private static boolean isPoint(Event event) {
        return switch (event) {
            case Event.Started started -> !(started.operation() instanceof DiskOperation.Flush);
            case Event.Ended ended -> false;
            case Event.Mark mark -> mark.promises();
        };
    }

    private void walk(List<Event> events, int firstPosition, double share) throws Exception {
        if (firstPosition == 0) {
            showPoint(0, false, share);
        }
        for (int i = 0; i < events.size(); i++) {
            Event event = events.get(i);
            switch (event) {
                case Event.Started started -> start(started);
                case Event.Ended ended -> end(ended);
                case Event.Mark mark -> marks.add(mark.value());
            }
            if (isPoint(event) && i >= firstPosition) {
                showPoint(i + 1, event instanceof Event.Started, share);
            }
        }
        showPoint(events.size(), false, share);
    }

    private void start(Event.Started started) {
        if (started.operation() instanceof DiskOperation.Flush) {
            Set<Integer> covered = new HashSet<>();
            pending.stream()
                    .filter(each -> each.ended() && !lost.contains(each.id()))
                    .forEach(each -> covered.add(each.id()));
            coveredByFlush.put(started.id(), covered);
        } else {
            started.operation().apply(latest);
            pending.add(new Pending(started.id(), wholeSectors(started.operation()), false));
        }
    }

    /** A disk knows sectors only: who writes a part of one writes the rest of it as it was at that time. */
    private DiskOperation wholeSectors(DiskOperation operation) {
        if (!(operation instanceof DiskOperation.Ranged ranged)) {
            return operation;
        }
        int sector = DiskOperation.SECTOR_BYTES;
        long end = ranged.offset() + ranged.lengthBytes();
        long wholeStart = ranged.offset() / sector * sector;
        long wholeEnd = Math.min(Math.ceilDiv(end, sector) * sector, Math.max(end, latest.lengthBytes()));
        if (wholeStart == ranged.offset() && wholeEnd == end) {
            return operation;
        }
        byte[] content = latest.read(wholeStart, Math.toIntExact(wholeEnd - wholeStart));
        return new DiskOperation.Write(
                wholeStart, content, ranged instanceof DiskOperation.Write write && write.metadata());
    }

    private void end(Event.Ended ended) {
        Set<Integer> covered = coveredByFlush.remove(ended.id());
        if (covered == null) {
            pending.replaceAll(each -> each.id() == ended.id() ? new Pending(each.id(), each.operation(), true) : each);
            if (!ended.succeeded()) {
                lost.add(ended.id());
            }
        } else if (ended.succeeded()) {
            covered.removeAll(lost);
            for (Pending each : pending) {
                if (covered.contains(each.id())) {
                    each.operation().apply(durable);
                    certain++;
                }
            }
            pending.removeIf(each -> covered.contains(each.id()));
        } else {
            lost.addAll(covered);
        }
    }

    /**
     * @param latestOnly whether the last pending operation must be there at least in part: without it the states are those of the
     *     point before
     */
    private void showPoint(int position, boolean latestOnly, double share) throws Exception {
        int quota = (int) share + (random.nextDouble() < share - Math.floor(share) ? 1 : 0);
        int free = pending.size() - (latestOnly ? 1 : 0);
        if (free < 20 && (1L << free) <= quota) {
            for (int subset = 0; subset < 1 << free; subset++) {
                int chosen = subset;
                show(position, index -> index >= free || (chosen & 1 << index) != 0 ? Extent.ALL : Extent.NONE);
            }
            if (canTear()) {
                for (int left = quota - (1 << free); left > 0; left--) {
                    show(position, index -> Extent.SOME_SECTORS);
                }
            }
        } else {
            for (int i = 0; i < quota; i++) {
                sample(position, free, i);
            }
        }
    }

    private boolean canTear() {
        return pending.stream().anyMatch(each -> each.operation().sectorCount() > 1);
    }

    @FunctionalInterface
    private interface Chooser {
        Extent extentOf(int index);
    }

    private void sample(int position, int free, int number) throws Exception {
        int pivot = random.nextInt(pending.size());
        int density = 1 + random.nextInt(7);
        // The corners come first, so that they are seen even when the quota is small; most of all the newest write
        // alone, which shows
        // what it relies on.
        int kind = number > 0 ? random.nextInt(9) : random.nextBoolean() ? 0 : random.nextInt(4);
        Chooser chooser = switch (kind) {
            case 0 -> index -> Extent.NONE;
            case 1 -> index -> index == pivot ? Extent.NONE : Extent.ALL;
            case 2 -> index -> index == pivot ? Extent.ALL : Extent.NONE;
            case 3 -> index -> index >= pivot ? Extent.ALL : Extent.NONE;
            case 4 -> index -> index == pivot ? Extent.SOME_SECTORS : Extent.ALL;
            case 5 -> index -> Extent.SOME_SECTORS;
            case 6 -> index -> index < pivot ? Extent.ALL : Extent.NONE;
            default -> index -> random.nextInt(8) < density ? Extent.ALL : Extent.NONE;
        };
        show(position, index -> {
            Extent extent = chooser.extentOf(index);
            return index >= free && extent == Extent.NONE ? Extent.ALL : extent;
        });
    }

    private void show(int position, Chooser chooser) throws Exception {
        SparseBytes image = durable.fork();
        List<Choice> choices = new ArrayList<>();
        for (int index = 0; index < pending.size(); index++) {
            Pending each = pending.get(index);
            DiskOperation operation = each.operation();
            Extent extent = chooser.extentOf(index);
            if (extent == Extent.ALL || (extent == Extent.SOME_SECTORS && operation.sectorCount() == 1)) {
                extent = extent == Extent.ALL || random.nextBoolean() ? Extent.ALL : Extent.NONE;
            }
            switch (extent) {
                case NONE -> {}
                case ALL -> operation.apply(image);
                case SOME_SECTORS -> {
                    BitSet sectors = someSectors(operation.sectorCount());
                    operation.apply(image, sectors::get);
                }
            }
            choices.add(new Choice(each.id(), operation, extent));
        }
        visited++;
        visitor.visit(new CrashState(position, marks, image, certain, choices));
    }

    /** A front, a back, or a scatter. */
    private BitSet someSectors(int count) {
        BitSet sectors = new BitSet(count);
        int cut = 1 + random.nextInt(count - 1);
        switch (random.nextInt(3)) {
            case 0 -> sectors.set(0, cut);
            case 1 -> sectors.set(cut, count);
            default -> {
                for (int i = 0; i < count; i++) {
                    sectors.set(i, random.nextBoolean());
                }
            }
        }
        return sectors;
    }
}
