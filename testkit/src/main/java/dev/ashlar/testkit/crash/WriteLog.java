package dev.ashlar.testkit.crash;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/** What happened to a disk, in order, with marks of the test between. Thread-safe. */
public final class WriteLog {
    /** One line of the log. */
    public sealed interface Event {
        /** An operation was handed to the disk. @param id counts operations from 0 */
        record Started(int id, DiskOperation operation) implements Event {}

        /** The disk answered. @param succeeded false when it reported an error */
        record Ended(int id, boolean succeeded) implements Event {}

        /**
         * The test noted something, for instance that a guest's flush was acknowledged.
         *
         * @param promises whether a crash here must be tried because more is promised than before
         */
        record Mark(Object value, boolean promises) implements Event {}
    }

    private final List<Event> events = new ArrayList<>();
    private final Runnable onEvent;
    private int nextId;

    /** An empty log. */
    public WriteLog() {
        this(() -> {});
    }

    /** @param onEvent told of each event, in order */
    WriteLog(Runnable onEvent) {
        this.onEvent = onEvent;
    }

    private void add(Event event) {
        events.add(event);
        onEvent.run();
    }

    /** @return the id to end it with */
    public synchronized int start(DiskOperation operation) {
        add(new Event.Started(nextId, operation));
        return nextId++;
    }

    public synchronized void end(int id, boolean succeeded) {
        add(new Event.Ended(id, succeeded));
    }

    /** Notes that from here on more is promised: crashes at this point are tried. */
    public synchronized void mark(Object value) {
        add(new Event.Mark(Objects.requireNonNull(value, "value"), true));
    }

    /** Notes something that takes no promise back but may make one weaker: no crash of its own is tried. */
    public synchronized void note(Object value) {
        add(new Event.Mark(Objects.requireNonNull(value, "value"), false));
    }

    /** Number of events so far. */
    public synchronized int size() {
        return events.size();
    }

    /** A copy of the events so far. */
    public synchronized List<Event> events() {
        return List.copyOf(events);
    }

    /** Forgets everything, for a fresh start on an image that is known to be whole. */
    public synchronized void clear() {
        events.clear();
        nextId = 0;
    }

    /** The last events, one a line, to print when a test fails. */
    public synchronized String tail(int upTo, int count) {
        StringBuilder text = new StringBuilder();
        int end = Math.min(upTo, events.size());
        for (int i = Math.max(0, end - count); i < end; i++) {
            text.append(i).append(": ").append(events.get(i)).append('\n');
        }
        return text.toString();
    }
}
