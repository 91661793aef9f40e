/**
 * Objects that a command line defines with {@code --object}: throttle groups and secrets. {@link dev.ashlar.cli.object.UserObjects} keeps
 * them and makes graphs whose drivers find them by id.
 */
@org.jspecify.annotations.NullMarked
package dev.ashlar.cli.object;
