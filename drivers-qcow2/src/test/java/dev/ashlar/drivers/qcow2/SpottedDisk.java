package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.protocol.DirectFormat;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;

/** A disk too large to be read as a whole: written in spots of a sector, which are what is compared, in snapshots too. */
final class SpottedDisk implements AutoCloseable {
    static final int SPOT_BYTES = 512;
    private static final Qcow2Driver DRIVER = new Qcow2Driver();

    final MemoryFile file;
    private DirectFormat image;
    private TreeMap<Long, Byte> live = new TreeMap<>();
    private final Map<String, TreeMap<Long, Byte>> snapshots = new LinkedHashMap<>();
    private final Map<String, Long> sizes = new LinkedHashMap<>();

    /** Makes an image. @param options with the size */
    SpottedDisk(MemoryFile file, Map<String, String> options) throws BlockException {
        this.file = file;
        MemoryProtocol protocol = new MemoryProtocol(file);
        DirectFormat.create(DRIVER, protocol, options);
        protocol.close();
        this.image = open();
    }

    private DirectFormat open() throws BlockException {
        return DirectFormat.open(DRIVER, new MemoryProtocol(file));
    }

    DirectFormat image() {
        return image;
    }

    void reopen() throws BlockException {
        image.close();
        image = open();
    }

    /** Lets the file be changed by others. */
    void whileClosed(Runnable change) throws BlockException {
        image.close();
        change.run();
        image = open();
    }

    void write(long offset, int value) throws BlockException {
        byte[] bytes = new byte[SPOT_BYTES];
        Arrays.fill(bytes, (byte) value);
        image.write(offset, bytes);
        live.put(offset, (byte) value);
    }

    void resize(long lengthBytes) throws BlockException {
        image.resize(lengthBytes);
    }

    void snapshot(String name) throws BlockException {
        image.createSnapshot(name);
        snapshots.put(name, new TreeMap<>(live));
        sizes.put(name, image.lengthBytes());
    }

    void apply(String name) throws BlockException {
        image.applySnapshot(name);
        live = new TreeMap<>(snapshots.get(name));
        assertEquals(sizes.get(name), image.lengthBytes(), name);
    }

    void delete(String name) throws BlockException {
        image.deleteSnapshot(name);
        snapshots.remove(name);
        sizes.remove(name);
    }

    /** All spots of all layers. */
    void requireEqual() throws BlockException {
        for (Map.Entry<Long, Byte> spot : live.entrySet()) {
            requireSpot("live disk", spot, image.read(spot.getKey(), SPOT_BYTES));
        }
        assertEquals(
                snapshots.keySet().stream().toList(),
                image.snapshots().snapshots().stream().map(SnapshotInfo::name).toList());
        for (Map.Entry<String, TreeMap<Long, Byte>> snapshot : snapshots.entrySet()) {
            SnapshotInfo info = image.snapshot(snapshot.getKey());
            assertEquals(sizes.get(info.name()), info.diskSizeBytes());
            for (Map.Entry<Long, Byte> spot : snapshot.getValue().entrySet()) {
                requireSpot(info.name(), spot, image.read(info, spot.getKey(), SPOT_BYTES));
            }
        }
    }

    private static void requireSpot(String layer, Map.Entry<Long, Byte> spot, byte[] found) {
        byte[] expected = new byte[SPOT_BYTES];
        Arrays.fill(expected, spot.getValue());
        assertArrayEquals(expected, found, () -> layer + " at " + spot.getKey());
    }

    CheckReport check() throws BlockException {
        return image.check(Repair.NONE);
    }

    void requireClean() throws BlockException {
        CheckReport report = check();
        assertEquals(0, report.corruptions() + report.checkErrors() + report.leaks(), report::toString);
    }

    /** Everything that the file means, by code of its own: what refers to each cluster and how often that is counted. */
    Qcow2Picture picture() {
        return new Qcow2Picture(content());
    }

    SparseBytes content() {
        return file.snapshot();
    }

    @Override
    public void close() throws BlockException {
        image.close();
    }
}
