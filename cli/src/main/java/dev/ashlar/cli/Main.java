package dev.ashlar.cli;

import dev.ashlar.cli.img.ImgProgram;
import dev.ashlar.cli.io.IoProgram;
import dev.ashlar.cli.snapshot.DiffCommand;
import dev.ashlar.cli.snapshot.GraphCommand;
import dev.ashlar.cli.snapshot.GroupCommand;
import dev.ashlar.cli.tour.Tour;
import dev.ashlar.core.BlockException;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.InputStream;
import java.io.OutputStream;

/**
 * Where the program starts. The system property {@code ashlar.program} holds the name it was called by: {@code qemu-img} and
 * {@code qemu-io} make it behave as these, with any other name it is {@code ashlar}. {@code ashlar.trace} makes an internal
 * error print its stack trace.
 */
public final class Main {
    private static final String PROGRAM = "ashlar.program";
    private static final String TRACE = "ashlar.trace";

    private Main() {}

    /**
     * Runs the program and ends the virtual machine with its status.
     *
     * @param arguments the command line behind the program's name
     */
    public static void main(String[] arguments) {
        int status = run(
                System.getProperty(PROGRAM, "ashlar"),
                arguments,
                new FileInputStream(FileDescriptor.in),
                new FileOutputStream(FileDescriptor.out),
                new FileOutputStream(FileDescriptor.err));
        // Threads that are still waiting for a disk must not hold the result back.
        Runtime.getRuntime().exit(status);
    }

    /**
     * Runs the program in this virtual machine.
     *
     * @param program the name it was called by; a path in front of it is taken away
     * @param arguments the command line behind that
     * @return the exit status
     */
    public static int run(String program, String[] arguments, InputStream in, OutputStream out, OutputStream err) {
        String name = program.substring(program.lastIndexOf('/') + 1);
        Console console = new Console(name, in, out, err);
        String[] words = new String[arguments.length + 1];
        words[0] = program;
        System.arraycopy(arguments, 0, words, 1, arguments.length);
        int status;
        try {
            requireText(arguments);
            console.trust(Trust.of(console, words));
            status = dispatch(console, console.trust().isFull() ? words : Trust.without(words));
        } catch (ProgramExit e) {
            status = e.status();
        } catch (BlockException e) {
            console.error(String.valueOf(e.getMessage()));
            status = 1;
        } catch (RuntimeException | Error e) {
            console.error("internal error: " + e);
            if (Boolean.getBoolean(TRACE)) {
                e.printStackTrace(console.err());
            }
            status = 1;
        } finally {
            console.objects().close();
        }
        return console.finish() || status != 0 ? status : 1;
    }

    /** Bytes that are not UTF-8 come here as the replacement character: another file or snapshot could bear the name that results. */
    private static void requireText(String[] arguments) throws BlockException {
        for (String argument : arguments) {
            if (argument.indexOf('\ufffd') >= 0) {
                throw new BlockException(
                        BlockException.Kind.INVALID, "an argument is not valid UTF-8; such names are not supported");
            }
        }
    }

    private static int dispatch(Console console, String[] words) throws BlockException {
        return switch (console.program()) {
            case "qemu-io" -> new IoProgram(console).run(words);
            case "qemu-img" -> new ImgProgram(console).run(words);
            default -> dispatchOwn(console, words);
        };
    }

    private static int dispatchOwn(Console console, String[] words) throws BlockException {
        return switch (words.length > 1 ? words[1] : "") {
            case "io" -> new IoProgram(console).run(withoutCommand(words));
            case "graph" -> new GraphCommand(console).run(withoutCommand(words));
            case "diff" -> new DiffCommand(console).run(withoutCommand(words));
            case "group" -> new GroupCommand(console).run(withoutCommand(words));
            case "tour" -> new Tour(console).run(withoutCommand(words));
            default -> new ImgProgram(console).run(words);
        };
    }

    private static String[] withoutCommand(String[] words) {
        String[] rest = new String[words.length - 1];
        System.arraycopy(words, 2, rest, 1, rest.length - 1);
        rest[0] = words[0];
        return rest;
    }
}
