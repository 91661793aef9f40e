package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.VmState;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.snapshot.SnapshotRequest;
import dev.ashlar.core.snapshot.Snapshots;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.core.spi.ImageReference;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.testkit.protocol.MemoryDriver;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** G5: who was attached for reading changes nothing of the image, though somebody else may. */
class ReaderTest {
    @Test
    void aReaderChangesNothingOfTheImage() throws Exception {
        BlockGraph graph = BlockGraph.create(List.of(new MemoryDriver(), new Qcow2Driver()));
        graph.createImage("memory:disk", "qcow2", Map.of("size", "1048576"));
        try (BlockBackend disk =
                        graph.open("memory:disk", OpenOptions.readWrite().format("qcow2"));
                BlockBackend reader = graph.attach("reader", disk.root(), false)) {
            disk.write(0, MemorySegment.ofArray(new byte[] {7}));
            Map<String, Executable> changes = new LinkedHashMap<>();
            changes.put("write", () -> reader.write(0, MemorySegment.ofArray(new byte[] {8})));
            changes.put("compressed", () -> reader.writeCompressed(0, MemorySegment.ofArray(new byte[1 << 16])));
            changes.put("zeros", () -> reader.writeZeroes(0, 512, true));
            changes.put("discard", () -> reader.discard(0, 1 << 16));
            changes.put("resize", () -> reader.resize(2 << 20, Preallocation.OFF));
            changes.put("repair", () -> reader.check(Repair.ALL, finding -> {}));
            changes.put("backing file", () -> reader.changeBacking(new ImageReference("memory:other", "raw")));
            changes.put("emptying", reader::makeEmpty);
            changes.put("key slots", () -> reader.changeKeySlots(Map.of("encrypt.state", "inactive"), false));
            changes.put("amend", () -> reader.amend(Map.of("lazy_refcounts", "on"), done -> {}));
            assertAllRefused(changes);
            byte[] read = new byte[1];
            reader.read(0, MemorySegment.ofArray(read));
            assertEquals(7, read[0]);
            assertEquals(1 << 20, disk.lengthBytes());
        }
    }

    @Test
    void aReaderChangesNoSnapshots() throws Exception {
        BlockGraph graph = BlockGraph.create(List.of(new MemoryDriver(), new Qcow2Driver()));
        graph.createImage("memory:disk", "qcow2", Map.of("size", "1048576"));
        try (BlockBackend disk =
                        graph.open("memory:disk", OpenOptions.readWrite().format("qcow2"));
                BlockBackend reader = graph.attach("reader", disk.root(), false);
                VmState written = disk.snapshots().openVmState();
                VmState seen = reader.snapshots().openVmState()) {
            SnapshotInfo old = disk.snapshots().create(SnapshotRequest.named("old"));
            disk.write(0, MemorySegment.ofArray(new byte[] {7}));
            written.write(0, MemorySegment.ofArray(new byte[] {9}));
            Snapshots snapshots = reader.snapshots();
            assertFalse(snapshots.isSupported());
            Map<String, Executable> changes = new LinkedHashMap<>();
            changes.put("create", () -> snapshots.create(SnapshotRequest.named("new")));
            changes.put("apply", () -> snapshots.apply(old));
            changes.put("delete", () -> snapshots.delete(old));
            changes.put("delete by name", () -> snapshots.delete(null, "old"));
            changes.put("rename", () -> snapshots.rename(old, "new"));
            changes.put("state of the machine", () -> seen.write(0, MemorySegment.ofArray(new byte[] {8})));
            changes.put("no state of the machine", seen::drop);
            assertAllRefused(changes);
            assertEquals(List.of(old), snapshots.list());
            byte[] read = new byte[1];
            reader.read(0, MemorySegment.ofArray(read));
            assertEquals(7, read[0]);
            seen.read(0, MemorySegment.ofArray(read));
            assertEquals(9, read[0]);
            try (BlockBackend before = snapshots.open(old)) {
                before.read(0, MemorySegment.ofArray(read));
                assertEquals(0, read[0]);
            }
        }
    }

    private static void assertAllRefused(Map<String, Executable> changes) {
        for (Map.Entry<String, Executable> change : changes.entrySet()) {
            BlockException refused = assertThrows(BlockException.class, change.getValue(), change.getKey());
            assertEquals(Kind.READ_ONLY, refused.kind(), change.getKey() + ": " + refused.getMessage());
        }
    }
}
