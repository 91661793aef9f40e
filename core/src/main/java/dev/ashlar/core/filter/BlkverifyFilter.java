package dev.ashlar.core.filter;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockLimits;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.HostExtent;
import dev.ashlar.core.spi.Preallocation;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * A node that does everything twice and compares. What {@code test} answers counts, also its length; a difference is an error of the
 * request. Overlapping requests serialise, or both children might see them in different order.
 */
final class BlkverifyFilter extends ChildFilter {
    private final ChildAccess test;

    BlkverifyFilter(ChildAccess raw, ChildAccess test) {
        super(raw);
        this.test = test;
    }

    @FunctionalInterface
    private interface Operation {
        void on(ChildAccess target, boolean isTest) throws BlockException;
    }

    @Override
    public BlockLimits limits() {
        BlockLimits raw = super.limits();
        int alignment = Math.max(raw.requestAlignmentBytes(), test.limits().requestAlignmentBytes());
        return new BlockLimits(
                alignment,
                1,
                1 << 20,
                Math.max(raw.discardAlignmentBytes(), alignment),
                Math.max(raw.writeZeroesAlignmentBytes(), alignment));
    }

    @Override
    public long lengthBytes() throws BlockException {
        return test.lengthBytes();
    }

    @Override
    public void read(long offset, MemorySegment destination) throws BlockException {
        try (Arena arena = Arena.ofShared()) {
            MemorySegment expected = arena.allocate(destination.byteSize(), 4096);
            both(
                    "read",
                    offset,
                    destination.byteSize(),
                    (target, isTest) -> target.read(offset, isTest ? destination : expected));
            long mismatch = destination.mismatch(expected);
            if (mismatch >= 0) {
                throw difference(
                        "read", offset, destination.byteSize(), "contents mismatch at offset " + (offset + mismatch));
            }
        }
    }

    @Override
    public void write(long offset, MemorySegment source) throws BlockException {
        both("write", offset, source.byteSize(), (target, isTest) -> target.write(offset, source));
    }

    @Override
    public void writeZeroes(long offset, long lengthBytes, boolean mayUnmap) throws BlockException {
        both("write", offset, lengthBytes, (target, isTest) -> target.writeZeroes(offset, lengthBytes, mayUnmap));
    }

    /** Nothing: afterwards the content may be anything, and nothing could be compared. */
    @Override
    public void discard(long offset, long lengthBytes) {}

    @Override
    public void flush() throws BlockException {
        both("flush", 0, 0, (target, isTest) -> target.flush());
    }

    @Override
    public void truncate(long lengthBytes, Preallocation preallocation) throws BlockException {
        both("truncate", lengthBytes, 0, (target, isTest) -> target.truncate(lengthBytes, preallocation));
    }

    @Override
    public void populate(long offset, long lengthBytes) throws BlockException {
        test.populate(offset, lengthBytes);
    }

    @Override
    public HostExtent extentAt(long offset, long lengthBytes) throws BlockException {
        return test.extentAt(offset, lengthBytes);
    }

    @Override
    public boolean mustSeeMetadata() {
        return true;
    }

    @Override
    public boolean serialisesWrites() {
        return true;
    }

    private void both(String name, long offset, long lengthBytes, Operation operation) throws BlockException {
        BlockException ofTest = failureOf(operation, test, true);
        BlockException ofRaw = failureOf(operation, child(), false);
        if (ofTest == null && ofRaw == null) {
            return;
        }
        if (ofTest == null || ofRaw == null || ofTest.kind() != ofRaw.kind()) {
            throw difference(name, offset, lengthBytes, "return value mismatch " + word(ofTest) + " != " + word(ofRaw));
        }
        throw ofTest;
    }

    private static @Nullable BlockException failureOf(Operation operation, ChildAccess target, boolean isTest) {
        try {
            operation.on(target, isTest);
            return null;
        } catch (BlockException e) {
            return e;
        }
    }

    private static String word(@Nullable BlockException failure) {
        return failure == null ? "success" : "'" + failure.getMessage() + "'";
    }

    private static BlockException difference(String name, long offset, long lengthBytes, String what) {
        String text = "blkverify: " + name + " offset=" + offset + " bytes=" + lengthBytes + " " + what;
        // Where they differ is all that counts, also for programs that tell the reason alone.
        return new BlockException(Kind.IO, text, text, null);
    }
}
