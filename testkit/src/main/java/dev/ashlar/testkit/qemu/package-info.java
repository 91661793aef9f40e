/**
 * The real {@code qemu-img} and {@code qemu-io}, to compare with: whether they are there, how to run them, and images made by them after random
 * recipes.
 */
@org.jspecify.annotations.NullMarked
package dev.ashlar.testkit.qemu;
