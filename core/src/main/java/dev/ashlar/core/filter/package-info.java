/**
 * Drivers that change how requests run, never what they do: limits of rate ({@code throttle}), copies of what is read ({@code
 * copy-on-read}), faults on purpose ({@code blkdebug}), comparison with a second disk ({@code blkverify}), growth ahead of need
 * ({@code preallocate}); and the disk that stores nothing ({@code null-co}, {@code null-aio}). Names and options are those of QEMU's
 * block drivers (QAPI schema {@code block-core.json}); what is ours beside them says so.
 *
 * <p>Filters that must see each access of their parents, to tables as well, take metadata access through ordinary requests; a mapping
 * would pass them by.
 */
@org.jspecify.annotations.NullMarked
package dev.ashlar.core.filter;
