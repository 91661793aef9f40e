package dev.ashlar.testkit.crash;

import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.crash.CrashState.Extent;
import dev.ashlar.testkit.crash.DiskReplay.Chooser;
import dev.ashlar.testkit.crash.WriteLog.Event;
import java.util.List;
import java.util.Random;

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

    private final DiskReplay disk;
    private final Random random;
    private final StateVisitor visitor;
    private long visited;

    private CrashStates(SparseBytes initialImage, long seed, StateVisitor visitor) {
        this.random = new Random(seed);
        this.disk = new DiskReplay(initialImage, random);
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

    static boolean isPoint(Event event) {
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
            disk.advance(event);
            if (isPoint(event) && i >= firstPosition) {
                showPoint(i + 1, event instanceof Event.Started, share);
            }
        }
        showPoint(events.size(), false, share);
    }

    /**
     * @param latestOnly whether the last pending operation must be there at least in part: without it the states are those of the
     *     point before
     */
    private void showPoint(int position, boolean latestOnly, double share) throws Exception {
        int quota = (int) share + (random.nextDouble() < share - Math.floor(share) ? 1 : 0);
        int free = disk.pendingCount() - (latestOnly ? 1 : 0);
        if (free < 20 && (1L << free) <= quota) {
            for (int subset = 0; subset < 1 << free; subset++) {
                int chosen = subset;
                show(position, index -> index >= free || (chosen & 1 << index) != 0 ? Extent.ALL : Extent.NONE);
            }
            if (disk.canTear()) {
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

    private void sample(int position, int free, int number) throws Exception {
        Chooser chooser = disk.draw(number);
        show(position, index -> {
            Extent extent = chooser.extentOf(index);
            return index >= free && extent == Extent.NONE ? Extent.ALL : extent;
        });
    }

    private void show(int position, Chooser chooser) throws Exception {
        visited++;
        visitor.visit(disk.crash(position, chooser));
    }
}
