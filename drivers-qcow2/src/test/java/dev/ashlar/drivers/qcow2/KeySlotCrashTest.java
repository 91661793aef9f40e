package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.core.spi.KeySlotCapable;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.core.spi.ProtocolInstance;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.crash.CrashStates;
import dev.ashlar.testkit.crash.WriteLog;
import dev.ashlar.testkit.protocol.DirectFormat;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import dev.ashlar.testkit.protocol.RecordingProtocol;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

/**
 * A power cut at any point of a change of key slots: whoever could open the disk before and can afterwards always can, a passphrase that comes or goes works or does
 * not, some passphrase always works, and the disk is as it was. The secret of any id is the id. The seed by the property {@code ashlar.crash.seed}.
 */
class KeySlotCrashTest {
    private static final Qcow2Driver DRIVER = new Qcow2Driver();
    private static final long SEED = Long.getLong("ashlar.crash.seed", System.nanoTime() & 0xffff_ffffL);
    private static final int STATES = 40;
    private static final int SIZE = 256 << 10;
    private static final String FIRST = "key";

    private final MemoryFile file = MemoryFile.empty("disk");
    private final byte[] content = new byte[SIZE];

    private void create(int clusterBytes) throws BlockException {
        Map<String, String> options = new HashMap<>(ImageMachine.ENCRYPTION);
        options.put("cluster_size", Integer.toString(clusterBytes));
        ImageMachine.create(file, SIZE, options);
        new Random(SEED).nextBytes(content);
        try (DirectFormat disk = open(new MemoryProtocol(file), FIRST)) {
            disk.write(0, content);
        }
    }

    private static DirectFormat open(ProtocolInstance protocol, String passphrase, Flag... flags)
            throws BlockException {
        return DirectFormat.open(
                DRIVER, protocol, null, new SparseBytes(), Map.of("encrypt.key-secret", passphrase), flags);
    }

    private static Map<String, String> options(String... words) {
        Map<String, String> options = new HashMap<>();
        for (String word : words) {
            options.put("encrypt." + word.split("=")[0], word.split("=")[1]);
        }
        if ("active".equals(options.get("encrypt.state"))) {
            options.put("encrypt.iter-time", "0");
        }
        return options;
    }

    private static void change(DirectFormat disk, boolean force, String... words) throws BlockException {
        disk.format()
                .capability(KeySlotCapable.class)
                .orElseThrow()
                .changeKeySlots(options(words), force, id -> id.getBytes(StandardCharsets.UTF_8));
    }

    /** @return the passphrases among {@code candidates} that open the image */
    private Set<String> working(SparseBytes image, Set<String> candidates) throws BlockException {
        Set<String> found = new HashSet<>();
        for (String each : candidates) {
            try (DirectFormat disk =
                    open(new MemoryProtocol(MemoryFile.of("crashed", image.fork())), each, Flag.READ_ONLY)) {
                assertArrayEquals(content, disk.read(0, SIZE));
                assertEquals(0, disk.check(Repair.NONE).corruptions());
                found.add(each);
            } catch (BlockException e) {
                assertEquals("Invalid password, cannot unlock any keyslot", e.getMessage());
            }
        }
        return found;
    }

    private static long activeSlots(SparseBytes image) throws BlockException {
        try (DirectFormat disk = DirectFormat.open(
                DRIVER, new MemoryProtocol(MemoryFile.of("crashed", image.fork())), Flag.READ_ONLY, Flag.NO_IO)) {
            Map<?, ?> encryption = (Map<?, ?>) disk.format().info().specific().get("encrypt");
            return ((List<?>) encryption.get("slots"))
                    .stream()
                            .filter(slot -> Boolean.TRUE.equals(((Map<?, ?>) slot).get("active")))
                            .count();
        }
    }

    /** @param by the passphrase with which the disk is opened for it */
    private void crashed(String by, Set<String> before, Set<String> after, boolean force, String... words)
            throws Exception {
        SparseBytes initial = file.snapshot();
        WriteLog log = new WriteLog();
        try (DirectFormat disk = open(new RecordingProtocol(new MemoryProtocol(file), log), by)) {
            change(disk, force, words);
        }
        Set<String> candidates = new HashSet<>(before);
        candidates.addAll(after);
        assertEquals(after, working(file.snapshot(), candidates));
        Set<Set<String>> seen = new HashSet<>();
        CrashStates.forEachState(log, initial, SEED, STATES, state -> {
            Set<String> now = working(state.image(), candidates);
            Set<String> always = new HashSet<>(before);
            always.retainAll(after);
            assertTrue(now.containsAll(always), () -> now + " in " + state + ", -Dashlar.crash.seed=" + SEED);
            assertTrue(!now.isEmpty(), () -> "locked out in " + state + ", -Dashlar.crash.seed=" + SEED);
            // a slot that only seems to be in use would let its owner erase the last one that is
            assertTrue(
                    force || now.size() == activeSlots(state.image()),
                    () -> "a slot that nothing opens in " + state + ", -Dashlar.crash.seed=" + SEED);
            seen.add(now);
        });
        assertTrue(seen.contains(before) && seen.contains(after), "old and new are met: " + seen);
    }

    @Test
    void passphrasesComeAndGo() throws Exception {
        create(4096);
        crashed(FIRST, Set.of(FIRST), Set.of(FIRST, "b"), false, "state=active", "new-secret=b");
        // the fields of this slot lie in two sectors
        crashed("b", Set.of(FIRST, "b"), Set.of(FIRST, "b", "c"), false, "state=active", "new-secret=c", "keyslot=6");
        crashed("b", Set.of(FIRST, "b", "c"), Set.of("b", "c"), false, "state=inactive", "old-secret=" + FIRST);
        crashed("c", Set.of("b", "c"), Set.of("b"), false, "state=inactive", "keyslot=6");
    }

    @Test
    void aSlotInUseGetsAnotherPassphraseByForce() throws Exception {
        create(512);
        crashed(FIRST, Set.of(FIRST), Set.of("b"), true, "state=active", "new-secret=b", "keyslot=0");
    }
}
