/** Plain models to compare an image with: what a guest must find, now and after a crash. */
@org.jspecify.annotations.NullMarked
package dev.ashlar.testkit.model;
