package dev.ashlar.cli.io;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.ProgramExit;
import dev.ashlar.core.BlockException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The table of commands, and the way from a line of text to what it does. */
final class IoCommand {
    private static final int ANY = -1;

    /**
     * An entry of the table.
     *
     * @param shortName another name, or empty
     * @param needsFile runs on an open image only
     * @param writes needs an image that may be written
     * @param arguments how to use it
     * @param purpose what it does
     */
    record Entry(
            String name,
            String shortName,
            int minimumArguments,
            int maximumArguments,
            boolean needsFile,
            boolean writes,
            @Nullable String arguments,
            String purpose) {
        /** The line that a wrong use gets as an answer. */
        String usage() {
            return name + " " + arguments + " -- " + purpose + "\n";
        }
    }

    private static final Entry[] ENTRIES = {
        new Entry("abort", "", 0, 0, false, false, null, "simulate a program crash using abort(3)"),
        new Entry("aio_flush", "", 0, 0, true, false, null, "completes all outstanding aio requests"),
        new Entry(
                "aio_read",
                "",
                2,
                ANY,
                true,
                false,
                "[-Ciqv] [-P pattern] off len [len..]",
                "asynchronously reads a number of bytes"),
        new Entry(
                "aio_write",
                "",
                2,
                ANY,
                true,
                true,
                "[-Cfiquz] [-P pattern] off len [len..]",
                "asynchronously writes a number of bytes"),
        new Entry("alloc", "a", 1, 2, true, false, "offset [count]", "checks if offset is allocated in the file"),
        new Entry(
                "break",
                "",
                2,
                2,
                true,
                false,
                "event tag",
                "sets a breakpoint on event and tags the stopped request as tag"),
        new Entry("close", "c", 0, 0, true, false, null, "close the current open file"),
        new Entry(
                "discard",
                "d",
                2,
                ANY,
                true,
                true,
                "[-Cq] off len",
                "discards a number of bytes at a specified offset"),
        new Entry("flush", "f", 0, 0, true, false, null, "flush all in-core file state to disk"),
        new Entry("help", "?", 0, 1, false, false, "[command]", "help for one or all commands"),
        new Entry("info", "i", 0, 0, true, false, null, "prints information about the current file"),
        new Entry("length", "l", 0, 0, true, false, null, "gets the length of the current file"),
        new Entry("map", "", 0, 0, true, false, "", "prints the allocated areas of a file"),
        new Entry(
                "open",
                "o",
                1,
                ANY,
                false,
                false,
                "[-rsCnkU] [-t cache] [-d discard] [-o options] [path]",
                "open the file specified by path"),
        new Entry("quit", "q", 0, ANY, false, false, null, "exit the program"),
        new Entry(
                "read",
                "r",
                2,
                ANY,
                true,
                false,
                "[-abCqv] [-P pattern [-s off] [-l len]] off len",
                "reads a number of bytes at a specified offset"),
        new Entry(
                "readv",
                "",
                2,
                ANY,
                true,
                false,
                "[-Cqv] [-P pattern] off len [len..]",
                "reads a number of bytes at a specified offset"),
        new Entry("remove_break", "", 1, 1, true, false, "tag", "remove a breakpoint by tag"),
        new Entry(
                "reopen",
                "",
                0,
                ANY,
                true,
                false,
                "[(-r|-w)] [-c cache] [-o options]",
                "reopens an image with new options"),
        new Entry("resume", "", 1, 1, true, false, "tag", "resumes the request tagged as tag"),
        new Entry("sigraise", "", 1, 1, false, false, "signal", "raises a signal"),
        new Entry("sleep", "", 1, 1, false, false, null, "waits for the given value in milliseconds"),
        new Entry(
                "truncate",
                "t",
                1,
                3,
                true,
                true,
                "[-m prealloc_mode] off",
                "truncates the current file at the given offset"),
        new Entry("wait_break", "", 1, 1, true, false, "tag", "waits for the suspension of a request"),
        new Entry(
                "write",
                "w",
                2,
                ANY,
                true,
                true,
                "[-bcCfnquz] [-P pattern | -s source_file] off len",
                "writes a number of bytes at a specified offset"),
        new Entry(
                "writev",
                "",
                2,
                ANY,
                true,
                true,
                "[-Cfq] [-P pattern] off len [len..]",
                "writes a number of bytes at a specified offset"),
    };

    private final Console console;
    private final OpenImage image;
    private final boolean imageOpts;
    private boolean quitting;

    /** @param imageOpts images are described by options, not named */
    IoCommand(Console console, OpenImage image, boolean imageOpts) {
        this.imageOpts = imageOpts;
        this.console = console;
        this.image = image;
    }

    boolean isQuitting() {
        return quitting;
    }

