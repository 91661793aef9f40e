package dev.ashlar.cli.interop;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.bitmap.DirtyBitmap;
import dev.ashlar.core.bitmap.NodeBitmaps;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.testkit.host.ScratchDir;
import dev.ashlar.testkit.qemu.QemuTools;
import dev.ashlar.testkit.qemu.RequiresQemu;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Bitmaps of images that go back and forth between Ashlar and the real programs, against a model: whoever writes, adds, merges, clears or removes, the other one finds the
 * same bits afterwards, and both checks find nothing. What QEMU reads shows in what it merges from one granularity into another. Turns by the property {@code
 * ashlar.interop.turns}, seed by {@code ashlar.interop.seed}.
 */
@RequiresQemu
class BitmapsBackAndForthTest {
    private static final int TURNS = Integer.getInteger("ashlar.interop.turns", 4);
    private static final long SEED = Long.getLong("ashlar.interop.seed", 1_000_000);
    private static final int STEPS = 6;

    /** What a bitmap must hold. */
    private static final class Model {
        final long granularity;
        final BitSet bits = new BitSet();
        boolean enabled = true;

        Model(long granularity) {
            this.granularity = granularity;
        }

        void set(long from, long to) {
            bits.set((int) (from / granularity), (int) ((to - 1) / granularity) + 1);
        }

        void merge(Model other, long size) {
            BitSet from = (BitSet) other.bits.clone();
            for (int bit = from.nextSetBit(0); bit >= 0; bit = from.nextSetBit(bit + 1)) {
                set(bit * other.granularity, Math.min(size, (bit + 1) * other.granularity));
            }
        }
    }

    private final Map<String, Model> models = new TreeMap<>();
    private long size;
    private int names;

    @ParameterizedTest(name = "clusters of {0}")
    @ValueSource(ints = {512, 4096, 65536})
    void bitsAreTheSameForBoth(int clusterBytes, @ScratchDir Path directory) throws Exception {
        Path image = directory.resolve("disk.qcow2");
        size = (8 << 20) + 512 * 7;
        QemuTools.create(image, size, "cluster_size=" + clusterBytes);
        Random random = new Random(SEED + clusterBytes);
        try {
            for (int turn = 0; turn < TURNS; turn++) {
                if (turn % 2 == 0) {
                    for (int i = 0; i < STEPS; i++) {
                        qemuStep(image, random);
                    }
                } else {
                    try (AshlarDisk disk = AshlarDisk.readWrite(image, clusterBytes >= 4096)) {
                        for (int i = 0; i < 2 * STEPS; i++) {
                            ashlarStep(disk.backend(), random);
                        }
                    }
                }
                QemuTools.requireClean(image);
                compare(image);
            }
        } catch (Exception | AssertionError e) {
            throw new AssertionError("-Dashlar.interop.seed=" + SEED + ": " + e.getMessage(), e);
        }
    }

    private String chosen(Random random) {
        List<String> all = new ArrayList<>(models.keySet());
        return all.isEmpty() ? "" : all.get(random.nextInt(all.size()));
    }

    private static void bitmap(Path image, String... words) {
        List<String> all = new ArrayList<>(List.of("bitmap", "-f", "qcow2"));
        all.addAll(List.of(words));
        all.add(all.size() - 1, image.toString());
        QemuTools.img(all.toArray(new String[0])).orFail();
    }

    private void qemuStep(Path image, Random random) {
        String name = chosen(random);
        switch (name.isEmpty() ? 0 : random.nextInt(7)) {
            case 0 -> {
                String fresh = "q" + names++;
                long granularity = 512L << random.nextInt(9);
                bitmap(image, "--add", "-g", Long.toString(granularity), fresh);
                models.put(fresh, new Model(granularity));
            }
            case 1 -> {
                String other = chosen(random);
                bitmap(image, "--merge", other, name);
                models.get(name).merge(models.get(other), size);
            }
            case 2 -> {
                Model model = models.get(name);
                bitmap(image, model.enabled ? "--disable" : "--enable", name);
                model.enabled = !model.enabled;
            }
            case 3 -> {
                if (models.size() > 2) {
                    bitmap(image, "--remove", name);
                    models.remove(name);
                }
            }
            case 4 -> {
                size += 512L * random.nextInt(3000);
                QemuTools.img("resize", "-f", "qcow2", image.toString(), Long.toString(size))
                        .orFail();
            }
            default -> {
                long from = random.nextLong(size / 512) * 512;
                long length = Math.min(size - from, 512L * (1 + random.nextInt(200)));
                QemuTools.io(image, "write -P " + random.nextInt(256) + " " + from + " " + length);
                written(from, from + length);
            }
        }
    }

    private void written(long from, long to) {
        for (Model model : models.values()) {
            if (model.enabled) {
                model.set(from, to);
            }
        }
    }

    private void ashlarStep(BlockBackend backend, Random random) throws BlockException {
        NodeBitmaps bitmaps = backend.root().bitmaps();
        String name = chosen(random);
        switch (name.isEmpty() ? 0 : random.nextInt(9)) {
            case 0 -> {
                String fresh = "a" + names++;
                long granularity = 512L << random.nextInt(9);
                bitmaps.createPersistent(fresh, granularity);
                models.put(fresh, new Model(granularity));
            }
            case 1 -> {
                String other = chosen(random);
                bitmaps.require(name).merge(List.of(bitmaps.require(other)));
                models.get(name).merge(models.get(other), size);
            }
            case 2 -> {
                bitmaps.require(name).clear();
                models.get(name).bits.clear();
            }
            case 3 -> {
                if (models.size() > 2) {
                    bitmaps.remove(bitmaps.require(name));
                    models.remove(name);
                }
            }
            case 4 -> {
                size += 512L * random.nextInt(3000);
                backend.resize(size, Preallocation.OFF);
            }
            default -> {
                long from = random.nextLong(size);
                long length = Math.min(size - from, 1 + random.nextInt(100_000));
                backend.write(from, MemorySegment.ofArray(new byte[(int) length]));
                written(from, from + length);
            }
        }
    }

    private void compare(Path image) throws BlockException {
        try (AshlarDisk disk = AshlarDisk.readWrite(image, false)) {
            BlockBackend backend = disk.backend();
            CheckReport report = backend.check(Repair.NONE, line -> {});
            assertEquals(0, report.corruptions() + report.leaks() + report.checkErrors(), "check: " + report);
            Map<String, DirtyBitmap> found = new LinkedHashMap<>();
            for (DirtyBitmap bitmap : backend.root().bitmaps().list()) {
                found.put(String.valueOf(bitmap.name()), bitmap);
            }
            assertEquals(models.keySet(), new TreeMap<>(found).keySet());
            for (Map.Entry<String, Model> entry : models.entrySet()) {
                Model model = entry.getValue();
                DirtyBitmap bitmap = found.get(entry.getKey());
                assertTrue(!bitmap.isInconsistent() && bitmap.isEnabled() == model.enabled, bitmap.toString());
                assertEquals(model.granularity, bitmap.granularityBytes());
                BitSet bits = new BitSet();
                for (long at = 0; at < size; at += model.granularity) {
                    bits.set((int) (at / model.granularity), bitmap.isDirty(at));
                }
                assertEquals(model.bits, bits, entry.getKey());
            }
        }
    }
}
