package dev.ashlar.cli.io;

/** The long help of commands. */
final class IoHelp {
    private static final String NUMBERS =
            " Offsets and lengths are bytes; k, M, G, T, P and E multiply by powers of 1024, 0x starts a hexadecimal"
                    + " number.\n";
    private static final String COMMON = """
          -C  one line of values: bytes,requests,time,bytes/s,requests/s
          -q  say nothing about success
        """;

    private IoHelp() {}

    /** What there is to say beyond the usage line; may be empty. */
    static String text(String command) {
        return switch (command) {
            case "read" ->
                "\n Reads a range and tells how long that took. For instance: read -P 0xab 0 64k\n" + NUMBERS
                        + "  -P  compare each byte with this one\n"
                        + "  -s  start of the part to compare, -l its length\n"
                        + "  -v  show the bytes\n"
                        + "  -b  read VM state instead of the disk\n"
                        + COMMON + "\n";
            case "readv", "aio_read" ->
                "\n Reads a range whose length is the sum of the given ones.\n" + NUMBERS
                        + "  -P  compare each byte with this one\n"
                        + "  -v  show the bytes\n"
                        + COMMON + asynchronous(command) + "\n";
            case "write" ->
                "\n Writes a range, with bytes 0xcd unless told otherwise. For instance: write -P 0xab 0 64k\n"
                        + NUMBERS
                        + "  -P  write this byte\n"
                        + "  -s  write what is in this file, again and again\n"
                        + "  -z  write zeros without sending them, -u: space may be given back\n"
                        + "  -f  durable when it returns\n"
                        + "  -b  write VM state instead of the disk\n"
                        + COMMON + "\n";
            case "writev", "aio_write" ->
                "\n Writes a range whose length is the sum of the given ones, with bytes 0xcd unless told otherwise.\n"
                        + NUMBERS
                        + "  -P  write this byte\n"
                        + "  -f  durable when it returns\n"
                        + COMMON + asynchronous(command) + "\n";
            case "discard" -> "\n Gives the space of a range back.\n" + NUMBERS + COMMON + "\n";
            case "open" -> """

                 Opens an image for the commands that follow.
                  -r  for reading only
                  -n  past the host's cache, as -t none
                  -t  cache mode, -d discard mode
                  -o  driver=FMT and further options of the driver
                  -U  take no locks

                """;
            case "reopen" -> "\n Opens the same image anew.\n  -r  for reading only\n  -w  for writing\n\n";
            case "sigraise" -> "\n Sends this program a signal, given by number.\n\n";
            default -> "";
        };
    }

    private static String asynchronous(String command) {
        return command.startsWith("aio_")
                ? " The command does not wait for the request, whose result is told later; aio_flush waits for all.\n"
                : "";
    }
}