    /** Runs one line. @return whether it went well; what went wrong was reported */
    boolean run(String line) {
        String[] words = split(line);
        if (words.length == 0) {
            return true;
        }
        Entry entry = find(words[0]);
        if (entry == null) {
            complain("command \"" + words[0] + "\" not found");
            return false;
        }
        if (entry.needsFile && !image.isOpen()) {
            complain("no file open, try 'help open'");
            return false;
        }
        if (!checkCount(entry, words)) {
            return false;
        }
        if (entry.writes && image.backend().isReadOnly()) {
            console.error("Block node is read-only");
            return false;
        }
        try {
            return perform(entry, words);
        } catch (ProgramExit e) {
            return false;
        } catch (BlockException e) {
            console.error(String.valueOf(e.getMessage()));
            return false;
        }
    }

    /** Finds a command by either name. */
    static @Nullable Entry find(String name) {
        for (Entry entry : ENTRIES) {
            if (entry.name.equals(name) || !entry.shortName.isEmpty() && entry.shortName.equals(name)) {
                return entry;
            }
        }
        return null;
    }

    /** Whether a command takes the time in which requests end. */
    private static boolean waits(Entry entry) {
        return !entry.name.startsWith("aio_") && !entry.name.endsWith("break") && !entry.name.equals("resume");
    }

    private boolean perform(Entry entry, String[] words) throws BlockException {
        if (image.isOpen() && waits(entry)) {
            image.pollRequests();
        }
        boolean good = switch (entry.name) {
            case "read" -> new ReadCommand(console, image, entry).run(words);
            case "readv" -> new ReadCommand(console, image, entry).runVector(words);
            case "write" -> new WriteCommand(console, image, entry).run(words);
            case "writev" -> new WriteCommand(console, image, entry).runVector(words);
            case "aio_read" -> new AsyncCommand(console, image, entry).read(words);
            case "aio_write" -> new AsyncCommand(console, image, entry).write(words);
            case "discard" -> new WriteCommand(console, image, entry).discard(words);
            case "alloc" -> new StatusCommand(console, image).alloc(words);
            case "map" -> new StatusCommand(console, image).map();
            case "length" -> new StatusCommand(console, image).length();
            case "info" -> new StatusCommand(console, image).info();
            case "truncate" -> new FileCommand(console, image, entry).truncate(words);
            case "open" -> new FileCommand(console, image, entry).open(words, imageOpts);
            case "reopen" -> new FileCommand(console, image, entry).reopen(words);
            case "break" -> new BreakCommand(console, image).set(words[1], words[2]);
            case "remove_break" -> new BreakCommand(console, image).remove(words[1]);
            case "resume" -> new BreakCommand(console, image).resume(words[1]);
            case "wait_break" -> new BreakCommand(console, image).await(words[1]);
            case "abort" -> new FileCommand(console, image, entry).raise("ABRT");
            case "sigraise" -> new FileCommand(console, image, entry).sigraise(words);
            case "sleep" -> new FileCommand(console, image, entry).sleep(words);
            case "help" -> help(words);
            default -> simple(entry.name);
        };
        if (image.isOpen() && waits(entry)) {
            image.pollRequests();
        }
        return good;
    }

    private boolean simple(String name) throws BlockException {
        switch (name) {
            case "flush" -> {
                try {
                    image.backend().flush();
                    image.flushed();
                } catch (BlockException e) {
                    image.flushed();
                    // qemu-io tells a failed flush by its status alone.
                    return false;
                }
            }
            case "aio_flush" -> image.finishRequests();
            case "close" -> image.closeFile();
            default -> quitting = true;
        }
        return true;
    }

    private boolean checkCount(Entry entry, String[] words) {
        int count = words.length - 1;
        boolean many = entry.maximumArguments != ANY && count > entry.maximumArguments;
        if (count >= entry.minimumArguments && !many) {
            return true;
        }
        String expected;
        if (entry.maximumArguments == ANY) {
            expected = "at least " + entry.minimumArguments;
        } else if (entry.minimumArguments == entry.maximumArguments) {
            expected = Integer.toString(entry.minimumArguments);
        } else {
            expected = "between " + entry.minimumArguments + " and " + entry.maximumArguments;
        }
        complain("bad argument count " + count + " to " + words[0] + ", expected " + expected + " arguments");
        return false;
    }

    private boolean help(String[] words) {
        if (words.length < 2) {
            for (Entry entry : ENTRIES) {
                console.out().print(helpLine(entry.name, entry));
            }
            console.out().print("\nUse 'help commandname' for extended help.\n");
            return true;
        }
        Entry entry = find(words[1]);
        if (entry == null) {
            console.out().print("command " + words[1] + " not found\n");
            return false;
        }
        console.out().print(helpLine(words[1], entry));
        console.out().print(IoHelp.text(entry.name));
        return true;
    }

    private static String helpLine(String name, Entry entry) {
        String arguments = entry.arguments == null ? "" : entry.arguments + " ";
        return name + " " + arguments + "-- " + entry.purpose + "\n";
    }

    private void complain(String message) {
        console.hint(message);
    }

    private static String[] split(String line) {
        List<String> words = new ArrayList<>();
        int start = 0;
        for (int at = 0; at <= line.length(); at++) {
            if (at == line.length() || line.charAt(at) == ' ') {
                if (at > start) {
                    words.add(line.substring(start, at));
                }
                start = at + 1;
            }
        }
        return words.toArray(new String[0]);
    }
}
