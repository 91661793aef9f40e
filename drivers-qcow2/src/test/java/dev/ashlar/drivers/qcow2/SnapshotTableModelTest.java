package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.snapshot.SnapshotIndex;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.snapshot.SnapshotRequest;
import dev.ashlar.core.snapshot.Snapshots;
import dev.ashlar.core.spi.Preallocation;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.Random;
import java.util.zip.CRC32C;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.ShrinkingMode;
import org.junit.jupiter.api.Test;

/**
 * The snapshot table against a list: ids, names, order, dates, sizes and content (by checksum) after each of many operations, with the image opened again in
 * between. Operations of each round by the property {@code ashlar.snapshots.operations}; jqwik prints the seed of a round that fails.
 */
class SnapshotTableModelTest {
    private static final int OPERATIONS = Integer.getInteger("ashlar.snapshots.operations", 600);
    private static final int CLUSTER = 4096;

    private record Kept(SnapshotInfo info, long checksum) {}

    private static long checksum(BlockBackend backend) throws BlockException {
        CRC32C crc = new CRC32C();
        byte[] bytes = Disks.read(backend);
        crc.update(bytes, 0, bytes.length);
        return crc.getValue();
    }

    /** One round: the model is the list of what must be there. */
    private static final class Round {
        private final Random random;
        private final Disks disks;
        private final List<Kept> model = new ArrayList<>();
        private BlockBackend backend;

        Round(Random random, Disks disks) throws BlockException {
            this.random = random;
            this.disks = disks;
            this.backend = disks.create("disk").open("disk");
        }

        void run() throws BlockException {
            for (int i = 0; i < OPERATIONS; i++) {
                switch (random.nextInt(12)) {
                    case 0, 1, 2 -> create();
                    case 3 -> apply();
                    case 4 -> delete();
                    case 5 -> rename();
                    case 6 -> refuseDuplicateId();
                    case 7 -> reopen();
                    case 8 -> grow();
                    default -> write();
                }
                assertEquals(
                        model.stream().map(Kept::info).toList(),
                        backend.snapshots().list());
                find();
                if (i % 50 == 0) {
                    contents();
                }
            }
            contents();
            reopen();
            contents();
            Disks.requireSound(backend, false);
        }

        private String name() {
            return random.nextInt(4) == 0 ? "twin" : "snapshot " + random.nextInt(50) + "ü".repeat(random.nextInt(20));
        }

        private void create() throws BlockException {
            if (model.size() > 40) {
                return;
            }
            String id = switch (random.nextInt(4)) {
                case 0 -> "id" + random.nextInt(1 << 30);
                case 1 -> Integer.toString(1000 + random.nextInt(1 << 30));
                default -> "";
            };
            long highest = 0;
            for (Kept kept : model) {
                if (kept.info().id().equals(id)) {
                    return;
                }
                String digits = kept.info().id().replaceAll("\\D.*", "");
                highest = Math.max(highest, digits.isEmpty() ? 0 : Long.parseLong(digits));
            }
            SnapshotRequest request = new SnapshotRequest(
                    id,
                    name(),
                    0,
                    random.nextLong(1L << 32),
                    random.nextInt(1_000_000_000),
                    random.nextLong(Long.MAX_VALUE),
                    random.nextBoolean() ? OptionalLong.empty() : OptionalLong.of(random.nextLong(1L << 40)));
            SnapshotInfo expected = new SnapshotInfo(
                    id.isEmpty() ? Long.toString(highest + 1) : id,
                    request.name(),
                    0,
                    request.dateSeconds(),
                    request.dateNanos(),
                    request.vmClockNanos(),
                    request.instructionCount(),
                    backend.lengthBytes());
            assertEquals(expected, backend.snapshots().create(request));
            model.add(new Kept(expected, checksum(backend)));
        }

        private Kept any() {
            return model.get(random.nextInt(model.size()));
        }

        private void apply() throws BlockException {
            if (!model.isEmpty()) {
                Kept kept = any();
                backend.snapshots().apply(kept.info());
                assertEquals(kept.info().diskSizeBytes(), backend.lengthBytes());
                assertEquals(kept.checksum(), checksum(backend));
            }
        }

        private void delete() throws BlockException {
            if (!model.isEmpty()) {
                Kept kept = any();
                switch (random.nextInt(3)) {
                    case 0 -> backend.snapshots().delete(kept.info());
                    case 1 -> backend.snapshots().delete(kept.info().id(), null);
                    default -> {
                        kept = first(kept.info().name());
                        backend.snapshots().delete(null, kept.info().name());
                    }
                }
                model.remove(kept);
            }
        }

