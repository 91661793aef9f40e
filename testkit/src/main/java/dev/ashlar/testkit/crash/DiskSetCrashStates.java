package dev.ashlar.testkit.crash;

import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.crash.CrashState.Extent;
import dev.ashlar.testkit.crash.DiskReplay.Chooser;
import dev.ashlar.testkit.crash.WriteLog.Event;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/**
 * As {@link CrashStates} for several disks that lose power at one moment. At each point of their common time, what a completed flush of
 * one disk covers is there, whatever the others hold; of what no flush covers yet, each disk keeps a subset of its own. One disk
 * may be ahead of another, but never shows what was begun after a flush whose effect the other one lacks.
 */
public final class DiskSetCrashStates {
    /** Takes the states. */
    @FunctionalInterface
    public interface StateVisitor {
        /**
         * @param position events, of all disks, that had happened
         * @param disks what each disk holds, by name
         */
        void visit(int position, Map<String, CrashState> disks) throws Exception;
    }

    /** One of the disks, and how far its log has been followed. */
    private static final class Disk {
        private final String name;
        private final List<Event> events;
        private final DiskReplay replay;
        private int position;

        Disk(String name, List<Event> events, DiskReplay replay) {
            this.name = name;
            this.events = events;
            this.replay = replay;
        }

        Event next() {
            Event event = events.get(position++);
            replay.advance(event);
            return event;
        }
    }

    private final List<Disk> disks = new ArrayList<>();
    private final Random random;
    private final StateVisitor visitor;
    private long visited;

    private DiskSetCrashStates(
            DiskSetLog log, Map<String, SparseBytes> initialImages, long seed, StateVisitor visitor) {
        this.random = new Random(seed);
        this.visitor = visitor;
        initialImages.forEach(
                (name, image) -> disks.add(new Disk(name, log.of(name).events(), new DiskReplay(image, random))));
    }

    /**
     * Shows states to a visitor, in the order of the log.
     *
     * @param initialImages the image of each disk when the log began, by name; they are not changed
     * @param budget about how many states to show; every point of the log that can differ gets a share
     * @return how many were shown
     * @throws Exception what the visitor throws, at once
     */
    public static long forEachState(
            DiskSetLog log, Map<String, SparseBytes> initialImages, long seed, int budget, StateVisitor visitor)
            throws Exception {
        DiskSetCrashStates states = new DiskSetCrashStates(log, initialImages, seed, visitor);
        states.walk(log.order(), budget);
        return states.visited;
    }

    private void walk(List<String> order, int budget) throws Exception {
        double points = 2;
        for (Disk disk : disks) {
            points += disk.events.stream().filter(CrashStates::isPoint).count();
        }
        double share = budget / points;
        int position = 0;
        showPoint(position, null, share);
        for (String name : order) {
            position++;
            for (Disk disk : disks) {
                if (disk.name.equals(name)) {
                    Event event = disk.next();
                    if (CrashStates.isPoint(event)) {
                        showPoint(position, event instanceof Event.Started ? disk : null, share);
                    }
                }
            }
        }
        showPoint(position, null, share);
    }

    /** @param newest the disk whose latest operation must be there at least in part */
    private void showPoint(int position, @Nullable Disk newest, double share) throws Exception {
        int quota = (int) share + (random.nextDouble() < share - Math.floor(share) ? 1 : 0);
        for (int i = 0; i < quota; i++) {
            Map<String, CrashState> states = new LinkedHashMap<>();
            for (Disk disk : disks) {
                // all or nothing often enough: disks that disagree as much as they can are the dangerous ones
                Chooser drawn = corner(disk.replay, i);
                int must = disk == newest ? disk.replay.pendingCount() - 1 : Integer.MAX_VALUE;
                states.put(disk.name, disk.replay.crash(disk.position, index -> {
                    Extent extent = drawn.extentOf(index);
                    return index == must && extent == Extent.NONE ? Extent.ALL : extent;
                }));
            }
            visited++;
            visitor.visit(position, states);
        }
    }

    private Chooser corner(DiskReplay replay, int number) {
        return switch (random.nextInt(4)) {
            case 0 -> index -> Extent.NONE;
            case 1 -> index -> Extent.ALL;
            default -> replay.draw(number);
        };
    }
}
