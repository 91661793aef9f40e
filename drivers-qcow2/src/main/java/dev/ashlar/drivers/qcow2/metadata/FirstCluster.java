package dev.ashlar.drivers.qcow2.metadata;

import dev.ashlar.core.BlockException;
import dev.ashlar.drivers.qcow2.format.Qcow2Header;
import java.lang.foreign.MemorySegment;

/** Writes the header with all that follows it: later sectors first, durably, then the first sector, which puts them in force (rule R7). */
public final class FirstCluster {
    private FirstCluster() {}

    /** The cluster as it is, zeros behind the end of the file. */
    public static MemorySegment read(ImageFile file, HeaderSector sector) throws BlockException {
        int clusterBytes = file.geometry().clusterBytes();
        MemorySegment cluster = MemorySegment.ofArray(new byte[clusterBytes]);
        file.store().read(0, cluster.asSlice(0, Math.min(clusterBytes, file.lengthBytes())));
        MemorySegment.copy(sector.view(), 0, cluster, 0, Qcow2Header.SECTOR_BYTES);
        return cluster;
    }

    /**
     * @param sector the header's sector; it becomes the first of the new bytes
     * @param bytes from the start of the file, at most a cluster; whole sectors, which leave what the old first sector reads behind itself
     */
    public static void write(ImageFile file, HeaderSector sector, MemorySegment bytes) throws BlockException {
        if (bytes.byteSize() > Qcow2Header.SECTOR_BYTES) {
            file.write(Qcow2Header.SECTOR_BYTES, bytes.asSlice(Qcow2Header.SECTOR_BYTES));
            file.flush();
        }
        sector.set(0, bytes.asSlice(0, Qcow2Header.SECTOR_BYTES));
        sector.write(file);
        file.flush();
    }
}
