package dev.ashlar.cli;

import dev.ashlar.cli.object.UserObjects;
import dev.ashlar.cli.output.Escapes;
import dev.ashlar.cli.output.WatchedOutput;
import dev.ashlar.core.spi.BlockDriver;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The name a program was called by, the three streams it talks through, and the objects its command line defined. Standard output is buffered until {@link #flush};
 * what is said after it failed is dropped. Used by one thread.
 */
public final class Console {
    private static final int BUFFER_BYTES = 32 * 1024;
    /** What the kernel says of a pipe that nobody reads any more. */
    private static final String NO_READER = "Broken pipe";

    private final String program;
    private final InputStream in;
    private final WatchedOutput watched;
    private final PrintStream out;
    private final PrintStream err;
    private final UserObjects objects;
    private Trust trust = Trust.full();

    public Console(String program, InputStream in, OutputStream out, OutputStream err) {
        this(program, in, out, err, null);
    }

    /** @param drivers that commands have; null: those that are installed */
    public Console(
            String program, InputStream in, OutputStream out, OutputStream err, @Nullable List<BlockDriver> drivers) {
        this.program = program;
        this.in = in;
        this.watched = new WatchedOutput(out);
        this.out = new PrintStream(new BufferedOutputStream(watched, BUFFER_BYTES), false, StandardCharsets.UTF_8);
        this.err = new PrintStream(new BufferedOutputStream(err, 1024), false, StandardCharsets.UTF_8);
        this.objects = new UserObjects(new Notices(), drivers);
    }

    /** Lines for the user that are no message of the program, and warnings, which are. A class, not a lambda, for the sake of the start time. */
    private final class Notices implements Consumer<String> {
        @Override
        public void accept(String line) {
            if (line.startsWith("warning: ")) {
                error(line);
                return;
            }
            err.print(Escapes.lines(line) + "\n");
            err.flush();
        }
    }

    /** The same streams under another name. */
    private Console(String program, Console other) {
        this.program = program;
        in = other.in;
        watched = other.watched;
        out = other.out;
        err = other.err;
        objects = other.objects;
        trust = other.trust;
    }

    /** This console, with messages under another name. */
    public Console named(String otherProgram) {
        return new Console(otherProgram, this);
    }

    /** The name that stands in front of messages. */
    public String program() {
        return program;
    }

    /** What {@code --object} defined; lives as long as the program. */
    public UserObjects objects() {
        return objects;
    }

    /** Whether the images on the command line are trusted. */
    public Trust trust() {
        return trust;
    }

    void trust(Trust said) {
        trust = said;
    }

    public InputStream in() {
        return in;
    }

    public PrintStream out() {
        return out;
    }

    /** Standard error for text that is no message of its own; the caller flushes. */
    public PrintStream err() {
        return err;
    }

    /** One message on standard error; control characters but line feeds are escaped. */
    public void error(String message) {
        err.print(program + ": " + Escapes.lines(message) + "\n");
        err.flush();
    }

    /** One warning on standard error. */
    public void warn(String message) {
        error("warning: " + message);
    }

    /** Further lines for the message before. */
    public void hint(String text) {
        err.print(Escapes.lines(text) + "\n");
        err.flush();
    }

    /** As {@link #hint}, without a line feed: qemu-img ends one of its hints like that. */
    public void hintWithoutEnd(String text) {
        err.print(Escapes.lines(text));
        err.flush();
    }

    /** Warns of an image that may be written although its format was only guessed. */
    public void warnOfGuessedFormat(String fileName) {
        hint("WARNING: Image format was not specified for '" + fileName + "' and probing guessed raw.\n"
                + "         Automatically detecting the format is dangerous for raw images, write operations on block 0"
                + " will be restricted.\n"
                + "         Specify the 'raw' format explicitly to remove the restrictions.");
    }

    /** A mistake in the command line: says what it is and where help is, and ends with status 1. */
    public ProgramExit usageError(String message) {
        error(message);
        hint("Try '" + program + " --help' for more information");
        return new ProgramExit(1);
    }

    /** Something that Ashlar does not do yet: says so and ends with status 1. */
    public ProgramExit unsupported(String what) {
        error(what + " is not supported by Ashlar yet");
        return new ProgramExit(1);
    }

    /** Whether nobody gets what is said on standard output: a command that only lists need not go on. */
    public boolean isOutputLost() {
        return watched.failure() != null;
    }

    public void flush() {
        out.flush();
        err.flush();
    }

    /**
     * Says what is left to be said. A reader that went away is no error, as with qemu-img; one that cannot take what it is given is.
     *
     * @return whether standard output has everything that was meant for it
     */
    boolean finish() {
        flush();
        IOException failure = watched.failure();
        if (failure == null || NO_READER.equals(failure.getMessage())) {
            return true;
        }
        error("write error: " + failure.getMessage());
        return false;
    }
}
