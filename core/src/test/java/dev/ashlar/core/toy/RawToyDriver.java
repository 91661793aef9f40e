package dev.ashlar.core.toy;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockLimits;
import dev.ashlar.core.ChildRole;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.DriverInstance;
import dev.ashlar.core.spi.DriverKind;
import dev.ashlar.core.spi.FilterInstance;
import dev.ashlar.core.spi.FormatInfo;
import dev.ashlar.core.spi.FormatInstance;
import dev.ashlar.core.spi.Mapping;
import dev.ashlar.core.spi.OpenRequest;
import dev.ashlar.core.spi.WritePlan;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.Set;

/** Format {@code raw}, and as {@code pass} a filter that does nothing. */
public final class RawToyDriver implements BlockDriver {
    private final boolean filter;

    public RawToyDriver(boolean filter) {
        this.filter = filter;
    }

    @Override
    public String name() {
        return filter ? "pass" : "raw";
    }

    @Override
    public DriverKind kind() {
        return filter ? DriverKind.FILTER : DriverKind.FORMAT;
    }

    @Override
    public int probe(MemorySegment head) {
        return 1;
    }

    @Override
    public Set<ChildRole> fileRoles(Map<String, String> options) {
        return Set.of(ChildRole.FILTERED, ChildRole.PRIMARY);
    }

    @Override
    public DriverInstance open(OpenRequest request) {
        return filter ? new Filter(request.file()) : new Raw(request.file());
    }

    private record Filter(ChildAccess child) implements FilterInstance {
        @Override
        public BlockLimits limits() {
            return BlockLimits.NONE;
        }

        @Override
        public void close() {}
    }

    private record Raw(ChildAccess dataChild) implements FormatInstance {
        @Override
        public BlockLimits limits() {
            return BlockLimits.NONE;
        }

        @Override
        public long lengthBytes() throws BlockException {
            return dataChild.lengthBytes();
        }

        @Override
        public Mapping map(long guestOffset, long lengthBytes) {
            return new Mapping.Data(dataChild, guestOffset, lengthBytes);
        }

        @Override
        public long mapDirect(long guestOffset, long lengthBytes) {
            return guestOffset;
        }

        @Override
        public long planInPlace(long guestOffset, long lengthBytes) {
            return guestOffset;
        }

        @Override
        public WritePlan planWrite(long guestOffset, long lengthBytes) {
            ChildAccess child = dataChild;
            return new WritePlan() {
                @Override
                public long lengthBytes() {
                    return lengthBytes;
                }

                @Override
                public ChildAccess child() {
                    return child;
                }

                @Override
                public long hostOffset() {
                    return guestOffset;
                }

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
            };
        }

        @Override
        public long allocationUnitBytes() {
            return 1;
        }

        @Override
        public FormatInfo info() {
            return new FormatInfo(0, false, false, false, Map.of());
        }

        @Override
        public void flush() throws BlockException {
            dataChild.flush();
        }

        @Override
        public void close() {}
    }
}
