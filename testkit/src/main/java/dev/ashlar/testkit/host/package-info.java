/** Real files and devices for tests: scratch directories where direct I/O works, and loop devices where the tests run as root. */
@org.jspecify.annotations.NullMarked
package dev.ashlar.testkit.host;
