/**
 * {@code ashlar tour}: shows on a scratch image what Ashlar does, and proves it by checksum. {@link dev.ashlar.cli.tour.Tour} is
 * the way it goes, {@link dev.ashlar.cli.tour.LayerDrawing} draws, {@link dev.ashlar.cli.tour.ScratchFolder} leaves nothing
 * behind.
 */
@org.jspecify.annotations.NullMarked
package dev.ashlar.cli.tour;
