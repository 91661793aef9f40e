package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.crash.CrashStates;
import dev.ashlar.testkit.crash.WriteLog;
import dev.ashlar.testkit.protocol.DirectFormat;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import dev.ashlar.testkit.protocol.RecordingProtocol;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A repair that a power cut ends: in every state that the disk may be in then, the disk and its snapshot read as before, and another repair leaves nothing to
 * find. The seed is the property {@code ashlar.crash.seed}, states of each repair {@code ashlar.crash.states}.
 */
class RepairCrashTest {
    private static final Qcow2Driver DRIVER = new Qcow2Driver();
    private static final long SEED = Long.getLong("ashlar.crash.seed", System.nanoTime() & 0xffff_ffffL);
    private static final int STATES = Integer.getInteger("ashlar.crash.states", 150);
    private static final int CLUSTER_BYTES = 512;
    private static final int DISK_BYTES = 200 * CLUSTER_BYTES;

    /** What is wrong with the image. */
    enum Damage {
        BLOCK_LOST,
        BLOCK_NOT_ALIGNED,
        TABLE_LOST,
        COUNTS_ZERO,
        COUNTS_RANDOM,
        FLAGS_WRONG,
        TOO_MUCH_EXTRA_DATA,
        SNAPSHOTS_BEHIND_END,
        L1_CUT_OFF;

        void inflict(MemoryProtocol file, Random random) throws BlockException {
            long table = word(file, 48);
            long block = word(file, table);
            switch (this) {
                case BLOCK_LOST -> put(file, table, new byte[8]);
                case BLOCK_NOT_ALIGNED -> put(file, table + 6, new byte[] {(byte) (block >> 8), 0x20});
                case TABLE_LOST -> put(file, 56, new byte[4]);
                case TOO_MUCH_EXTRA_DATA -> {
                    // the table moves to the end of the file, for its name lies further behind
                    long old = word(file, 64);
                    long fresh = (file.lengthBytes() + CLUSTER_BYTES - 1) & -CLUSTER_BYTES;
                    byte[] entry = new byte[64 + 7];
                    file.read(old, MemorySegment.ofArray(entry));
                    byte[] longer = new byte[40 + 1500 + 7];
                    System.arraycopy(entry, 0, longer, 0, 64);
                    System.arraycopy(entry, 64, longer, 40 + 1500, 7);
                    ByteBuffer.wrap(longer).putInt(36, 1500);
                    put(file, fresh, longer);
                    put(file, 64, ByteBuffer.allocate(8).putLong(fresh).array());
                }
                case SNAPSHOTS_BEHIND_END -> {
                    long old = word(file, 64);
                    long fresh = (file.lengthBytes() + CLUSTER_BYTES - 1) & -CLUSTER_BYTES;
                    byte[] entry = new byte[64 + 7];
                    file.read(old, MemorySegment.ofArray(entry));
                    // without extra data, as version 2 has it
                    byte[] shorter = new byte[40 + 7];
                    System.arraycopy(entry, 0, shorter, 0, 36);
                    System.arraycopy(entry, 64, shorter, 40, 7);
                    put(file, fresh, shorter);
                    put(file, 60, ByteBuffer.allocate(4).putInt(5000).array());
                    put(file, 64, ByteBuffer.allocate(8).putLong(fresh).array());
                }
                case L1_CUT_OFF -> {
                    long l1 = word(file, 40);
                    long end = (file.lengthBytes() + CLUSTER_BYTES - 1) & -CLUSTER_BYTES;
                    byte[] entries = new byte[4 * 8];
                    file.read(l1, MemorySegment.ofArray(entries));
                    put(file, end, entries);
                    put(file, 36, ByteBuffer.allocate(4).putInt(40).array());
                    put(file, 40, ByteBuffer.allocate(8).putLong(end).array());
                }
                case COUNTS_ZERO -> put(file, block, new byte[CLUSTER_BYTES]);
                case COUNTS_RANDOM -> {
                    for (int i = 0; i < 20; i++) {
                        put(file, block + 2L * random.nextInt(60), new byte[] {0, (byte) (1 + random.nextInt(4))});
                    }
                }
                case FLAGS_WRONG -> {
                    long l1 = word(file, 40);
                    long l2 = word(file, l1) & 0x00ff_ffff_ffff_fe00L;
                    for (int i = 0; i < 20; i++) {
                        long at = l2 + 8L * random.nextInt(64);
                        put(
                                file,
                                at,
                                ByteBuffer.allocate(8)
                                        .putLong(word(file, at) ^ Long.MIN_VALUE)
                                        .array());
                    }
                    put(
                            file,
                            l1,
                            ByteBuffer.allocate(8)
                                    .putLong(word(file, l1) ^ Long.MIN_VALUE)
                                    .array());
                }
            }
        }

