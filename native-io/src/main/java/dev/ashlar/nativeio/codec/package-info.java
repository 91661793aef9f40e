/**
 * Compression of blocks that are known whole: deflate and zstd through the C libraries of the host, bound when first used, with the JDK's own deflate where
 * libz is missing. A codec owns all memory that the libraries see, so no caller's segment can be freed under a call; it works for one thread at a time and
 * says so when two come. Damaged input is a result, not an exception.
 */
@org.jspecify.annotations.NullMarked
package dev.ashlar.nativeio.codec;
