/**
 * The commands of {@code qemu-io}: reads and writes of single ranges, for people and for scripts that read the result lines.
 * {@link dev.ashlar.cli.io.IoProgram} reads the command line and the commands, {@link dev.ashlar.cli.io.IoCommand} is the table
 * of commands, {@link dev.ashlar.cli.io.OpenImage} the image they work on.
 */
@org.jspecify.annotations.NullMarked
package dev.ashlar.cli.io;