        private static long word(MemoryProtocol file, long offset) {
            byte[] bytes = new byte[8];
            file.read(offset, MemorySegment.ofArray(bytes));
            return ByteBuffer.wrap(bytes).getLong();
        }

        private static void put(MemoryProtocol file, long offset, byte[] bytes) throws BlockException {
            file.write(offset, MemorySegment.ofArray(bytes));
        }
    }

    @ParameterizedTest
    @EnumSource(Damage.class)
    void aRepairCutShortIsAtWorstAsBefore(Damage damage) throws Exception {
        MemoryFile file = MemoryFile.empty("disk");
        byte[] snapshotted = new byte[DISK_BYTES];
        byte[] live = new byte[DISK_BYTES];
        build(file, snapshotted, live);
        damage.inflict(new MemoryProtocol(file), new Random(SEED));
        SparseBytes damaged = file.snapshot();

        WriteLog log = new WriteLog();
        try (DirectFormat format =
                DirectFormat.open(DRIVER, new RecordingProtocol(new MemoryProtocol(file), log), Flag.CHECK)) {
            CheckReport report = format.check(Repair.ALL);
            assertTrue(report.corruptionsFixed() + report.leaksFixed() > 0, "nothing was repaired: " + report);
        }
        requireSound(file.snapshot(), snapshotted, live);
        long visited = CrashStates.forEachState(log, damaged, SEED, STATES, state -> {
            try {
                requireRepairable(damage, state.image(), snapshotted, live);
            } catch (Exception | AssertionError e) {
                throw new AssertionError("-Dashlar.crash.seed=" + SEED + ": " + e.getMessage() + "\nin " + state, e);
            }
        });
        assertTrue(visited > 2, "only " + visited + " states");
    }

    private static void build(MemoryFile file, byte[] snapshotted, byte[] live) throws BlockException {
        Random random = new Random(SEED);
        DirectFormat.create(
                DRIVER, new MemoryProtocol(file), Map.of("size", "" + DISK_BYTES, "cluster_size", "" + CLUSTER_BYTES));
        try (DirectFormat format = DirectFormat.open(DRIVER, new MemoryProtocol(file))) {
            for (int i = 0; i < 40; i++) {
                write(format, random, live);
            }
            format.createSnapshot("before");
            System.arraycopy(live, 0, snapshotted, 0, DISK_BYTES);
            for (int i = 0; i < 20; i++) {
                write(format, random, live);
            }
        }
    }

    private static void write(DirectFormat format, Random random, byte[] live) throws BlockException {
        byte[] content = new byte[1 + random.nextInt(2 * CLUSTER_BYTES)];
        random.nextBytes(content);
        int offset = random.nextInt(DISK_BYTES - content.length);
        format.write(offset, content);
        System.arraycopy(content, 0, live, offset, content.length);
    }

    private static void requireRepairable(Damage damage, SparseBytes image, byte[] snapshotted, byte[] live)
            throws BlockException {
        MemoryFile file = MemoryFile.of("crashed", image.fork());
        if (damage != Damage.TOO_MUCH_EXTRA_DATA && damage != Damage.SNAPSHOTS_BEHIND_END) {
            // otherwise there is no list of snapshots before the repair
            requireContent(image, snapshotted, live);
        }
        try (DirectFormat format = DirectFormat.open(DRIVER, new MemoryProtocol(file), Flag.CHECK)) {
            format.check(Repair.ALL);
        }
        requireSound(file.snapshot(), snapshotted, live);
    }

    private static void requireSound(SparseBytes image, byte[] snapshotted, byte[] live) throws BlockException {
        try (DirectFormat format = DirectFormat.open(
                DRIVER, new MemoryProtocol(MemoryFile.of("sound", image.fork())), Flag.READ_ONLY, Flag.CHECK)) {
            CheckReport report = format.check(Repair.NONE);
            assertEquals(0, report.corruptions() + report.leaks() + report.checkErrors(), report.toString());
        }
        requireContent(image, snapshotted, live);
    }

    private static void requireContent(SparseBytes image, byte[] snapshotted, byte[] live) throws BlockException {
        try (DirectFormat format = DirectFormat.open(
                DRIVER, new MemoryProtocol(MemoryFile.of("read", image.fork())), Flag.READ_ONLY, Flag.CHECK)) {
            assertArrayEquals(live, format.read(0, DISK_BYTES), "the disk");
            assertArrayEquals(
                    snapshotted, format.content(format.snapshot("before")).read(0, DISK_BYTES), "the snapshot");
        }
    }
}
