/**
 * The {@code ashlar} program, which stands in for {@code qemu-img} and {@code qemu-io}: a class per subcommand. Drivers
 * are found at run time by {@link java.util.ServiceLoader}.
 */
@org.jspecify.annotations.NullMarked
package dev.ashlar.cli;
