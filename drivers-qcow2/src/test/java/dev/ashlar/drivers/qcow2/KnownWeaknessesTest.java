package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.drivers.qcow2.Qcow2Picture.Reference;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.crash.CrashStates;
import dev.ashlar.testkit.crash.WriteLog;
import dev.ashlar.testkit.protocol.DirectFormat;
import dev.ashlar.testkit.protocol.ForwardingProtocol;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import dev.ashlar.testkit.protocol.RecordingProtocol;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/**
 * Where QEMU 7.2 loses or mixes data when power fails (the list is in RELIABILITY.md), every state that such a failure may leave is looked at here. {@code
 * FlushedTargetTest} has the sixth.
 */
class KnownWeaknessesTest {
    private static final Qcow2Driver DRIVER = new Qcow2Driver();
    private static final int CLUSTER = 4096;
    private static final int CLUSTERS = 24;
    private static final int STATES = 300;

    private interface Work {
        void on(DirectFormat image) throws BlockException;
    }

    private interface Inspection {
        void of(SparseBytes image) throws BlockException;
    }

    private static byte[] filled(int value) {
        byte[] bytes = new byte[CLUSTER];
        Arrays.fill(bytes, (byte) value);
        return bytes;
    }

    /** Each cluster says which one it is, and of what time. */
    private static void fill(DirectFormat image, int from, int to, int time) throws BlockException {
        for (int i = from; i < to; i++) {
            image.write((long) i * CLUSTER, filled(i + time));
        }
    }

    private static SparseBytes prepared(Work work) throws BlockException {
        return prepared("off", work);
    }

    private static SparseBytes prepared(String lazyRefcounts, Work work) throws BlockException {
        MemoryFile file = MemoryFile.empty("disk");
        MemoryProtocol protocol = new MemoryProtocol(file);
        DirectFormat.create(
                DRIVER,
                protocol,
                Map.of(
                        "size",
                        Integer.toString(CLUSTERS * CLUSTER),
                        "cluster_size",
                        Integer.toString(CLUSTER),
                        "lazy_refcounts",
                        lazyRefcounts));
        protocol.close();
        try (DirectFormat image = DirectFormat.open(DRIVER, new MemoryProtocol(file))) {
            work.on(image);
        }
        return file.snapshot();
    }

    private static void everyState(SparseBytes initial, Work work, Inspection inspection) throws Exception {
        WriteLog log = new WriteLog();
        MemoryFile file = MemoryFile.of("disk", initial.fork());
        try (DirectFormat image =
                DirectFormat.open(DRIVER, new RecordingProtocol(new MemoryProtocol(file), log), Flag.UNMAP)) {
            work.on(image);
        }
        assertEquals(null, OrderingAuditor.firstViolation(log, initial));
        long states = CrashStates.forEachState(log, initial, 11, STATES, state -> {
            try {
                inspection.of(state.image());
            } catch (BlockException | AssertionError e) {
                throw new AssertionError(e.getMessage() + "\nin " + state, e);
            }
        });
        assertTrue(states > STATES / 4, () -> states + " states");
    }

    private static DirectFormat open(SparseBytes image, Flag... flags) throws BlockException {
        return DirectFormat.open(DRIVER, new MemoryProtocol(MemoryFile.of("crashed", image)), flags);
    }

    /** 1: after an apply the tables that came from the snapshot claim nothing, so a write copies and the snapshot stays. */
    @Test
    void w1_anAppliedTableClaimsNothing() throws Exception {
        SparseBytes initial = prepared(image -> {
            fill(image, 0, 8, 1);
            image.createSnapshot("s");
            fill(image, 0, 8, 50);
        });
        everyState(initial, image -> image.applySnapshot("s"), state -> {
            Qcow2Picture picture = new Qcow2Picture(state);
            for (long cluster : picture.referencedClusters()) {
                List<Reference> references = picture.references(cluster);
                assertTrue(
                        references.size() == 1 || references.stream().noneMatch(Reference::copied),
                        references::toString);
            }
            try (DirectFormat image = open(state)) {
                fill(image, 0, 8, 100);
                image.flush();
                SparseBytes kept = image.content(image.snapshot("s"));
                for (int i = 0; i < 8; i++) {
                    assertEquals(i + 1, kept.read((long) i * CLUSTER, 1)[0], "cluster " + i + " of the snapshot");
                }
            }
        });
    }

