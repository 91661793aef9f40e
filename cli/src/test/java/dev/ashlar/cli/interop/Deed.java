package dev.ashlar.cli.interop;

import java.util.List;

/** One thing that is done to an image by a command, and what the model says it does. */
sealed interface Deed {
    /** What the model becomes. Run after success only. */
    Runnable effect();

    /** A command of {@code qemu-io}; several in a row share a process. */
    record Io(String command, Runnable effect) implements Deed {}

    /**
     * A command line of {@code qemu-img}.
     *
     * @param words all behind the program's name
     */
    record Img(List<String> words, Ending ending, Runnable effect) implements Deed {
        public Img {
            words = List.copyOf(words);
        }
    }

    /** How a command may end. */
    enum Ending {
        DONE,
        /** A refcount that overflows, or does not fit, refuses it: nothing is changed; a leak may be left by QEMU. */
        DONE_OR_OVERFLOW,
        /** Both refuse, in the same words, and change nothing. */
        REFUSED
    }
}
