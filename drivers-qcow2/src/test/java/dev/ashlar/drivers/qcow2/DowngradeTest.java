package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.core.spi.Mapping;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.crash.CrashState;
import dev.ashlar.testkit.crash.CrashStates;
import dev.ashlar.testkit.crash.WriteLog;
import dev.ashlar.testkit.model.ByteModel;
import dev.ashlar.testkit.model.DiskExpectation;
import dev.ashlar.testkit.protocol.DirectFormat;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import dev.ashlar.testkit.protocol.RecordingProtocol;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * Version 3 images with snapshots become version 2: zero clusters of all layers, which may lie over host clusters that other layers still read, are replaced
 * where the tables are, and whenever the power fails every layer reads as before (rules R1 to R5, R7). The seed by the property {@code ashlar.amend.seed}.
 */
class DowngradeTest {
    private static final Qcow2Driver DRIVER = new Qcow2Driver();
    private static final long SEED = Long.getLong("ashlar.amend.seed", System.nanoTime() & 0xffff_ffffL);
    private static final int ROUNDS = Integer.getInteger("ashlar.amend.rounds", 3);
    private static final int CLUSTER_BYTES = 512;
    private static final long SIZE = 512 * 300L;

    @Test
    void alone() throws Exception {
        for (int round = 0; round < ROUNDS; round++) {
            crashed(new SparseBytes(), SEED + round);
        }
    }

    /** Where a backing file would show through, zeros become clusters of their own. */
    @Test
    void aboveABackingFile() throws Exception {
        SparseBytes backing = new SparseBytes(SIZE);
        backing.fill(0, SIZE, (byte) 0x77);
        for (int round = 0; round < ROUNDS; round++) {
            crashed(backing, SEED + round);
        }
    }

    /** qemu-img 7.2 fills the cluster with zeros which the snapshot still has as data. */
    @Test
    void whatASnapshotReadsIsNotZeroed() throws BlockException {
        Image image = new Image(new SparseBytes());
        byte[] content = new byte[4 * CLUSTER_BYTES];
        Arrays.fill(content, (byte) 5);
        try (DirectFormat disk = image.open()) {
            disk.write(0, content);
            disk.createSnapshot("s");
            // the host clusters are kept for later
            disk.writeZeroes(0, content.length, false);
            disk.createSnapshot("t");
            disk.amend(Map.of("compat", "0.10"));
        }
        try (DirectFormat disk = image.open(Flag.READ_ONLY, Flag.CHECK)) {
            assertEquals("0.10", disk.format().info().specific().get("compat"));
            SnapshotInfo first = disk.snapshots().snapshots().get(0);
            byte[] found = new byte[content.length];
            disk.content(first).read(0, found, 0, found.length);
            assertTrue(Arrays.equals(content, found));
            disk.content().read(0, found, 0, found.length);
            assertTrue(Arrays.equals(new byte[content.length], found));
            // version 2 has no zeros but what is not there
            assertTrue(disk.format().map(0, SIZE) instanceof Mapping.Backing);
            assertClean(disk);
        }
    }

    @Test
    void aSnapshotOfAnotherSizeKeepsTheImageFromIt() throws BlockException {
        Image image = new Image(new SparseBytes());
        try (DirectFormat disk = image.open()) {
            disk.write(0, new byte[] {1});
            disk.createSnapshot("s");
            disk.resize(SIZE + 512, Preallocation.OFF);
            disk.flush();
            SparseBytes before = image.file.snapshot();
            BlockException refused = assertThrows(BlockException.class, () -> disk.amend(Map.of("compat", "0.10")));
            assertEquals("Internal snapshots prevent downgrade of image", refused.getMessage());
            assertEquals(-1, before.firstDifference(image.file.snapshot()));
        }
    }

    @Test
    void zstdIsNoHindranceUntilSomethingIsCompressed() throws BlockException {
        Image image = new Image(new SparseBytes(), Map.of("compression_type", "zstd"));
        try (DirectFormat disk = image.open()) {
            disk.writeCompressed(0, new byte[CLUSTER_BYTES], () -> {});
            disk.createSnapshot("s");
            disk.write(0, new byte[CLUSTER_BYTES]);
            BlockException refused = assertThrows(BlockException.class, () -> disk.amend(Map.of("compat", "0.10")));
            assertEquals(
                    "Cannot downgrade an image with zstd compression type and existing compressed clusters",
                    refused.getMessage());
            disk.deleteSnapshot("s");
            disk.amend(Map.of("compat", "0.10"));
        }
        try (DirectFormat disk = image.open(Flag.READ_ONLY, Flag.CHECK)) {
            assertEquals("zlib", disk.format().info().specific().get("compression-type"));
            assertClean(disk);
        }
    }

