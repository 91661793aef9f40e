/**
 * What the tests of all modules share: contract suites that each implementation of an interface must pass, nodes that
 * fail or crash on demand, models to compare an image with, and generators of input. Never published.
 */
@org.jspecify.annotations.NullMarked
package dev.ashlar.testkit;
