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

/** One disk at one point of its log: what is there for certain, what may be there, and images of both. */
final class DiskReplay {
    private record Pending(int id, DiskOperation operation, boolean ended) {}

    private final SparseBytes durable;
    /** As if there were no crash. */
    private final SparseBytes latest;

    private final Random random;
    private final List<Pending> pending = new ArrayList<>();
    private final Map<Integer, Set<Integer>> coveredByFlush = new HashMap<>();
    /** Operations of which nobody can be sure any more: they failed, or a flush over them did. */
    private final Set<Integer> lost = new HashSet<>();

    private final List<Object> marks = new ArrayList<>();
    private int certain;

    DiskReplay(SparseBytes initialImage, Random random) {
        this.durable = initialImage.fork();
        this.latest = initialImage.fork();
        this.random = random;
    }

    /** Goes on by one event. */
    void advance(Event event) {
        switch (event) {
            case Event.Started started -> start(started);
            case Event.Ended ended -> end(ended);
            case Event.Mark mark -> marks.add(mark.value());
        }
    }

    /** Number of operations that may be there or not. */
    int pendingCount() {
        return pending.size();
    }

    boolean canTear() {
        return pending.stream().anyMatch(each -> each.operation().sectorCount() > 1);
    }

    /** Says what becomes of an operation that may be there. */
    @FunctionalInterface
    interface Chooser {
        /** @param index of the operation among those that may be there, in the order of their start */
        Extent extentOf(int index);
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
     * An image that a crash here may leave.
     *
     * @param position of the log, for the record
     */
    CrashState crash(int position, Chooser chooser) {
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
        return new CrashState(position, marks, image, certain, choices);
    }

    /**
     * Draws a pattern: a corner of what is possible, or a mixture.
     *
     * @param number of the sample at this point, from 0: the corners come first
     */
    Chooser draw(int number) {
        if (pending.isEmpty()) {
            return index -> Extent.NONE;
        }
        int pivot = random.nextInt(pending.size());
        int density = 1 + random.nextInt(7);
        // The corners come first, so that they are seen even when the quota is small; most of all the newest write
        // alone, which shows
        // what it relies on.
        int kind = number > 0 ? random.nextInt(9) : random.nextBoolean() ? 0 : random.nextInt(4);
        return switch (kind) {
            case 0 -> index -> Extent.NONE;
            case 1 -> index -> index == pivot ? Extent.NONE : Extent.ALL;
            case 2 -> index -> index == pivot ? Extent.ALL : Extent.NONE;
            case 3 -> index -> index >= pivot ? Extent.ALL : Extent.NONE;
            case 4 -> index -> index == pivot ? Extent.SOME_SECTORS : Extent.ALL;
            case 5 -> index -> Extent.SOME_SECTORS;
            case 6 -> index -> index < pivot ? Extent.ALL : Extent.NONE;
            default -> index -> random.nextInt(8) < density ? Extent.ALL : Extent.NONE;
        };
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