    /** 2: size and content of a disk go back together, or stay together. */
    @Test
    void w2_applyIsOneStep() throws Exception {
        SparseBytes initial = prepared(image -> {
            fill(image, 0, 8, 1);
            image.createSnapshot("s");
            image.resize(8L * CLUSTERS * CLUSTER);
            fill(image, 0, 8, 50);
            image.flush();
        });
        everyState(initial, image -> image.applySnapshot("s"), state -> {
            try (DirectFormat image = open(state, Flag.READ_ONLY)) {
                boolean back = image.lengthBytes() == (long) CLUSTERS * CLUSTER;
                for (int i = 0; i < 8; i++) {
                    assertEquals(i + (back ? 1 : 50), image.read((long) i * CLUSTER, 1)[0], "cluster " + i);
                }
                assertEquals((back ? 1L : 8L) * CLUSTERS * CLUSTER, image.lengthBytes());
            }
        });
    }

    /** 3: what was given up shows what it was, or zeros, and never what another part of the disk is. */
    @Test
    void w3_nothingIsReusedTooEarly() throws Exception {
        SparseBytes initial = prepared(image -> {
            fill(image, 0, 12, 1);
            image.flush();
        });
        everyState(
                initial,
                image -> {
                    for (int round = 0; round < 3; round++) {
                        image.discard(0, 6L * CLUSTER);
                        fill(image, 14, 20, 1);
                        if (round == 1) {
                            image.flush();
                        }
                        fill(image, 0, 3, 1);
                        image.discard(14L * CLUSTER, 6L * CLUSTER);
                        fill(image, 3, 6, 1);
                    }
                },
                state -> {
                    try (DirectFormat image = open(state, Flag.READ_ONLY)) {
                        for (int i = 0; i < 20; i++) {
                            byte[] found = image.read((long) i * CLUSTER, CLUSTER);
                            for (byte b : found) {
                                assertTrue(b == 0 || b == i + 1, "cluster " + i + " shows " + b);
                            }
                        }
                    }
                });
    }

    /** 4: a disk that shrinks has its new size first, and its file is cut last: nothing ever points behind the end. */
    @Test
    void w4_theFileIsCutLast() throws Exception {
        SparseBytes initial = prepared(image -> {
            fill(image, 0, 22, 1);
            image.flush();
        });
        assumeTrue(shrinks(initial), "disks do not shrink here");
        everyState(initial, image -> image.resize(9L * CLUSTER), state -> {
            try (DirectFormat image = open(state, Flag.READ_ONLY, Flag.CHECK)) {
                CrashInspection.requireLeaksAtWorst(image.check(Repair.NONE));
                long clusters = image.lengthBytes() / CLUSTER;
                assertTrue(clusters == 9 || clusters == CLUSTERS, () -> clusters + " clusters");
                for (int i = 0; i < Math.min(clusters, 22); i++) {
                    for (byte b : image.read((long) i * CLUSTER, CLUSTER)) {
                        assertEquals(i + 1, b, "cluster " + i);
                    }
                }
            }
            try (DirectFormat image = open(state)) {
                // what comes back by growing is not what was cut off
                if (image.lengthBytes() == 9L * CLUSTER) {
                    image.resize((long) CLUSTERS * CLUSTER);
                    for (byte b : image.read(9L * CLUSTER, 13 * CLUSTER)) {
                        assertEquals(0, b);
                    }
                }
            }
        });
    }

