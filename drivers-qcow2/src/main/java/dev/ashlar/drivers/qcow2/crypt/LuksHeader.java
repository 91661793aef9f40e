package dev.ashlar.drivers.qcow2.crypt;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.drivers.qcow2.format.Bits;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The header of a LUKS1 volume, validated. Numbers are big-endian.
 *
 * <pre>
 *    0 magic "LUKS\xba\xbe"      6 version (2)           8 cipher name (32)    40 cipher mode (32)
 *   72 hash (32)               104 payload offset      108 key bytes         112 digest of the key (20)
 *  132 its salt (32)           164 its iterations      168 uuid (40)         208 eight slots of 48:
 *    0 active                    4 iterations            8 salt (32)          40 key material offset   44 stripes
 * </pre>
 *
 * Offsets on disk count sectors of 512 bytes; here they are bytes from the start of the header. Source: LUKS on-disk format 1.2.3.
 */
@SuppressWarnings("ArrayRecordComponent")
record LuksHeader(
        CipherSpec cipher,
        Digests hash,
        long payloadOffset,
        byte[] keyDigest,
        byte[] keyDigestSalt,
        long keyDigestIterations,
        String uuid,
        List<Slot> slots) {
    static final int BYTES = 592;
    static final int SLOTS = 8;
    static final int STRIPES = 4000;
    static final int SALT_BYTES = 32;
    static final int DIGEST_BYTES = 20;
    /** Where a header that is made here has its first key material, and the unit of all. */
    static final int ALIGNMENT_BYTES = 4096;

    static final int ACTIVE = 0x00AC71F3;
    static final int INACTIVE = 0x0000DEAD;

    private static final byte[] MAGIC = {'L', 'U', 'K', 'S', (byte) 0xba, (byte) 0xbe};
    private static final int SLOTS_AT = 208;
    private static final int SLOT_BYTES = 48;
    private static final int SECTOR_BYTES = SectorCipher.SECTOR_BYTES;
    /** Two minutes on a fast machine, sixty times what is asked for by default; a header may not claim an hour of work. */
    static final long MAX_ITERATIONS = 1L << 29;

    /**
     * A place for one passphrase.
     *
     * @param keyOffset of the key material, in bytes
     */
    record Slot(boolean active, long iterations, byte[] salt, long keyOffset) {}

    LuksHeader {
        slots = List.copyOf(slots);
    }

    /** Offset of a slot's fields in the header. */
    static int slotAt(int number) {
        return SLOTS_AT + number * SLOT_BYTES;
    }

    /** Bytes of a slot's key material on disk. */
    static long materialBytes(int keyBytes) {
        return (long) keyBytes * STRIPES;
    }

    /** Sectors of it, as bytes: the last one is filled up. */
    static int materialSectorBytes(int keyBytes) {
        return (int) ((materialBytes(keyBytes) + SECTOR_BYTES - 1) / SECTOR_BYTES * SECTOR_BYTES);
    }

    /** @param spaceBytes that the header and its key material may fill */
    static LuksHeader parse(MemorySegment bytes, long spaceBytes) throws BlockException {
        if (bytes.byteSize() < BYTES || spaceBytes < BYTES) {
            throw corrupt("LUKS header is too short");
        }
        if (!Arrays.equals(bytes.asSlice(0, MAGIC.length).toArray(ValueLayout.JAVA_BYTE), MAGIC)) {
            throw corrupt("Volume is not in LUKS format");
        }
        int version = Bits.u16(bytes, 6);
        if (version != 1) {
            throw new BlockException(Kind.UNSUPPORTED, "LUKS version " + version + " is not supported");
        }
        CipherSpec cipher = CipherSpec.parse(text(bytes, 8, 32), text(bytes, 40, 32), Bits.u32(bytes, 108));
        List<Slot> slots = new ArrayList<>(SLOTS);
        for (int i = 0; i < SLOTS; i++) {
            slots.add(slot(bytes, i, materialSectorBytes(cipher.keyBytes()), spaceBytes));
        }
        requireApart(slots, materialSectorBytes(cipher.keyBytes()));
        return new LuksHeader(
                cipher,
                Digests.named(text(bytes, 72, 32)),
                Bits.u32(bytes, 104) * SECTOR_BYTES,
                bytes.asSlice(112, DIGEST_BYTES).toArray(ValueLayout.JAVA_BYTE),
                bytes.asSlice(132, SALT_BYTES).toArray(ValueLayout.JAVA_BYTE),
                iterations(Bits.u32(bytes, 164), "key digest"),
                text(bytes, 168, 40),
                slots);
    }

    private static Slot slot(MemorySegment bytes, int number, long materialBytes, long spaceBytes)
            throws BlockException {
        MemorySegment slot = bytes.asSlice(slotAt(number), SLOT_BYTES);
        String name = "LUKS keyslot " + number;
        int state = (int) Bits.u32(slot, 0);
        if (state != ACTIVE && state != INACTIVE) {
            throw corrupt(name + " state is neither active nor inactive");
        }
        if (Bits.u32(slot, 44) != STRIPES) {
            throw corrupt(name + " is corrupted (stripes " + Bits.u32(slot, 44) + " != " + STRIPES + ")");
        }
        long keyOffset = Bits.u32(slot, 40) * SECTOR_BYTES;
        if (keyOffset < (BYTES + SECTOR_BYTES - 1) / SECTOR_BYTES * SECTOR_BYTES
                || keyOffset > spaceBytes - materialBytes) {
            throw corrupt(name + " key material lies outside of the header");
        }
        boolean active = state == ACTIVE;
        long iterations = Bits.u32(slot, 4);
        return new Slot(
                active,
                active ? iterations(iterations, name) : iterations,
                slot.asSlice(8, SALT_BYTES).toArray(ValueLayout.JAVA_BYTE),
                keyOffset);
    }

    private static long iterations(long count, String name) throws BlockException {
        if (count == 0) {
            throw corrupt(name + " iteration count is zero");
        }
        if (count > MAX_ITERATIONS) {
            throw corrupt(name + " iteration count " + count + " is larger than " + MAX_ITERATIONS);
        }
        return count;
    }

    private static void requireApart(List<Slot> slots, long materialBytes) throws BlockException {
        for (int i = 0; i < slots.size(); i++) {
            for (int j = 0; j < i; j++) {
                if (Math.abs(slots.get(i).keyOffset - slots.get(j).keyOffset) < materialBytes) {
                    throw corrupt("LUKS keyslots " + j + " and " + i + " are overlapping in the header");
                }
            }
        }
    }

    /** All fields; key material is not part of it. */
    byte[] encode() {
        byte[] bytes = new byte[BYTES];
        MemorySegment header = MemorySegment.ofArray(bytes);
        System.arraycopy(MAGIC, 0, bytes, 0, MAGIC.length);
        bytes[7] = 1;
        putText(bytes, 8, "aes");
        putText(bytes, 40, cipher.luksMode());
        putText(bytes, 72, hash.luksName());
        Bits.putU32(header, 104, payloadOffset / SECTOR_BYTES);
        Bits.putU32(header, 108, cipher.keyBytes());
        System.arraycopy(keyDigest, 0, bytes, 112, DIGEST_BYTES);
        System.arraycopy(keyDigestSalt, 0, bytes, 132, SALT_BYTES);
        Bits.putU32(header, 164, keyDigestIterations);
        putText(bytes, 168, uuid);
        for (int i = 0; i < SLOTS; i++) {
            Slot slot = slots.get(i);
            int at = slotAt(i);
            Bits.putU32(header, at, slot.active ? ACTIVE : INACTIVE);
            Bits.putU32(header, at + 4, slot.iterations);
            System.arraycopy(slot.salt, 0, bytes, at + 8, SALT_BYTES);
            Bits.putU32(header, at + 40, slot.keyOffset / SECTOR_BYTES);
            Bits.putU32(header, at + 44, STRIPES);
        }
        return bytes;
    }

    LuksHeader withSlot(int number, Slot slot) {
        List<Slot> changed = new ArrayList<>(slots);
        changed.set(number, slot);
        return new LuksHeader(
                cipher, hash, payloadOffset, keyDigest, keyDigestSalt, keyDigestIterations, uuid, changed);
    }

    private static String text(MemorySegment bytes, int at, int most) {
        int end = 0;
        while (end < most && bytes.get(ValueLayout.JAVA_BYTE, at + end) != 0) {
            end++;
        }
        return new String(bytes.asSlice(at, end).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.ISO_8859_1);
    }

    private static void putText(byte[] bytes, int at, String text) {
        byte[] encoded = text.getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(encoded, 0, bytes, at, encoded.length);
    }

    private static BlockException corrupt(String message) {
        return new BlockException(Kind.CORRUPT, message);
    }

    /** Names no salt and no digest. */
    @Override
    public String toString() {
        return "LUKS1 " + cipher.algorithmName() + " " + cipher.luksMode() + " " + uuid;
    }
}
