package dev.ashlar.drivers.qcow2.crypt;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Key slots of a volume in memory. Of the secrets, each is called as it is. */
class KeySlotsTest {
    private static final String FIRST = "first";

    /** Fails from the n-th write or flush on. */
    private static final class Medium implements CryptStorage {
        private final byte[] bytes;
        private int callsLeft = Integer.MAX_VALUE;

        Medium(byte[] bytes) {
            this.bytes = bytes;
        }

        @Override
        public void read(long at, MemorySegment destination) {
            MemorySegment.copy(MemorySegment.ofArray(bytes), at, destination, 0, destination.byteSize());
        }

        @Override
        public void write(long at, MemorySegment source) throws BlockException {
            flush();
            MemorySegment.copy(source, 0, MemorySegment.ofArray(bytes), at, source.byteSize());
        }

        @Override
        public void flush() throws BlockException {
            if (callsLeft-- <= 0) {
                throw new BlockException(Kind.IO, "injected");
            }
        }
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static Medium formatted() throws BlockException {
        CipherSpec spec = CipherSpec.parse("aes", "xts-plain64", 32);
        Medium medium = new Medium(new byte[(int) LuksVolume.headerBytes(spec)]);
        LuksVolume.format(medium, spec, Digests.SHA256, bytes(FIRST), 0);
        return medium;
    }

    private static LuksVolume open(Medium medium) throws BlockException {
        return LuksVolume.open(medium, medium.bytes.length);
    }

    private static void change(LuksVolume volume, String... options) throws BlockException {
        change(volume, false, options);
    }

    private static void change(LuksVolume volume, boolean force, String... options) throws BlockException {
        Map<String, String> map = new HashMap<>();
        for (String option : options) {
            map.put("encrypt." + option.split("=")[0], option.split("=")[1]);
        }
        if ("active".equals(map.get("encrypt.state"))) {
            map.put("encrypt.iter-time", "0");
        }
        KeySlotChange change = KeySlotChange.parse(map, force);
        assertTrue(change != null);
        change.apply(volume, volume.unlock(bytes(FIRST)), KeySlotsTest::bytes);
    }

    private static boolean opens(Medium medium, String passphrase) throws BlockException {
        return !open(medium).slotsOf(bytes(passphrase)).isEmpty();
    }

    @Test
    void anyPassphraseOpensUntilItIsErased() throws BlockException {
        Medium medium = formatted();
        byte[] key = open(medium).unlock(bytes(FIRST));
        change(open(medium), "state=active", "new-secret=second");
        change(open(medium), "state=active", "new-secret=third", "keyslot=7");
        assertArrayEquals(key, open(medium).unlock(bytes("second")));
        assertArrayEquals(key, open(medium).unlock(bytes("third")));
        assertEquals(List.of(7), open(medium).slotsOf(bytes("third")));
        change(open(medium), "state=inactive", "old-secret=second");
        change(open(medium), "state=inactive", "keyslot=7");
        assertFalse(opens(medium, "second"));
        assertFalse(opens(medium, "third"));
        assertArrayEquals(key, open(medium).unlock(bytes(FIRST)));
        BlockException refused =
                assertThrows(BlockException.class, () -> open(medium).unlock(bytes("second")));
        assertEquals("Invalid password, cannot unlock any keyslot", refused.getMessage());
    }

    /** Ten seconds of a fast machine's time are 50 million iterations: whoever wants that gets it, here and from the real program. */
    @Test
    void slowKeysAreRead() throws BlockException {
        Medium medium = formatted();
        ByteBuffer.wrap(medium.bytes).putInt(208 + 4, 50_000_000);
        assertEquals(1, open(medium).activeSlots());
    }

    @Test
    void aTimeThatNoReaderWouldWaitIsRefused() throws BlockException {
        CipherSpec spec = CipherSpec.parse("aes", "xts-plain64", 32);
        Medium medium = new Medium(new byte[(int) LuksVolume.headerBytes(spec)]);
        BlockException refused = assertThrows(
                BlockException.class,
                () -> LuksVolume.format(medium, spec, Digests.SHA256, bytes(FIRST), Integer.MAX_VALUE));
        assertTrue(refused.getMessage().startsWith("Parameter 'encrypt.iter-time' asks for"), refused.getMessage());
        assertArrayEquals(new byte[medium.bytes.length], medium.bytes, "nothing is written");
    }

    @Test
    void theLastSlotIsKept() throws BlockException {
        Medium medium = formatted();
        for (String[] words :
                new String[][] {{"state=inactive", "keyslot=0"}, {"state=inactive", "old-secret=first"}}) {
            BlockException refused = assertThrows(BlockException.class, () -> change(open(medium), words));
            assertTrue(refused.getMessage().endsWith("refusing operation"), refused.getMessage());
        }
        assertTrue(opens(medium, FIRST));
    }

    @Test
    void byForceTheLastSlotGoesAndOneInUseIsFilled() throws BlockException {
        Medium medium = formatted();
        byte[] key = open(medium).unlock(bytes(FIRST));
        change(open(medium), true, "state=active", "new-secret=second", "keyslot=0");
        assertFalse(opens(medium, FIRST));
        assertArrayEquals(key, open(medium).unlock(bytes("second")));
        assertEquals(1, open(medium).activeSlots());
        LuksVolume volume = open(medium);
        KeySlotChange erase =
                KeySlotChange.parse(Map.of("encrypt.state", "inactive", "encrypt.old-secret", "second"), true);
        assertTrue(erase != null);
        erase.apply(volume, key, KeySlotsTest::bytes);
        assertEquals(0, open(medium).activeSlots());
        assertFalse(opens(medium, "second"));
    }

    @Test
    void allSlotsCanBeFilledButNoneTwice() throws BlockException {
        Medium medium = formatted();
        for (int i = 1; i < LuksHeader.SLOTS; i++) {
            change(open(medium), "state=active", "new-secret=s" + i);
        }
        for (int i = 1; i < LuksHeader.SLOTS; i++) {
            assertEquals(List.of(i), open(medium).slotsOf(bytes("s" + i)));
        }
        assertEquals(
                "Can't add a keyslot - all keyslots are in use",
                assertThrows(BlockException.class, () -> change(open(medium), "state=active", "new-secret=more"))
                        .getMessage());
        assertEquals(
                "Refusing to overwrite active keyslot 3 - please erase it first",
                assertThrows(
                                BlockException.class,
                                () -> change(open(medium), "state=active", "new-secret=more", "keyslot=3"))
                        .getMessage());
    }

    /** Whatever write is the last one: who could open the volume before still can, and the slot is whole or has no effect. */
    @Test
    void aChangeThatIsCutShortLocksNobodyOut() throws BlockException {
        for (int calls = 0; ; calls++) {
            Medium medium = formatted();
            change(open(medium), "state=active", "new-secret=second", "keyslot=6");
            LuksVolume volume = open(medium);
            medium.callsLeft = calls;
            boolean completed = true;
            try {
                change(volume, "state=active", "new-secret=third", "keyslot=5");
                change(volume, "state=inactive", "keyslot=6");
            } catch (BlockException e) {
                assertEquals("injected", e.getMessage());
                completed = false;
            }
            assertTrue(opens(medium, FIRST), "after " + calls + " calls");
            if (completed) {
                assertTrue(opens(medium, "third"));
                assertFalse(opens(medium, "second"));
                assertTrue(calls > 8, "only " + calls + " calls");
                return;
            }
        }
    }
}
