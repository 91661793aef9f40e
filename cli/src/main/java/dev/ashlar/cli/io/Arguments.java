package dev.ashlar.cli.io;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.ProgramExit;
import dev.ashlar.cli.option.LongOption;
import dev.ashlar.cli.option.OptionScanner;

/** The options and operands of one command. */
final class Arguments {
    private static final LongOption[] NONE = {};

    private final Console console;
    private final IoCommand.Entry entry;
    private final OptionScanner scanner;

    Arguments(Console console, IoCommand.Entry entry, String[] words, String letters) {
        this.console = console;
        this.entry = entry;
        scanner = new OptionScanner(words, letters, NONE, console.err());
    }

    /** The next option; an unknown one ends the command with its usage. */
    int next() {
        int option = scanner.next();
        if (option == '?') {
            console.err().flush();
            throw usage();
        }
        return option;
    }

    String argument() {
        return scanner.argument();
    }

    OptionScanner scanner() {
        return scanner;
    }

    int count() {
        return scanner.operandCount();
    }

    String operand(int number) {
        return scanner.operand(number);
    }

    String[] operands() {
        String[] operands = new String[scanner.operandCount()];
        for (int i = 0; i < operands.length; i++) {
            operands[i] = scanner.operand(i);
        }
        return operands;
    }

    /** Tells how the command is used and ends it. */
    ProgramExit usage() {
        console.out().print(entry.usage());
        return new ProgramExit(1);
    }
}
