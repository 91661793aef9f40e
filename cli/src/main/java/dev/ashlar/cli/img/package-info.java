/**
 * The subcommands of {@code qemu-img}, a class each, with its spelling, its output and its exit status. {@link
 * dev.ashlar.cli.img.ImgProgram} finds the class of a subcommand; {@link dev.ashlar.cli.img.ImgOptions} and {@link
 * dev.ashlar.cli.img.Images} hold what they share.
 */
@org.jspecify.annotations.NullMarked
package dev.ashlar.cli.img;
