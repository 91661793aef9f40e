package dev.ashlar.core.filter;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockStatus;
import dev.ashlar.core.spi.ChildAccess;
import java.lang.foreign.MemorySegment;

/**
 * A node whose reads populate its child. The copy is a request of the child, serialised there with all writes to the same allocation
 * units, whichever way they come; so it never overwrites newer data. A copy that fails fails the read.
 */
final class CopyOnReadFilter extends ChildFilter {
    CopyOnReadFilter(ChildAccess child) {
        super(child);
    }

    @Override
    public void read(long offset, MemorySegment destination) throws BlockException {
        populateMissing(offset, destination.byteSize());
        child().read(offset, destination);
    }

    @Override
    public boolean passesCompressed() {
        return true;
    }

    private void populateMissing(long offset, long lengthBytes) throws BlockException {
        long end = Math.min(offset + lengthBytes, child().lengthBytes());
        long at = offset;
        while (at < end) {
            BlockStatus status = child().allocatedHere(at, end - at);
            if (!status.allocated()) {
                child().populate(at, status.lengthBytes());
            }
            at += status.lengthBytes();
        }
    }

    @Override
    public boolean mustSeeMetadata() {
        return true;
    }
}
