package dev.ashlar.cli.io;

import dev.ashlar.cli.output.Decimals;
import dev.ashlar.cli.output.SizeWords;
import java.io.PrintStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** The result lines of requests. */
final class Report {
    private static final double NANOS_PER_SECOND = 1e9;

    private Report() {}

    /**
     * Prints what a request moved and how fast that was.
     *
     * @param verb what was done, for instance {@code wrote}
     * @param machine one line of values for programs
     */
    static void print(
            PrintStream out, String verb, long nanos, long offset, long wantedBytes, long movedBytes, boolean machine) {
        double seconds = nanos / NANOS_PER_SECOND;
        if (machine) {
            out.print(movedBytes + ",1," + time(nanos, true) + "," + Decimals.fixed(movedBytes / seconds, 3) + ","
                    + Decimals.fixed(1 / seconds, 3) + "\n");
            return;
        }
        out.print(verb + " " + movedBytes + "/" + wantedBytes + " bytes at offset " + offset + "\n"
                + SizeWords.threeDecimals(movedBytes) + ", 1 ops; " + time(nanos, false) + " ("
                + SizeWords.threeDecimals(movedBytes / seconds) + "/sec and " + Decimals.fixed(1 / seconds, 4)
                + " ops/sec)\n");
    }

    private static String time(long nanos, boolean full) {
        long seconds = nanos / 1_000_000_000L;
        double fraction = nanos % 1_000_000_000L / NANOS_PER_SECOND;
        if (full || seconds > 0) {
            return seconds / 3600 + ":" + Decimals.zeroPadded(seconds % 3600 / 60, 2) + ":"
                    + Decimals.fixed(seconds % 60 + fraction, 2, 5);
        }
        return Decimals.fixed(fraction, 2, 5) + " sec";
    }

    /** Prints bytes, 16 a line, in hexadecimal and as letters and digits. */
    static void dump(PrintStream out, MemorySegment buffer, long offset) {
        long length = buffer.byteSize();
        StringBuilder line = new StringBuilder(96);
        for (long start = 0; start < length; start += 16) {
            line.setLength(0);
            String address = Long.toHexString(offset + start);
            line.repeat('0', Math.max(0, 8 - address.length())).append(address).append(":  ");
            long end = Math.min(length, start + 16);
            for (long i = start; i < end; i++) {
                int value = buffer.get(ValueLayout.JAVA_BYTE, i) & 0xff;
                line.append(Character.forDigit(value >> 4, 16))
                        .append(Character.forDigit(value & 15, 16))
                        .append(' ');
            }
            line.append(' ');
            for (long i = start; i < end; i++) {
                char c = (char) (buffer.get(ValueLayout.JAVA_BYTE, i) & 0xff);
                boolean shown = c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z';
                line.append(shown ? c : '.');
            }
            out.print(line.append('\n'));
        }
    }

    /** Whether every byte is the pattern. */
    static boolean matches(MemorySegment buffer, int pattern) {
        long length = buffer.byteSize();
        if (length == 0) {
            return true;
        }
        if (buffer.get(ValueLayout.JAVA_BYTE, 0) != (byte) pattern) {
            return false;
        }
        // A buffer of one value equals itself moved by one byte.
        return MemorySegment.mismatch(buffer, 1, length, buffer, 0, length - 1) < 0;
    }
}