        private Kept first(String name) {
            return model.stream()
                    .filter(kept -> kept.info().name().equals(name))
                    .findFirst()
                    .orElseThrow();
        }

        private void rename() throws BlockException {
            if (!model.isEmpty()) {
                Kept kept = any();
                SnapshotInfo renamed = backend.snapshots().rename(kept.info(), name());
                assertEquals(kept.info().id(), renamed.id());
                model.set(model.indexOf(kept), new Kept(renamed, kept.checksum()));
            }
        }

        private void refuseDuplicateId() {
            if (!model.isEmpty()) {
                SnapshotRequest request = Disks.request(any().info().id(), "again", 0);
                BlockException e = assertThrows(
                        BlockException.class, () -> backend.snapshots().create(request));
                assertEquals(Kind.EXISTS, e.kind());
            }
        }

        private void find() throws BlockException {
            Snapshots snapshots = backend.snapshots();
            if (!model.isEmpty()) {
                SnapshotInfo info = any().info();
                assertEquals(info, snapshots.find(info.id(), info.name()).orElseThrow());
                assertEquals(info, snapshots.find(info.id(), null).orElseThrow());
                assertEquals(
                        first(info.name()).info(),
                        snapshots.findByName(info.name()).orElseThrow());
            }
            assertTrue(snapshots.findByIdOrName("none").isEmpty());
        }

        private void reopen() throws BlockException {
            backend.close();
            backend = disks.open("disk");
        }

        private void grow() throws BlockException {
            long bytes = backend.lengthBytes() + 512L * random.nextInt(8);
            if (bytes < 2 * Disks.SIZE) {
                backend.resize(bytes, Preallocation.OFF);
            }
        }

        private void write() throws BlockException {
            byte[] bytes = new byte[1 + random.nextInt(3 * CLUSTER)];
            random.nextBytes(bytes);
            backend.write(random.nextLong(backend.lengthBytes() - bytes.length), MemorySegment.ofArray(bytes));
        }

        private void contents() throws BlockException {
            for (Kept kept : model) {
                try (BlockBackend view = backend.snapshots().open(kept.info())) {
                    assertEquals(kept.checksum(), checksum(view), kept.info()::toString);
                }
            }
        }
    }

    @Property(tries = 4, shrinking = ShrinkingMode.OFF)
    void theTableIsAList(@ForAll long seed) throws Exception {
        try (Disks disks = new Disks()) {
            new Round(new Random(seed), disks).run();
        }
    }

    /** Thousands stay instant: a look-up does not walk the table. */
    @Test
    void namesAndIdsAreFoundWithoutAWalk() {
        List<SnapshotInfo> list = new ArrayList<>();
        for (int i = 0; i < 60_000; i++) {
            list.add(new SnapshotInfo(Integer.toString(i + 1), "name" + i, 0, 0, 0, 0, OptionalLong.empty(), 0));
        }
        // two with one id, as in an image that others made
        list.add(new SnapshotInfo("7", "seven", 0, 0, 0, 0, OptionalLong.empty(), 0));
        SnapshotIndex index = SnapshotIndex.of(list);
        long begin = System.nanoTime();
        for (int i = 0; i < 60_000; i++) {
            assertEquals(i, index.position(Integer.toString(i + 1), null));
            assertEquals(i, index.position(null, "name" + i));
            assertEquals(-1, index.position(Integer.toString(i + 1), "no"));
        }
        long millis = (System.nanoTime() - begin) / 1_000_000;
        // 180,000 walks over 60,000 entries would take far longer than a minute.
        assertTrue(millis < 10_000, millis + " ms");
        assertEquals(60_000, index.position("7", "seven"));
        assertEquals(60_000, index.highestNumericId());
        assertThrows(IllegalArgumentException.class, () -> index.position(null, null));
    }

    @Test
    void thousandsOnOneDisk() throws Exception {
        try (Disks disks = new Disks().create("disk")) {
            try (BlockBackend backend = disks.open("disk")) {
                for (int i = 0; i < 2000; i++) {
                    Disks.create(backend.snapshots(), "s" + i);
                }
            }
            try (BlockBackend backend = disks.open("disk")) {
                Snapshots snapshots = backend.snapshots();
                for (int i = 0; i < 2000; i++) {
                    assertEquals(
                            Integer.toString(i + 1),
                            snapshots.findByName("s" + i).orElseThrow().id());
                }
                Disks.requireSound(backend, false);
            }
        }
    }
}
