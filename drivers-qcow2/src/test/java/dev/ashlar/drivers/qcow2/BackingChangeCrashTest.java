package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.BackingChangeable;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable;
import dev.ashlar.core.spi.Emptiable;
import dev.ashlar.core.spi.ImageReference;
import dev.ashlar.core.spi.ProtocolInstance;
import dev.ashlar.drivers.qcow2.format.Qcow2Header;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.crash.CrashStates;
import dev.ashlar.testkit.crash.WriteLog;
import dev.ashlar.testkit.protocol.DirectFormat;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import dev.ashlar.testkit.protocol.RecordingProtocol;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A power cut while an image gets another backing file or is emptied leaves the one or the other, never a mixture (rules R7, R8). */
class BackingChangeCrashTest {
    private static final Qcow2Driver DRIVER = new Qcow2Driver();
    private static final int SIZE = 1 << 18;
    private static final int STATES = 60;
    private static final long SEED = Long.getLong("ashlar.crash.seed", System.nanoTime() & 0xffff_ffffL);

    private static ImageReference reference(int length, String format) {
        return new ImageReference("n".repeat(length - 1) + length % 10, format);
    }

    @ParameterizedTest
    @ValueSource(ints = {512, 1024, 2048, 4096, 65536})
    void namesAreOldOrNew(int clusterBytes) throws Exception {
        List<ImageReference> names = new ArrayList<>();
        names.add(reference(5, "raw"));
        names.add(reference(clusterBytes == 512 ? 60 : 200, "qcow2"));
        if (clusterBytes >= 4096) {
            names.add(reference(1023, "host_device"));
            names.add(reference(1000, "raw"));
        }
        names.add(null);
        names.add(reference(11, "host_device"));
        names.add(reference(300 * clusterBytes / 65536 + 7, "raw"));
        MemoryFile file = MemoryFile.empty("disk");
        DirectFormat.create(
                DRIVER,
                new MemoryProtocol(file),
                Map.of("size", Integer.toString(SIZE), "cluster_size", Integer.toString(clusterBytes)));
        ImageReference before = null;
        for (ImageReference after : names) {
            SparseBytes initial = file.snapshot();
            WriteLog log = new WriteLog();
            try (DirectFormat image = DirectFormat.open(DRIVER, new RecordingProtocol(new MemoryProtocol(file), log))) {
                image.format().capability(BackingChangeable.class).orElseThrow().changeBacking(after);
            }
            assertEquals(after, backingOf(file.snapshot()));
            Set<ImageReference> seen = new HashSet<>();
            ImageReference former = before;
            CrashStates.forEachState(log, initial, SEED, STATES, state -> {
                ImageReference found = backingOf(state.image());
                assertTrue(
                        java.util.Objects.equals(found, former) || java.util.Objects.equals(found, after),
                        found + " in " + state + ", seed " + SEED);
                seen.add(found);
            });
            assertTrue(seen.contains(after) && seen.contains(former), "both are met: " + seen);
            before = after;
        }
    }

    private static ImageReference backingOf(SparseBytes image) throws BlockException {
        try (DirectFormat format =
                DirectFormat.open(DRIVER, new MemoryProtocol(MemoryFile.of("crashed", image.fork())))) {
            return format.format().backing().orElse(null);
        }
    }

    /** What the header says of the data file, and of the backing file. */
    private record Names(
            @Nullable String dataFile,
            boolean raw,
            @Nullable ImageReference backing) {}

