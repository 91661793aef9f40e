package dev.ashlar.cli.output;

import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.spi.PrintableName;
import java.io.PrintStream;
import java.util.List;
import java.util.TimeZone;

/** The table of internal snapshots that {@code qemu-img snapshot -l} and {@code info} print. */
public final class SnapshotTable {
    private static final long NANOS_PER_SECOND = 1_000_000_000L;

    private SnapshotTable() {}

    /** Prints the caption, the head and one line per snapshot; local time. */
    public static void print(PrintStream out, List<SnapshotInfo> snapshots) {
        out.print("Snapshot list:\n");
        out.print(Decimals.left("ID", 10) + Decimals.left("TAG", 17) + Decimals.right("VM SIZE", 8)
                + Decimals.right("DATE", 20) + Decimals.right("VM CLOCK", 13) + Decimals.right("ICOUNT", 11) + "\n");
        for (SnapshotInfo snapshot : snapshots) {
            out.print(line(snapshot) + "\n");
        }
    }

    private static String line(SnapshotInfo snapshot) {
        long clockSeconds = snapshot.vmClockNanos() / NANOS_PER_SECOND;
        String clock = Decimals.zeroPadded(clockSeconds / 3600, 2)
                + ":" + Decimals.zeroPadded(clockSeconds / 60 % 60, 2)
                + ":" + Decimals.zeroPadded(clockSeconds % 60, 2)
                + "." + Decimals.zeroPadded(snapshot.vmClockNanos() / 1_000_000 % 1000, 3);
        String instructions = snapshot.instructionCount().isPresent()
                ? Long.toString(snapshot.instructionCount().getAsLong())
                : "";
        return Decimals.left(PrintableName.of(snapshot.id()), 9)
                + " " + Decimals.left(PrintableName.of(snapshot.name()), 16)
                + " " + Decimals.right(SizeWords.threeDigits(snapshot.vmStateSizeBytes()), 8)
                + Decimals.right(localTime(snapshot.dateSeconds()), 20)
                + Decimals.right(clock, 13)
                + Decimals.right(instructions, 11);
    }

    /** {@code YYYY-MM-DD hh:mm:ss} in the zone of this machine. */
    static String localTime(long epochSeconds) {
        long local = epochSeconds + TimeZone.getDefault().getOffset(epochSeconds * 1000) / 1000;
        long day = Math.floorDiv(local, 86_400L);
        int second = (int) Math.floorMod(local, 86_400L);
        // Days are counted from 0000-03-01, so that a leap day ends its year.
        long shifted = day + 719_468;
        long era = Math.floorDiv(shifted, 146_097L);
        int dayOfEra = (int) Math.floorMod(shifted, 146_097L);
        int yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365;
        int dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
        int monthFromMarch = (5 * dayOfYear + 2) / 153;
        int dayOfMonth = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1;
        int month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
        long year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
        return Decimals.zeroPadded(year, 4) + "-" + Decimals.zeroPadded(month, 2) + "-"
                + Decimals.zeroPadded(dayOfMonth, 2) + " " + Decimals.zeroPadded(second / 3600, 2) + ":"
                + Decimals.zeroPadded(second / 60 % 60, 2) + ":" + Decimals.zeroPadded(second % 60, 2);
    }
}
