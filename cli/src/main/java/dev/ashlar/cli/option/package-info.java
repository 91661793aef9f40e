/**
 * Reading a command line: {@link dev.ashlar.cli.option.OptionScanner} walks options by the rules of GNU {@code getopt_long},
 * {@link dev.ashlar.cli.option.SizeText} and {@link dev.ashlar.cli.option.NumberText} read numbers, {@link
 * dev.ashlar.cli.option.OptionList} reads {@code name=value} lists and {@link dev.ashlar.cli.option.CacheMode} the names of
 * cache modes. Nothing here prints but what {@code getopt} itself would print.
 */
@org.jspecify.annotations.NullMarked
package dev.ashlar.cli.option;
