package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockLimits;
import dev.ashlar.core.ChildRole;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.DriverInstance;
import dev.ashlar.core.spi.DriverKind;
import dev.ashlar.core.spi.FilterInstance;
import dev.ashlar.core.spi.FormatInfo;
import dev.ashlar.core.spi.FormatInstance;
import dev.ashlar.core.spi.ImageReference;
import dev.ashlar.core.spi.Mapping;
import dev.ashlar.core.spi.OpenRequest;
import dev.ashlar.core.spi.WritePlan;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Nodes without snapshots of their own, to stand above ones that have them: {@code plain}, a format as raw, with a size that is taken when it opens and
 * optionally a second child; {@code pass}, a filter. Openings are counted and can be made to fail.
 */
final class ShapeDriver implements BlockDriver {
    private final boolean filter;
    /** Options of each opening, in order. */
    final List<Map<String, String>> openings = new CopyOnWriteArrayList<>();

    final AtomicInteger openNow = new AtomicInteger();
    volatile boolean failOpen;
    /** Roles of a child named {@code second}, opened as qcow2 from this file; null for none. */
    volatile Set<ChildRole> secondRoles;

    volatile String secondFile;

    ShapeDriver(boolean filter) {
        this.filter = filter;
    }

    @Override
    public String name() {
        return filter ? "pass" : "plain";
    }

    @Override
    public DriverKind kind() {
        return filter ? DriverKind.FILTER : DriverKind.FORMAT;
    }

    @Override
    public Set<ChildRole> fileRoles(Map<String, String> options) {
        return Set.of(ChildRole.FILTERED, ChildRole.PRIMARY);
    }

    @Override
    public DriverInstance open(OpenRequest request) throws BlockException {
        if (failOpen) {
            throw new BlockException(Kind.IO, "injected: open");
        }
        if (!filter && secondFile != null) {
            request.openReference("second", secondRoles, new ImageReference(secondFile, "qcow2"));
        }
        DriverInstance instance = filter
                ? new Pass(request.file(), openNow)
                : new Plain(request.file(), request.file().lengthBytes(), openNow);
        openings.add(request.options());
        openNow.incrementAndGet();
        return instance;
    }

    private record Pass(ChildAccess child, AtomicInteger openNow) implements FilterInstance {
        @Override
        public BlockLimits limits() {
            return BlockLimits.NONE;
        }

        @Override
        public void close() {
            openNow.decrementAndGet();
        }
    }

    private record Plain(ChildAccess dataChild, long lengthBytes, AtomicInteger openNow) implements FormatInstance {
        @Override
        public BlockLimits limits() {
            return BlockLimits.NONE;
        }

        @Override
        public Mapping map(long guestOffset, long wanted) {
            return guestOffset >= lengthBytes
                    ? new Mapping.EndOfImage()
                    : new Mapping.Data(dataChild, guestOffset, Math.min(wanted, lengthBytes - guestOffset));
        }

        @Override
        public WritePlan planWrite(long guestOffset, long wanted) {
            return new InPlace(dataChild, guestOffset, wanted);
        }

        @Override
        public long allocationUnitBytes() {
            return 1;
        }

        @Override
        public void flush() throws BlockException {
            dataChild.flush();
        }

        @Override
        public FormatInfo info() {
            return new FormatInfo(0, false, false, false, Map.of());
        }

        @Override
        public void close() {
            openNow.decrementAndGet();
        }
    }

    private record InPlace(ChildAccess child, long hostOffset, long lengthBytes) implements WritePlan {
        @Override
        public long copyBeforeBytes() {
            return 0;
        }

        @Override
        public long copyAfterBytes() {
            return 0;
        }

        @Override
        public void commit() {}

        @Override
        public void abort() {}
    }
}
