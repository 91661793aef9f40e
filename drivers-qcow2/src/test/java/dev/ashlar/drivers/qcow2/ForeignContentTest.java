package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.spi.KeySlotCapable;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.protocol.DirectFormat;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Whatever changes an image, what other programs keep in it stays: unknown header extensions, their names of features, unknown extra data of snapshots. Each of {@link
 * EveryChange} on images of {@code ashlar.foreign.rounds} seeds, from {@code ashlar.foreign.seed} on.
 */
class ForeignContentTest {
    private static final int ROUNDS = Integer.getInteger("ashlar.foreign.rounds", 1);
    private static final long FIRST_SEED = Long.getLong("ashlar.foreign.seed", 1);

    static List<Change> changes() {
        return EveryChange.all();
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("changes")
    void staysWhateverChanges(Change change) throws Exception {
        Change planted = new Change(
                change.name(),
                change.needs(),
                change.prepared(),
                (image, random) -> {
                    ForeignContent.plant(image);
                    change.damage().inflict(image, random);
                },
                change.deed(),
                (image, shape) -> ForeignContent.in(image),
                change.kind());
        for (long seed = FIRST_SEED; seed < FIRST_SEED + ROUNDS; seed++) {
            ChangeRecording recording = ChangeRecording.of(planted, seed, new Qcow2Driver());
            requireKept(
                    recording.oldFacts(),
                    recording.newFacts(),
                    change + ", -Dashlar.foreign.seed=" + seed + ", " + recording.shape());
        }
    }

    private static void requireKept(Map<String, String> old, Map<String, String> now, String when) {
        assertTrue(old.containsKey(ForeignContent.UNKNOWN_EXTENSION), when);
        assertEquals(old.get(ForeignContent.UNKNOWN_EXTENSION), now.get(ForeignContent.UNKNOWN_EXTENSION), when);
        if (old.get("version").equals(now.get("version"))) {
            // a header of another version has names of its own, or none
            assertEquals(old.get(ForeignContent.FEATURE_NAMES), now.get(ForeignContent.FEATURE_NAMES), when);
        }
        for (Map.Entry<String, String> each : old.entrySet()) {
            if (each.getKey().startsWith("snapshot ") && now.containsKey(each.getKey())) {
                assertEquals(each.getValue(), now.get(each.getKey()), () -> when + ", " + each.getKey());
            }
        }
    }

    @Test
    void staysWhenKeySlotsChange() throws Exception {
        MemoryFile file = MemoryFile.empty("disk");
        Map<String, String> options = new HashMap<>(ImageMachine.ENCRYPTION);
        options.put("cluster_size", "512");
        ImageMachine.create(file, 64 << 10, options);
        try (DirectFormat disk = open(file)) {
            disk.write(0, new byte[] {1, 2, 3});
            disk.createSnapshot("one");
        }
        ForeignContent.plant(new RawImage(file));
        Map<String, String> before = ForeignContent.in(file.snapshot());
        assertTrue(before.toString().contains(hex("extra0")), before::toString);
        for (Map<String, String> change : List.of(
                Map.of("encrypt.state", "active", "encrypt.new-secret", "second", "encrypt.iter-time", "0"),
                Map.of("encrypt.state", "inactive", "encrypt.old-secret", "second"))) {
            try (DirectFormat disk = open(file)) {
                disk.format()
                        .capability(KeySlotCapable.class)
                        .orElseThrow()
                        .changeKeySlots(change, false, id -> id.getBytes(StandardCharsets.UTF_8));
            }
            assertEquals(before, ForeignContent.in(file.snapshot()), change::toString);
        }
    }

    private static String hex(String text) {
        return java.util.HexFormat.of().formatHex(text.getBytes(StandardCharsets.US_ASCII));
    }

    private static DirectFormat open(MemoryFile file) throws Exception {
        return DirectFormat.open(
                new Qcow2Driver(), new MemoryProtocol(file), null, new SparseBytes(), ImageMachine.OPEN_OPTIONS);
    }
}
