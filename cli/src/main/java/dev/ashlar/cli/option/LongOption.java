package dev.ashlar.cli.option;

/**
 * A long option.
 *
 * @param name without the two dashes
 * @param takesArgument whether an argument must follow
 * @param value what {@link OptionScanner#next} returns for it: the matching short option, or a number above 255
 */
public record LongOption(String name, boolean takesArgument, int value) {}
