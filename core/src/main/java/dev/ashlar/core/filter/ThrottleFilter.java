package dev.ashlar.core.filter;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.ChildAccess;
import java.lang.foreign.MemorySegment;

/**
 * A throttled node. Reads, writes, zeroing and discards wait their turn, flushes do not. While the node is drained nothing waits: a
 * drain must end (D6), and what goes meanwhile is still counted.
 */
final class ThrottleFilter extends ChildFilter {
    private final ThrottleGroup.Member member;
    private final ThrottleDriver driver;

    ThrottleFilter(ChildAccess child, ThrottleGroup.Member member, ThrottleDriver driver) {
        super(child);
        this.member = member;
        this.driver = driver;
    }

    @Override
    public void read(long offset, MemorySegment destination) throws BlockException {
        member.admit(false, destination.byteSize());
        child().read(offset, destination);
    }

    @Override
    public void write(long offset, MemorySegment source) throws BlockException {
        member.admit(true, source.byteSize());
        child().write(offset, source);
    }

    @Override
    public boolean passesCompressed() {
        return true;
    }

    @Override
    public void writeCompressed(long offset, MemorySegment source) throws BlockException {
        member.admit(true, source.byteSize());
        child().writeCompressed(offset, source);
    }

    @Override
    public void writeZeroes(long offset, long lengthBytes, boolean mayUnmap) throws BlockException {
        member.admit(true, lengthBytes);
        child().writeZeroes(offset, lengthBytes, mayUnmap);
    }

    @Override
    public void discard(long offset, long lengthBytes) throws BlockException {
        member.admit(true, lengthBytes);
        child().discard(offset, lengthBytes);
    }

    @Override
    public void populate(long offset, long lengthBytes) throws BlockException {
        member.admit(true, lengthBytes);
        child().populate(offset, lengthBytes);
    }

    @Override
    public boolean mustSeeMetadata() {
        return true;
    }

    @Override
    public void drainBegin() {
        member.release();
    }

    @Override
    public void drainEnd() {
        member.hold();
    }

    @Override
    public void close() {
        member.leave();
        driver.left(member.group());
    }
}
