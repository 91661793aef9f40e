package dev.ashlar.cli.interop;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.host.Command;
import dev.ashlar.testkit.host.LoopDevice;
import dev.ashlar.testkit.host.RequiresRoot;
import dev.ashlar.testkit.host.ScratchDir;
import dev.ashlar.testkit.model.ByteModel;
import dev.ashlar.testkit.model.DiskExpectation;
import dev.ashlar.testkit.model.DiskHistory;
import dev.ashlar.testkit.qemu.QemuTools;
import dev.ashlar.testkit.qemu.RequiresQemu;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Block devices with sectors of 512 and 4096 bytes: as a raw disk, and as the place of a qcow2 image; direct and buffered. */
@RequiresRoot
@RequiresQemu
class LoopDeviceTest {
    private static final long SEED = Long.getLong("ashlar.interop.seed", 1_000_000);
    private static final int DEVICE_BYTES = 16 << 20;

    private static Path file(Path directory) throws Exception {
        Path file = directory.resolve("device.img");
        try (RandomAccessFile sized = new RandomAccessFile(file.toFile(), "rw")) {
            sized.setLength(DEVICE_BYTES);
        }
        return file;
    }

    /** Writing to it would fail only when something is written, and a qcow2 image on it would be half open by then. */
    @Test
    void aReadOnlyDeviceIsNotOpenedForWriting(@ScratchDir Path directory) throws Exception {
        try (LoopDevice loop = LoopDevice.attachReadOnly(file(directory));
                BlockGraph graph = BlockGraph.create()) {
            String device = loop.device().toString();
            BlockException refused = assertThrows(
                    BlockException.class,
                    () -> graph.open(device, OpenOptions.readWrite().format("raw")));
            assertEquals(BlockException.Kind.PERMISSION, refused.kind());
            assertEquals("The device is not writable: Permission denied", refused.getMessage());
            String byQemu = Command.of("qemu-io", "-f", "raw", "-c", "write 0 512", device)
                    .run()
                    .errors();
            assertTrue(byQemu.contains(refused.getMessage()), byQemu);
            graph.open(device, OpenOptions.readOnly().format("raw")).close();
        }
    }

    @ParameterizedTest(name = "sectors of {0}, direct {1}")
    @CsvSource({"512, true", "4096, true", "4096, false"})
    void rawDisk(int sectorBytes, boolean direct, @ScratchDir Path directory) throws Exception {
        SparseBytes model = new SparseBytes(DEVICE_BYTES);
        Random random = new Random(SEED);
        Path file = file(directory);
        try (LoopDevice loop = LoopDevice.attach(file, sectorBytes)) {
            try (BlockGraph graph = BlockGraph.create();
                    BlockBackend disk = graph.open(
                            loop.device().toString(),
                            OpenOptions.readWrite().format("raw").unmap(true).direct(direct))) {
                assertEquals(DEVICE_BYTES, disk.lengthBytes());
                for (int i = 0; i < 200; i++) {
                    // also what begins and ends in the middle of sectors
                    int offset = random.nextInt(DEVICE_BYTES - 40_000);
                    byte[] content = new byte[1 + random.nextInt(40_000)];
                    if (i % 4 == 3) {
                        disk.writeZeroes(offset, content.length, i % 8 == 3);
                    } else {
                        random.nextBytes(content);
                        disk.write(offset, MemorySegment.ofArray(content));
                    }
                    model.write(offset, content, 0, content.length);
                }
                disk.flush();
                assertEquals(-1, model.firstDifference(AshlarDisk.content(disk)), () -> "seed " + SEED);
            }
        }
        assertEquals(-1, model.firstDifference(SparseBytes.of(file)), () -> "the file behind it, seed " + SEED);
    }

    @ParameterizedTest(name = "sectors of {0}, clusters of {1}, direct {2}")
    @CsvSource({"4096, 65536, true", "512, 4096, true", "4096, 512, true", "4096, 2048, false"})
    void placeOfAnImage(int sectorBytes, int clusterBytes, boolean direct, @ScratchDir Path directory)
            throws Exception {
        long size = 1 << 20;
        try (LoopDevice loop = LoopDevice.attach(file(directory), sectorBytes)) {
            AshlarDisk.create(loop.device(), size, Map.of("cluster_size", Integer.toString(clusterBytes)));
            Random random = new Random(SEED);
            ByteModel model = new ByteModel(size);
            for (int turn = 0; turn < 3; turn++) {
                List<Step> steps = new Step.Menu(clusterBytes, true, true, 0, "t" + turn + "x").draw(random, model, 20);
                DiskHistory history = new DiskHistory(model);
                try (AshlarDisk disk = AshlarDisk.readWrite(loop.device(), direct)) {
                    for (Step step : steps) {
                        disk.run(step);
                        step.begin(history);
                        history.completed();
                    }
                    requireEqual(model, disk.found());
                }
                QemuTools.requireClean(loop.device());
                requireEqual(model, new QemuDisk(loop.device()).found(directory));
            }
        }
    }

    private static void requireEqual(ByteModel model, DiskExpectation.Found found) {
        String mismatch = new DiskExpectation(List.of(DiskExpectation.World.of(model))).mismatch(found);
        if (!mismatch.isEmpty()) {
            throw new AssertionError("-Dashlar.interop.seed=" + SEED + ": " + mismatch);
        }
    }
}