    /** The name of the data file, and whether it alone is the disk, change together. */
    @ParameterizedTest
    @ValueSource(ints = {512, 1024, 2048, 4096, 65536})
    void namesOfDataFilesAreOldOrNew(int clusterBytes) throws Exception {
        for (boolean backed : new boolean[] {false, true}) {
            MemoryFile file = MemoryFile.empty("disk");
            MemoryFile data = MemoryFile.empty("data");
            Map<String, String> options = new HashMap<>(Map.of(
                    "size", "" + SIZE, "cluster_size", "" + clusterBytes, "data_file", "first", "data_file_raw", "on"));
            if (backed) {
                options.put("data_file_raw", "off");
                options.put("backing_file", "b".repeat(clusterBytes <= 1024 ? 20 : 300));
                options.put("backing_fmt", "raw");
            }
            DirectFormat.create(DRIVER, new MemoryProtocol(file), new MemoryProtocol(data), options);
            List<Integer> lengths = new ArrayList<>(List.of(40, 7, 0, clusterBytes <= 1024 ? 90 : 250, 8));
            if (clusterBytes >= 4096) {
                lengths.addAll(List.of(300, 11));
            }
            Names before = namesOf(file.snapshot());
            for (int length : lengths) {
                String name = "n".repeat(length);
                boolean raw = before.raw() && length != 0;
                SparseBytes initial = file.snapshot();
                WriteLog log = new WriteLog();
                try (DirectFormat image =
                        openWithData(new RecordingProtocol(new MemoryProtocol(file), log), new MemoryProtocol(data))) {
                    image.amend(Map.of("data_file", name, "data_file_raw", raw ? "on" : "off"));
                }
                Names former = before;
                Names after = new Names(name.isEmpty() ? null : name, raw, former.backing());
                assertEquals(after, namesOf(file.snapshot()));
                Set<Names> seen = new HashSet<>();
                CrashStates.forEachState(log, initial, SEED, STATES, state -> {
                    Names found = namesOf(state.image());
                    assertTrue(found.equals(former) || found.equals(after), found + " in " + state + ", seed " + SEED);
                    seen.add(found);
                });
                assertEquals(Set.of(former, after), seen, "both are met");
                before = after;
            }
            try (DirectFormat image = openWithData(new MemoryProtocol(file), new MemoryProtocol(data))) {
                CheckReport report = image.check(Checkable.Repair.NONE);
                assertEquals(0, report.corruptions() + report.leaks(), report.toString());
            }
        }
    }

    private static Names namesOf(SparseBytes image) throws BlockException {
        MemorySegment head = MemorySegment.ofArray(image.read(0, (int) Math.min(65536, image.lengthBytes())));
        Qcow2Header header = Qcow2Header.parse(head, image.lengthBytes(), false);
        String backing = header.backingFile();
        return new Names(
                header.dataFileName(),
                header.dataFileIsRaw(),
                backing == null ? null : new ImageReference(backing, header.backingFormat()));
    }

    /** Whatever the image calls its data file. */
    private static DirectFormat openWithData(ProtocolInstance protocol, ProtocolInstance data) throws BlockException {
        return DirectFormat.open(DRIVER, protocol, data, new SparseBytes(), Map.of());
    }

    @ParameterizedTest
    @ValueSource(ints = {512, 65536})
    void anImageIsFullOrEmpty(int clusterBytes) throws Exception {
        MemoryFile file = MemoryFile.empty("disk");
        DirectFormat.create(
                DRIVER,
                new MemoryProtocol(file),
                Map.of("size", Integer.toString(SIZE), "cluster_size", Integer.toString(clusterBytes)));
        byte[] content = new byte[SIZE];
        java.util.Arrays.fill(content, (byte) 7);
        try (DirectFormat image = DirectFormat.open(DRIVER, new MemoryProtocol(file))) {
            image.write(0, content);
        }
        SparseBytes initial = file.snapshot();
        WriteLog log = new WriteLog();
        try (DirectFormat image = DirectFormat.open(DRIVER, new RecordingProtocol(new MemoryProtocol(file), log))) {
            image.format().capability(Emptiable.class).orElseThrow().makeEmpty();
        }
        Set<Byte> seen = new HashSet<>();
        CrashStates.forEachState(log, initial, SEED, STATES, state -> seen.add(soleValue(state.image())));
        assertEquals(Set.of((byte) 0, (byte) 7), seen, "seed " + SEED);
        try (DirectFormat image = DirectFormat.open(DRIVER, new MemoryProtocol(file))) {
            CheckReport report = image.check(Checkable.Repair.NONE);
            assertEquals(0, report.corruptions() + report.leaks(), report.toString());
        }
    }

    private static byte soleValue(SparseBytes bytes) throws BlockException {
        try (DirectFormat image =
                DirectFormat.open(DRIVER, new MemoryProtocol(MemoryFile.of("crashed", bytes.fork())))) {
            CrashInspection.requireLeaksAtWorst(image.check(Checkable.Repair.NONE));
            byte[] content = image.read(0, SIZE);

            for (byte b : content) {
                assertEquals(content[0], b, "a mixture, seed " + SEED);
            }
            return content[0];
        }
    }
}
