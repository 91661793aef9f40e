package dev.ashlar.cli.interop.differential;

import java.util.List;

/** One thing that is done to an image, and what the model says it does. */
sealed interface Deed {
    /**
     * A command of {@code qemu-io}; several in a row share a process.
     *
     * @param command one or more lines
     * @param effect what the model becomes
     */
    record Io(String command, Runnable effect) implements Deed {}

    /**
     * A command line of {@code qemu-img}.
     *
     * @param words all behind the program's name
     * @param effect what the model becomes; run after success only
     */
    record Img(List<String> words, Ending ending, Runnable effect) implements Deed {
        public Img {
            words = List.copyOf(words);
        }
    }

    /**
     * What takes more than a command and looks at the outcome itself.
     *
     * @param name for the tally
     */
    record Work(String name, Action action) implements Deed {}

    /** May fail by what an assertion or a file throws. */
    @FunctionalInterface
    interface Action {
        void run() throws Exception;
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
