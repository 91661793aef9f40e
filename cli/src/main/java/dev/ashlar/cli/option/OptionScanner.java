package dev.ashlar.cli.option;

import java.io.PrintStream;
import org.jspecify.annotations.Nullable;

/**
 * Walks a command line by the rules of GNU {@code getopt_long} (manual page getopt(3)): bundled short options, arguments
 * attached or apart, {@code --name=value}, unambiguous prefixes of long names, operands moved behind the options, {@code --}
 * as the end. Used by one thread.
 */
public final class OptionScanner {
    /** No option is left. */
    public static final int END = -1;

    private final String[] words;
    private final String shortOptions;
    private final LongOption[] longOptions;
    private final boolean permute;
    private final boolean colonForMissing;
    private final @Nullable PrintStream complaints;

    private int index = 1;
    private int firstOperand = 1;
    private int endOfOperands = 1;
    private String bundle = "";
    private @Nullable String argument;

    /**
     * @param words the command line; the first word is the program's or command's name
     * @param shortOptions letters, each followed by {@code :} where it takes an argument; a leading {@code +} ends the
     *     options at the first operand; a {@code :} behind that makes {@link #next} return {@code ':'} for a missing argument
     * @param complaints where getopt's own messages go, or null for none
     */
    public OptionScanner(
            String[] words, String shortOptions, LongOption[] longOptions, @Nullable PrintStream complaints) {
        this.words = words.clone();
        String letters = shortOptions;
        permute = !letters.startsWith("+");
        if (!permute) {
            letters = letters.substring(1);
        }
        colonForMissing = letters.startsWith(":");
        this.shortOptions = letters;
        this.longOptions = longOptions;
        this.complaints = colonForMissing ? null : complaints;
    }

    /**
     * The next option: its letter or its {@link LongOption#value}, {@code '?'} for one that is unknown or used wrongly, {@code
     * ':'} for a missing argument where that was asked for, or {@link #END}.
     */
    public int next() {
        argument = null;
        if (bundle.isEmpty()) {
            if (!advance()) {
                return END;
            }
            String word = words[index];
            if (word.startsWith("--") && longOptions.length > 0) {
                return longOption(word.substring(2));
            }
            bundle = word.substring(1);
        }
        return shortOption();
    }

    /** The argument of the option that {@link #next} returned. */
    public String argument() {
        if (argument == null) {
            throw new IllegalStateException("the option takes no argument");
        }
        return argument;
    }

    /** Where the operands start once {@link #next} has returned {@link #END}; before that, the word to look at next. */
    public int index() {
        return index;
    }

    /** The word that an error message about the last option names. */
    public String lastWord() {
        return words[index - 1];
    }

    /** How many operands there are, once {@link #next} has returned {@link #END}. */
    public int operandCount() {
        return words.length - index;
    }

    /** An operand by number, from 0. */
    public String operand(int number) {
        return words[index + number];
    }

    /** Moves to the next option word; false at the end of the options. */
    private boolean advance() {
        if (permute) {
            if (firstOperand != endOfOperands && endOfOperands != index) {
                exchange();
            } else if (endOfOperands != index) {
                firstOperand = index;
            }
            while (index < words.length && isOperand(words[index])) {
                index++;
            }
            endOfOperands = index;
        }
        if (index < words.length && words[index].equals("--")) {
            index++;
            if (firstOperand != endOfOperands && endOfOperands != index) {
                exchange();
            } else if (firstOperand == endOfOperands) {
                firstOperand = index;
            }
            endOfOperands = words.length;
            index = words.length;
        }
        if (index == words.length) {
            if (firstOperand != endOfOperands) {
                index = firstOperand;
            }
            return false;
        }
        return !isOperand(words[index]);
    }

    private static boolean isOperand(String word) {
        return word.length() < 2 || word.charAt(0) != '-';
    }

    /** Swaps the operands skipped so far with the options that follow them. */
    private void exchange() {
        int operands = endOfOperands - firstOperand;
        int options = index - endOfOperands;
        String[] skipped = new String[operands];
        System.arraycopy(words, firstOperand, skipped, 0, operands);
        System.arraycopy(words, endOfOperands, words, firstOperand, options);
        System.arraycopy(skipped, 0, words, firstOperand + options, operands);
        firstOperand += options;
        endOfOperands = index;
    }

    private int shortOption() {
        char letter = bundle.charAt(0);
        bundle = bundle.substring(1);
        if (bundle.isEmpty()) {
            index++;
        }
        int place = letter == ':' || letter == ';' ? -1 : shortOptions.indexOf(letter);
        if (place < 0) {
            complain("invalid option -- '" + letter + "'");
            return '?';
        }
        if (place + 1 < shortOptions.length() && shortOptions.charAt(place + 1) == ':') {
            if (!bundle.isEmpty()) {
                argument = bundle;
                bundle = "";
                index++;
            } else if (index == words.length) {
                complain("option requires an argument -- '" + letter + "'");
                return colonForMissing ? ':' : '?';
            } else {
                argument = words[index++];
            }
        }
        return letter;
    }

    private int longOption(String text) {
        int equals = text.indexOf('=');
        String name = equals < 0 ? text : text.substring(0, equals);
        index++;
        LongOption found = find(name);
        if (found == null) {
            return '?';
        }
        if (equals >= 0) {
            if (!found.takesArgument()) {
                complain("option '--" + found.name() + "' doesn't allow an argument");
                return '?';
            }
            argument = text.substring(equals + 1);
        } else if (found.takesArgument()) {
            if (index == words.length) {
                complain("option '--" + found.name() + "' requires an argument");
                return colonForMissing ? ':' : '?';
            }
            argument = words[index++];
        }
        return found.value();
    }

    private @Nullable LongOption find(String name) {
        LongOption found = null;
        StringBuilder possibilities = new StringBuilder();
        boolean ambiguous = false;
        for (LongOption option : longOptions) {
            if (option.name().equals(name)) {
                return option;
            }
            if (option.name().startsWith(name)) {
                possibilities.append(" '--").append(option.name()).append('\'');
                if (found == null) {
                    found = option;
                } else if (found.value() != option.value() || found.takesArgument() != option.takesArgument()) {
                    ambiguous = true;
                }
            }
        }
        if (ambiguous) {
            complain("option '--" + name + "' is ambiguous; possibilities:" + possibilities);
            return null;
        }
        if (found == null) {
            complain("unrecognized option '--" + name + "'");
        }
        return found;
    }

    private void complain(String message) {
        if (complaints != null) {
            complaints.print(words[0] + ": " + message + "\n");
        }
    }
}
