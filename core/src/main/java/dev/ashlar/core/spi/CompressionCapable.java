package dev.ashlar.core.spi;

import dev.ashlar.core.BlockException;
import java.lang.foreign.MemorySegment;

/**
 * A format that can keep allocation units compressed. The work is in two steps: {@link #compress} needs a processor and nothing else, {@link
 * #planCompressed} finds space once the sizes are known. In between and afterwards it is core that moves the bytes.
 */
public interface CompressionCapable {
    /** {@link #compress}: the unit does not get smaller and is to be written as it is. */
    int INCOMPRESSIBLE = -1;

    /**
     * Compresses one allocation unit. No lock, no I/O; any number of threads.
     *
     * @param unit a whole unit, or the shorter last one of the disk: it is filled up with zeros
     * @param destination as long as a unit
     * @return bytes of the destination that were filled, or {@link #INCOMPRESSIBLE}
     * @throws BlockException UNSUPPORTED if the host can't compress in the way that the image demands
     */
    int compress(MemorySegment unit, MemorySegment destination) throws BlockException;

    /**
     * Finds space for units that were compressed, at least for the first one. The caller's request is serialising on these units.
     *
     * @param guestOffset of the first unit
     * @param sizesBytes compressed sizes of units that follow each other in the disk; only read
     * @param from index of the first one
     * @param to index behind the last one
     */
    CompressedPlan planCompressed(long guestOffset, int[] sizesBytes, int from, int to) throws BlockException;

    /**
     * Where compressed units go. As with {@link WritePlan}: bytes are written to {@link #child}, then {@link #commit}, or {@link #abort}, is
     * called, once, by the thread that asked for the plan.
     */
    interface CompressedPlan {
        /** Units covered from the front, at least 1. */
        int units();

        /** The child that holds the space. */
        ChildAccess child();

        /** Host offset of the compressed bytes of a unit; often where the one before ends. @param unit from 0 */
        long hostOffset(int unit);

        /** Links the tables to the written space. */
        void commit() throws BlockException;

        /** Gives the space back. Never throws: a failure fails the node. */
        void abort();
    }
}
