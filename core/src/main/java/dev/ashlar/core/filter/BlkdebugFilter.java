package dev.ashlar.core.filter;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockLimits;
import dev.ashlar.core.filter.BlkdebugRule.RequestType;
import dev.ashlar.core.spi.BlockEvent;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.HostExtent;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** A node that fails, stops and cuts requests as its rules say. */
final class BlkdebugFilter extends ChildFilter implements Breakpoints {
    private static final MemorySegment ZEROS =
            Arena.ofAuto().allocate(1 << 16, 4096).asReadOnly();

    private final BlkdebugLimits limits;
    private final BlkdebugRules rules;
    private final SuspendedRequests suspended = new SuspendedRequests();

    BlkdebugFilter(ChildAccess child, BlkdebugLimits limits, BlkdebugRules rules) {
        super(child);
        this.limits = limits;
        this.rules = rules;
    }

    @Override
    public BlockLimits limits() {
        return limits.seen();
    }

    @Override
    public void event(BlockEvent event) {
        for (String tag : rules.event(event)) {
            suspended.suspend(tag);
        }
    }

    @Override
    public void read(long offset, MemorySegment destination) throws BlockException {
        check(RequestType.READ, offset, destination.byteSize());
        child().read(offset, destination);
    }

    @Override
    public void write(long offset, MemorySegment source) throws BlockException {
        event(BlockEvent.PWRITEV);
        check(RequestType.WRITE, offset, source.byteSize());
        child().write(offset, source);
        event(BlockEvent.PWRITEV_DONE);
    }

    /** Whole units are zeroed in pieces no longer than allowed, what is left at the edges is written. */
    @Override
    public void writeZeroes(long offset, long lengthBytes, boolean mayUnmap) throws BlockException {
        event(BlockEvent.PWRITEV_ZERO);
        long unit = limits.zeroUnitBytes();
        long end = offset + lengthBytes;
        long from = Math.min((offset + unit - 1) / unit * unit, end);
        long to = Math.max(end / unit * unit, from);
        writeZeros(offset, from - offset);
        long most = limits.maxWriteZeroesBytes() == 0 ? Long.MAX_VALUE : limits.maxWriteZeroesBytes();
        for (long at = from; at < to; ) {
            long piece = Math.min(to - at, most);
            check(RequestType.WRITE_ZEROES, at, piece);
            child().writeZeroes(at, piece, mayUnmap);
            at += piece;
        }
        writeZeros(to, end - to);
        event(BlockEvent.PWRITEV_DONE);
    }

    private void writeZeros(long offset, long lengthBytes) throws BlockException {
        long most = Math.min(ZEROS.byteSize(), limits.seen().maxTransferBytes());
        for (long done = 0; done < lengthBytes; ) {
            long piece = Math.min(lengthBytes - done, most);
            check(RequestType.WRITE, offset + done, piece);
            child().write(offset + done, ZEROS.asSlice(0, piece));
            done += piece;
        }
    }

    @Override
    public void discard(long offset, long lengthBytes) throws BlockException {
        long most = limits.maxDiscardBytes() == 0 ? Long.MAX_VALUE : limits.maxDiscardBytes();
        for (long done = 0; done < lengthBytes; ) {
            long piece = Math.min(lengthBytes - done, most);
            check(RequestType.DISCARD, offset + done, piece);
            child().discard(offset + done, piece);
            done += piece;
        }
    }

    @Override
    public void flush() throws BlockException {
        event(BlockEvent.FLUSH_TO_OS);
        event(BlockEvent.FLUSH_TO_DISK);
        check(RequestType.FLUSH, 0, 0);
        child().flush();
    }

    @Override
    public HostExtent extentAt(long offset, long lengthBytes) throws BlockException {
        check(RequestType.BLOCK_STATUS, offset, lengthBytes);
        return child().extentAt(offset, lengthBytes);
    }

    @Override
    public boolean mustSeeMetadata() {
        return true;
    }

    @Override
    public void listen(Listener listener) {
        suspended.listen(listener);
    }

    @Override
    public void add(BlockEvent event, String tag) {
        rules.add(new BlkdebugRule.Suspend(event, tag));
    }

    @Override
    public void awaitSuspended(String tag) {
        suspended.await(tag);
    }

    @Override
    public boolean isSuspended(String tag) {
        return suspended.isSuspended(tag);
    }

    @Override
    public boolean resume(String tag) {
        return suspended.resume(tag, false);
    }

    @Override
    public boolean remove(String tag) {
        boolean removed = rules.removeBreakpoints(tag);
        suspended.resume(tag, true);
        return removed;
    }

    private void check(RequestType type, long offset, long lengthBytes) throws BlockException {
        BlkdebugRule.InjectError error = rules.errorFor(type, offset, lengthBytes);
        if (error == null) {
            return;
        }
        if (!error.immediately()) {
            Thread.yield();
        }
        throw Errno.exception(
                error.errno(), "blkdebug: " + type.label() + " at offset " + offset + " of " + lengthBytes + " bytes");
    }
}
