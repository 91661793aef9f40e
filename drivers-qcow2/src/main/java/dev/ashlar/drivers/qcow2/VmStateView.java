package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockLimits;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.FormatInfo;
import dev.ashlar.core.spi.FormatInstance;
import dev.ashlar.core.spi.Mapping;
import dev.ashlar.core.spi.WritePlan;
import java.lang.foreign.MemorySegment;

/** The VM state: what the live L1 table maps behind the last entry that the disk needs. Source: qcow2 specification, "Snapshots". */
final class VmStateView implements FormatInstance {
    private final Qcow2Instance image;
    private final VmStateArea area;

    VmStateView(Qcow2Instance image, VmStateArea area) {
        this.image = image;
        this.area = area;
    }

    @Override
    public BlockLimits limits() {
        return image.limits();
    }

    @Override
    public long lengthBytes() {
        return area.lengthBytes();
    }

    @Override
    public ChildAccess dataChild() {
        return image.dataChild();
    }

    @Override
    public long allocationUnitBytes() {
        return image.allocationUnitBytes();
    }

    @Override
    public Mapping map(long offset, long lengthBytes) throws BlockException {
        return area.map(offset, lengthBytes);
    }

    @Override
    public WritePlan planWrite(long offset, long lengthBytes) throws BlockException {
        return area.planWrite(offset, lengthBytes);
    }

    @Override
    public void decode(Mapping.Encoded mapping, long offset, MemorySegment destination) throws BlockException {
        image.decode(mapping, offset, destination);
    }

    @Override
    public void flush() throws BlockException {
        image.flush();
    }

    @Override
    public void close() {}

    @Override
    public FormatInfo info() {
        return image.info();
    }
}