    private static void crashed(SparseBytes backing, long seed) throws Exception {
        Image image = new Image(backing);
        Random random = new Random(seed);
        ByteModel model = new ByteModel(SIZE);
        if (backing.lengthBytes() > 0) {
            model.replaceDisk(backing.fork());
        }
        ImageMachine before = new ImageMachine(image::open, new WriteLog(), model, SIZE, "s");
        List<Operation.Kind> kinds = List.of(
                Operation.Kind.WRITE,
                Operation.Kind.ZERO,
                Operation.Kind.WRITE_CLUSTERS,
                Operation.Kind.ZERO,
                Operation.Kind.WRITE_COMPRESSED,
                Operation.Kind.SNAPSHOT_CREATE,
                Operation.Kind.ZERO,
                Operation.Kind.DISCARD);
        for (int i = 0; i < 4 * kinds.size(); i++) {
            before.run(new Operation(
                    kinds.get(i % kinds.size()), random.nextInt(Operation.PLACES), random.nextInt(Operation.AMOUNTS)));
        }
        model = before.model().fork();
        before.close();
        SparseBytes initial = image.file.snapshot();
        WriteLog log = new WriteLog();
        image.log = log;
        ImageMachine machine = new ImageMachine(image::open, log, model, SIZE, "s");
        machine.image().amend(Map.of("compat", "0.10"));
        machine.reopen();
        assertEquals("0.10", machine.image().format().info().specific().get("compat"));
        machine.requireEqual();
        machine.requireClean();
        machine.close();
        try {
            CrashStates.forEachState(log, initial, seed, 150, state -> look(state, backing));
        } catch (AssertionError e) {
            throw new AssertionError("-Dashlar.amend.seed=" + seed + ": " + e.getMessage(), e);
        }
    }

    /** All layers as before; leaks at worst, and without them, and a word written to every cluster, still as before. */
    private static void look(CrashState state, SparseBytes backing) throws BlockException {
        DiskExpectation expectation = state.lastMark(DiskExpectation.class);
        if (expectation == null) {
            return;
        }
        MemoryFile file = MemoryFile.of("crashed", state.image().fork());
        try (DirectFormat disk = DirectFormat.open(DRIVER, new MemoryProtocol(file), backing, Flag.CHECK)) {
            CrashInspection.requireLeaksAtWorst(disk.check(Repair.NONE));
            assertEquals("", expectation.mismatch(ImageMachine.found(disk)), () -> "in " + state);
            disk.check(Repair.LEAKS);
            assertClean(disk);
        }
        try (DirectFormat disk = DirectFormat.open(DRIVER, new MemoryProtocol(file), backing)) {
            SparseBytes content = disk.content();
            for (long at = 0; at < SIZE; at += CLUSTER_BYTES) {
                byte[] one = new byte[1];
                content.read(at, one, 0, 1);
                disk.write(at, new byte[] {(byte) (one[0] + 1)});
                disk.write(at, one);
            }
            disk.flush();
            assertEquals("", expectation.mismatch(ImageMachine.found(disk)), () -> "used after " + state);
            CrashInspection.requireLeaksAtWorst(disk.check(Repair.NONE));
        }
    }

    private static void assertClean(DirectFormat disk) throws BlockException {
        CheckReport report = disk.check(Repair.NONE);
        assertEquals(0, report.corruptions() + report.leaks() + report.checkErrors(), report::toString);
    }

    /** An image in memory, above a backing file where that has content. */
    private static final class Image {
        final MemoryFile file = MemoryFile.empty("disk");
        private final SparseBytes backing;
        WriteLog log = new WriteLog();

        Image(SparseBytes backing) throws BlockException {
            this(backing, Map.of());
        }

        Image(SparseBytes backing, Map<String, String> more) throws BlockException {
            this.backing = backing;
            Map<String, String> options = new HashMap<>(more);
            options.put("cluster_size", Integer.toString(CLUSTER_BYTES));
            if (backing.lengthBytes() > 0) {
                options.put("backing_file", "base");
                options.put("backing_fmt", "raw");
            }
            ImageMachine.create(file, SIZE, options);
        }

        DirectFormat open(Flag... flags) throws BlockException {
            return DirectFormat.open(DRIVER, new RecordingProtocol(new MemoryProtocol(file), log), backing, flags);
        }

        DirectFormat open() throws BlockException {
            return open(new Flag[0]);
        }
    }
}
