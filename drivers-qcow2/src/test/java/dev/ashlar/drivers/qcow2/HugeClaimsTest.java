package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.spi.FormatInstance;
import dev.ashlar.core.spi.Mapping;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.core.spi.SnapshotComparable;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.protocol.DirectFormat;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A snapshot may claim any size, whatever its L1 table reaches; nobody walks through what it claims. */
@Timeout(10)
class HugeClaimsTest {
    private static final long CLAIMED_BYTES = 1L << 62;
    private static final long DISK_BYTES = 1 << 20;
    private static final int SNAPSHOT_TABLE_FIELD = 64;
    private static final int DISK_SIZE_FIELD = 48;

    private static SparseBytes claimingImage() throws Exception {
        MemoryFile file = MemoryFile.empty("claims");
        Map<String, String> options = Map.of("size", Long.toString(DISK_BYTES), "cluster_size", "512");
        DirectFormat.create(new Qcow2Driver(), new MemoryProtocol(file), options);
        try (DirectFormat image = DirectFormat.open(new Qcow2Driver(), new MemoryProtocol(file))) {
            image.write(4096, new byte[] {1});
            image.createSnapshot("huge");
        }
        SparseBytes content = file.snapshot();
        long table = ByteBuffer.wrap(content.read(SNAPSHOT_TABLE_FIELD, 8)).getLong();
        content.write(
                table + DISK_SIZE_FIELD,
                ByteBuffer.allocate(8).putLong(CLAIMED_BYTES).array(),
                0,
                8);
        return content;
    }

    @Test
    void aSnapshotOfExbibytesIsNotApplied() throws Exception {
        MemoryFile file = MemoryFile.of("claims", claimingImage());
        try (DirectFormat image = DirectFormat.open(new Qcow2Driver(), new MemoryProtocol(file))) {
            BlockException refusal = assertThrows(BlockException.class, () -> image.applySnapshot("huge"));
            assertTrue(refusal.getMessage().contains("does not cover"), refusal.getMessage());
            assertEquals(DISK_BYTES, image.lengthBytes());
        }
        try (DirectFormat image = DirectFormat.open(new Qcow2Driver(), new MemoryProtocol(file), Flag.READ_ONLY)) {
            assertEquals(1, image.read(4096, 1)[0]);
        }
    }

    @Test
    void aSnapshotOfExbibytesInASmallFile() throws Exception {
        try (DirectFormat image = DirectFormat.open(
                new Qcow2Driver(), new MemoryProtocol(MemoryFile.of("claims", claimingImage())), Flag.READ_ONLY)) {
            SnapshotInfo snapshot = image.snapshot("huge");
            FormatInstance view = image.snapshots().openSnapshot(snapshot);
            assertEquals(CLAIMED_BYTES, view.lengthBytes());
            long behindData = 4096 + 512;
            Mapping rest = view.map(behindData, CLAIMED_BYTES - behindData);
            assertInstanceOf(Mapping.Backing.class, rest);
            assertEquals(CLAIMED_BYTES - behindData, rest.lengthBytes());
            view.close();

            List<Long> ranges = new ArrayList<>();
            image.format()
                    .capability(SnapshotComparable.class)
                    .orElseThrow()
                    .difference(snapshot, null, (offset, lengthBytes) -> {
                        ranges.add(offset);
                        ranges.add(lengthBytes);
                    });
            assertEquals(List.of(DISK_BYTES, CLAIMED_BYTES - DISK_BYTES), ranges);
        }
    }
}
