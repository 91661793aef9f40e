package dev.ashlar.cli;

/** What is done should a signal end the program while this is open (interrupt, termination, hang-up; not kill). */
public final class StopHook implements AutoCloseable {
    private final Thread thread;

    /** @param action runs in a thread of its own while the program's other threads go on; short, as the user waits for the end */
    public StopHook(Runnable action) {
        thread = new Thread(action, "stop");
        Runtime.getRuntime().addShutdownHook(thread);
    }

    @Override
    public void close() {
        try {
            Runtime.getRuntime().removeShutdownHook(thread);
        } catch (IllegalStateException e) {
            // The program is ending: it has run or runs now.
        }
    }
}
