package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException;
import dev.ashlar.testkit.HeapMeter;
import dev.ashlar.testkit.protocol.CountingProtocol;
import dev.ashlar.testkit.protocol.DirectFormat;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What it costs to open a disk of 1 TiB with 1,000 snapshots: little more than its own L1 table and the table of snapshots. */
class OpenCostTest {
    private static final long DISK_BYTES = 1L << 40;
    private static final int SNAPSHOTS = 1000;
    private static final long CLUSTER_BYTES = 64 << 10;
    private static final int L1_BYTES = 16 << 10;
    /** An entry has 40 bytes, 24 more, an id, a name, and what fills it up to 8. */
    private static final int ENTRY_BYTES = 80;

    private static final Qcow2Driver DRIVER = new Qcow2Driver();
    private static final MemoryFile FILE = MemoryFile.empty("disk");

    /** What was written before the n-th snapshot, one of ten: all in the same part of the disk, so that they are quickly taken. */
    private static long offset(int number) {
        return DISK_BYTES / 2 + number * CLUSTER_BYTES;
    }

    @BeforeAll
    static void takeSnapshots() throws BlockException {
        MemoryProtocol protocol = new MemoryProtocol(FILE);
        DirectFormat.create(DRIVER, protocol, Map.of("size", Long.toString(DISK_BYTES)));
        protocol.close();
        try (DirectFormat disk = DirectFormat.open(DRIVER, new MemoryProtocol(FILE))) {
            for (int i = 1; i <= SNAPSHOTS; i++) {
                if (i % 10 == 0) {
                    disk.write(offset(i), new byte[] {(byte) i});
                }
                disk.createSnapshot("night" + i);
            }
            // the file goes on behind the table
            disk.write(DISK_BYTES / 4, new byte[4 << 20]);
        }
    }

    private static DirectFormat open(CountingProtocol protocol) throws BlockException {
        DirectFormat disk = DirectFormat.open(DRIVER, protocol);
        assertEquals(SNAPSHOTS, disk.snapshots().snapshots().size());
        return disk;
    }

    @Test
    void readsTheTablesOnce() throws Exception {
        CountingProtocol protocol = new CountingProtocol(new MemoryProtocol(FILE));
        try (DirectFormat disk = open(protocol)) {
            long bytes = protocol.counts().readBytes();
            assertTrue(bytes < L1_BYTES + SNAPSHOTS * ENTRY_BYTES + (192 << 10), () -> bytes + " bytes were read");
            assertEquals(0, protocol.counts().writtenBytes());
            // and that is the disk that was written
            assertEquals((byte) SNAPSHOTS, disk.read(offset(SNAPSHOTS), 1)[0]);
            assertEquals(20, disk.read(disk.snapshot("night20"), offset(20), 1)[0]);
            assertEquals(0, disk.read(disk.snapshot("night19"), offset(20), 1)[0]);
        }
    }

    @Test
    void keepsAndAllocatesFewMebibytes() throws Exception {
        // classes are loaded here
        open(new CountingProtocol(new MemoryProtocol(FILE))).close();
        long before = HeapMeter.retainedBytes();
        long allocated = HeapMeter.allocatedBytes();
        try (DirectFormat disk = open(new CountingProtocol(new MemoryProtocol(FILE)))) {
            long fresh = HeapMeter.allocatedBytes() - allocated;
            long kept = HeapMeter.retainedBytes() - before;
            assertTrue(fresh < 3 << 20, () -> fresh + " bytes were allocated");
            assertTrue(kept < 2 << 20, () -> kept + " bytes are kept");
            assertEquals(DISK_BYTES, disk.lengthBytes());
        }
    }
}
