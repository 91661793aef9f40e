/**
 * Fuzz targets: what a hostile image may do is be refused, or be read as far as it makes sense. Never may it end in anything but a {@code BlockException}, take memory or
 * time that its own size does not explain, or be written to by somebody who only reads.
 */
package dev.ashlar.fuzz;