    private static boolean shrinks(SparseBytes initial) throws BlockException {
        try (DirectFormat image = open(initial.fork())) {
            image.resize(9L * CLUSTER);
            return true;
        } catch (BlockException e) {
            assertEquals(BlockException.Kind.UNSUPPORTED, e.kind(), e.getMessage());
            return false;
        }
    }

    /** 5: where refcounts may come late, data and tables keep their order all the same, and a repair harms nothing. */
    @Test
    void w5_lazyRefcountsKeepTheOrder() throws Exception {
        SparseBytes initial = prepared("on", image -> {
            fill(image, 0, 6, 1);
            image.flush();
        });
        everyState(
                initial,
                image -> {
                    fill(image, 6, 12, 1);
                    image.flush();
                    image.discard(0, 3L * CLUSTER);
                    fill(image, 12, 18, 1);
                    image.flush();
                    fill(image, 0, 3, 1);
                },
                state -> {
                    SparseBytes repaired = state.fork();
                    MemoryFile file = MemoryFile.of("repaired", repaired);
                    try (DirectFormat image = DirectFormat.open(DRIVER, new MemoryProtocol(file), Flag.CHECK)) {
                        image.check(Repair.ALL);
                    }
                    for (SparseBytes each : List.of(state, file.snapshot())) {
                        try (DirectFormat image = open(each)) {
                            // what stands is written over in place, and new clusters are taken: no table may lie among
                            // them
                            fill(image, 3, 6, 1);
                            fill(image, 18, 22, 1);
                            image.flush();
                            for (int i = 0; i < 22; i++) {
                                for (byte b : image.read((long) i * CLUSTER, CLUSTER)) {
                                    assertTrue(b == 0 || b == i + 1, "cluster " + i + " shows " + b);
                                }
                            }
                            CrashInspection.requireLeaksAtWorst(image.check(Repair.NONE));
                        }
                    }
                });
    }

    /** 7: an image of which creation was cut short is none. */
    @Test
    void w7_halfAnImageDoesNotOpen() throws Exception {
        WriteLog log = new WriteLog();
        MemoryFile file = MemoryFile.empty("disk");
        // what stood in the file before is not mistaken for the new image either
        SparseBytes former = prepared(image -> fill(image, 0, 4, 1));
        RecordingProtocol protocol =
                new RecordingProtocol(new MemoryProtocol(MemoryFile.of("disk", former.fork())), log);
        DirectFormat.create(DRIVER, protocol, Map.of("size", "65536", "cluster_size", "512"));
        protocol.close();
        CrashStates.forEachState(log, former, 3, STATES, state -> {
            try (DirectFormat image = open(state.image(), Flag.READ_ONLY, Flag.CHECK)) {
                CrashInspection.requireLeaksAtWorst(image.check(Repair.NONE));
            } catch (BlockException e) {
                assertTrue(e.getMessage().contains("not in qcow2 format"), e.getMessage());
            }
        });
        assertThrows(BlockException.class, () -> open(file.snapshot(), Flag.READ_ONLY));
    }

    /** 7: the directory is synced, after all that the new name stands for. */
    @Test
    void w7_theNameIsDurable() throws Exception {
        List<String> calls = new ArrayList<>();
        try (Disks disks = new Disks(protocol -> new ForwardingProtocol(protocol) {
            @Override
            public void write(long offset, MemorySegment source) throws BlockException {
                calls.add("write");
                super.write(offset, source);
            }

            @Override
            public void flush() throws BlockException {
                calls.add("flush");
                super.flush();
            }

            @Override
            public void syncName() throws BlockException {
                calls.add("name");
                super.syncName();
            }
        })) {
            disks.create("new");
            assertTrue(calls.size() > 1, calls::toString);
            assertEquals("name", calls.get(calls.size() - 1));
            assertEquals("flush", calls.get(calls.size() - 2));
        }
    }
}
