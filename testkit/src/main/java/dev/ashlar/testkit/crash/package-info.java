/**
 * What a power cut can leave. A {@link dev.ashlar.testkit.crash.WriteLog}, filled by {@link
 * dev.ashlar.testkit.protocol.RecordingProtocol}, tells which changes were started, which ended and which flush covers them;
 * {@link dev.ashlar.testkit.crash.CrashStates} makes from it the images that a disk may hold when it comes back.
 *
 * <p>The model of the disk: a change that had completed before a flush began is there once that flush has completed. Any other
 * change may be there or not, independent of all others, and of one write each 512-byte sector may be there or not. A change that
 * failed, or that a failed flush should have covered, is never certain any more.
 */
@org.jspecify.annotations.NullMarked
package dev.ashlar.testkit.crash;
