/**
 * The one gate into the kernel: a single method handle on the C library's {@code syscall(2)}, and
 * the numbers and flag values that go through it for each supported processor. Not exported;
 * everything that checks arguments, retries or names errors lives in {@code dev.ashlar.nativeio}.
 */
package dev.ashlar.nativeio.syscall;
