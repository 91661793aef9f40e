package dev.ashlar.cli.output;

import java.io.PrintStream;

/** The progress of {@code -p}: one line that overwrites itself. May be called from any thread. */
public final class ProgressLine {
    private final PrintStream out;
    private final boolean enabled;
    private final double stepPercent;
    private double lastPercent;
    private double currentPercent;

    /** @param stepPercent how much must have happened before the line is written again */
    public ProgressLine(PrintStream out, boolean enabled, double stepPercent) {
        this.out = out;
        this.enabled = enabled;
        this.stepPercent = stepPercent;
    }

    /** Tells the total so far. */
    public synchronized void at(double percent) {
        currentPercent = Math.min(percent, 100);
        boolean due = Math.abs(currentPercent - lastPercent) > stepPercent;
        if (due || currentPercent == 100 || currentPercent == 0) {
            lastPercent = currentPercent;
            if (enabled) {
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
    public synchronized void end() {
        if (enabled) {
            out.print("\n");
        }
    }
}
