package dev.ashlar.cli.output;

import dev.ashlar.cli.StopHook;
import java.io.PrintStream;
import org.jspecify.annotations.Nullable;

/** The progress of {@code -p}: one line that overwrites itself, and ends also when a signal ends the program. May be called from any thread. */
public final class ProgressLine {
    private final PrintStream out;
    private final boolean enabled;
    private final double stepPercent;
    private final @Nullable StopHook hook;
    private boolean ended;
    private double lastPercent;
    private double currentPercent;

    /** @param stepPercent how much must have happened before the line is written again */
    public ProgressLine(PrintStream out, boolean enabled, double stepPercent) {
        this.out = out;
        this.enabled = enabled;
        this.stepPercent = stepPercent;
        hook = enabled ? new StopHook(new End(this)) : null;
    }

    /** Tells the total so far. */
    public synchronized void at(double percent) {
        currentPercent = Math.min(percent, 100);
        boolean due = Math.abs(currentPercent - lastPercent) > stepPercent;
        if (due || currentPercent == 100 || currentPercent == 0) {
            lastPercent = currentPercent;
            if (enabled && !ended) {
                out.print("    (" + Decimals.fixed((float) currentPercent, 2) + "/100%)\r");
                out.flush();
            }
        }
    }

    /** Tells what was done since the last time. */
    public synchronized void advance(double percent) {
        at(currentPercent + percent);
    }

    /** Ends the line. */
    public void end() {
        finish();
        if (hook != null) {
            hook.close();
        }
    }

    private synchronized void finish() {
        if (enabled && !ended) {
            ended = true;
            out.print("\n");
            out.flush();
        }
    }

    /** A class, not a lambda, for the sake of the start time. */
    private record End(ProgressLine line) implements Runnable {
        @Override
        public void run() {
            line.finish();
        }
    }
}
