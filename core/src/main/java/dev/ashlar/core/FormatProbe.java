package dev.ashlar.core;

import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.request.HeadGuard;
import dev.ashlar.core.request.Origin;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Tells the format of a disk by its first bytes. As the verdict of a {@link HeadGuard}: a disk for which nothing spoke stays one for which
 * nothing speaks.
 */
final class FormatProbe implements HeadGuard.Verdict {
    private final DriverRegistry drivers;

    FormatProbe(DriverRegistry drivers) {
        this.drivers = drivers;
    }

    /** Looks at an open file. @throws BlockException if it can't be read, or no driver takes it */
    DriverRegistry.Probed probe(BlockNode file) throws BlockException {
        long length = Math.min(HeadGuard.HEAD_BYTES, file.layer().lengthBytes());
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment head = arena.allocate(Math.max(1, length));
            if (length > 0) {
                file.layer().read(0, head, Origin.METADATA);
            }
            return drivers.probe(head.asSlice(0, length).asReadOnly());
        }
    }

    @Override
    public void judge(MemorySegment head) throws BlockException {
        DriverRegistry.Probed probed = drivers.probe(head.asReadOnly());
        if (!probed.guessed()) {
            throw new BlockException(
                    Kind.PERMISSION,
                    "Write would make a raw disk whose format was probed look like a "
                            + probed.driver().name() + " image",
                    "Operation not permitted",
                    null);
        }
    }
}
