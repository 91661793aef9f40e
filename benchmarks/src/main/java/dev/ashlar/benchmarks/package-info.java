/**
 * Measurements of the paths that must be fast, each against a baseline of the JDK or of the real tools.
 */
@org.jspecify.annotations.NullMarked
package dev.ashlar.benchmarks;
