/**
 * The {@code ashlar} program, which stands in for {@code qemu-img} and {@code qemu-io}. {@link dev.ashlar.cli.Main} looks at
 * the name it was called by and hands over: {@code img} has a class per subcommand of qemu-img, {@code io} the commands of
 * qemu-io, {@code tour} the guided tour; {@code option} reads command lines and {@code output} writes results. Drivers are
 * found at run time by {@link java.util.ServiceLoader}.
 *
 * <p>Scripts start this program thousands of times, so the paths of the small subcommands stay away from lambdas, streams,
 * {@link String#format} and regular expressions: each of them loads dozens of classes at the first use.
 */
@org.jspecify.annotations.NullMarked
package dev.ashlar.cli;
