package dev.ashlar.core.spi;

import dev.ashlar.core.BlockException;
import java.lang.foreign.MemorySegment;

/** A format that keeps a machine's state beside the disk, out of the guest's sight. */
public interface VmStateCapable {
    /** @param position bytes from the start of the VM state */
    void writeVmState(long position, MemorySegment source) throws BlockException;

    /** Fills the buffer; never written bytes read as zeros. */
    void readVmState(long position, MemorySegment destination) throws BlockException;
}
