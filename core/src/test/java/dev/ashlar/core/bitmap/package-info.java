/** Dirty bitmaps: their rules, the ways on which writes reach them, and models. */
@org.jspecify.annotations.NullMarked
package dev.ashlar.core.bitmap;
