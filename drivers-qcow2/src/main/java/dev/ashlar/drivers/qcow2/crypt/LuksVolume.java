package dev.ashlar.drivers.qcow2.crypt;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.drivers.qcow2.crypt.LuksHeader.Slot;
import dev.ashlar.drivers.qcow2.format.Bits;
import java.lang.foreign.MemorySegment;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;

/**
 * A LUKS1 header with its key slots, each of which holds the master key under one passphrase.
 *
 * <p>A slot changes in an order that leaves it whole or without effect at any moment: its state is one word in one sector. When one is filled, key material and
 * all other fields are durable before it becomes active; when one is erased, it is inactive, durably, before its material goes. Passphrases stay the
 * caller's, who wipes them; keys are wiped here. One thread at a time.
 */
final class LuksVolume {
    private static final long MIN_ITERATIONS = 1000;
    /** The digest of the master key may be quicker to compute than a slot: the key is not a word that people think of. */
    private static final int DIGEST_SHARE = 8;

    private final CryptStorage storage;
    private LuksHeader header;

    private LuksVolume(CryptStorage storage, LuksHeader header) {
        this.storage = storage;
        this.header = header;
    }

    /** @param spaceBytes that belong to the header and its key material */
    static LuksVolume open(CryptStorage storage, long spaceBytes) throws BlockException {
        MemorySegment bytes = MemorySegment.ofArray(new byte[LuksHeader.BYTES]);
        if (spaceBytes >= LuksHeader.BYTES) {
            storage.read(0, bytes);
        }
        return new LuksVolume(storage, LuksHeader.parse(bytes, spaceBytes));
    }

    /** Bytes that header and key material need, the offset of the payload in a volume of its own. */
    static long headerBytes(CipherSpec cipher) {
        return slotOffset(cipher, LuksHeader.SLOTS);
    }

    private static long slotOffset(CipherSpec cipher, int slot) {
        long unit = LuksHeader.ALIGNMENT_BYTES;
        long material = (LuksHeader.materialBytes(cipher.keyBytes()) + unit - 1) / unit * unit;
        return unit + slot * material;
    }

    /** Writes a header with a new master key, which the first slot holds; durable when the caller flushes. @return the key; the caller wipes it */
    static byte[] format(CryptStorage storage, CipherSpec cipher, Digests hash, byte[] passphrase, long iterationMillis)
            throws BlockException {
        SecureRandom random = new SecureRandom();
        byte[] key = new byte[cipher.keyBytes()];
        try {
            random.nextBytes(key);
            Pbkdf2.Speed speed = Pbkdf2.speed(hash, iterationMillis);
            long iterations = slotIterations(speed, iterationMillis, key.length);
            long digestIterations =
                    Math.max(MIN_ITERATIONS, speed.iterations(iterationMillis, LuksHeader.DIGEST_BYTES) / DIGEST_SHARE);
            byte[] salt = new byte[LuksHeader.SALT_BYTES];
            random.nextBytes(salt);
            List<Slot> slots = new ArrayList<>();
            for (int i = 0; i < LuksHeader.SLOTS; i++) {
                slots.add(new Slot(false, 0, new byte[LuksHeader.SALT_BYTES], slotOffset(cipher, i)));
            }
            LuksHeader empty = new LuksHeader(
                    cipher,
                    hash,
                    headerBytes(cipher),
                    Pbkdf2.derive(hash, key, salt, digestIterations, LuksHeader.DIGEST_BYTES),
                    salt,
                    digestIterations,
                    UUID.randomUUID().toString(),
                    slots);
            LuksVolume volume = new LuksVolume(storage, empty);
            volume.writeMaterial(0, key, passphrase, iterations, random);
            volume.activate(0);
            storage.write(0, MemorySegment.ofArray(volume.header.encode()));
            return key;
        } catch (BlockException | RuntimeException e) {
            Arrays.fill(key, (byte) 0);
            throw e;
        }
    }

    LuksHeader header() {
        return header;
    }

    /**
     * The master key; the caller wipes it.
     *
     * @throws BlockException PERMISSION if no slot opens with this passphrase
     */
    byte[] unlock(byte[] passphrase) throws BlockException {
        for (int i = 0; i < LuksHeader.SLOTS; i++) {
            byte[] key = unlockSlot(i, passphrase);
            if (key != null) {
                return key;
            }
        }
        throw new BlockException(Kind.PERMISSION, "Invalid password, cannot unlock any keyslot");
    }

    /** @return the master key, null if the slot is inactive or of another passphrase */
    private byte @org.jspecify.annotations.Nullable [] unlockSlot(int number, byte[] passphrase) throws BlockException {
        Slot slot = header.slots().get(number);
        if (!slot.active()) {
            return null;
        }
        CipherSpec cipher = header.cipher();
        byte[] material = new byte[LuksHeader.materialSectorBytes(cipher.keyBytes())];
        storage.read(slot.keyOffset(), MemorySegment.ofArray(material));
        byte[] slotKey = Pbkdf2.derive(header.hash(), passphrase, slot.salt(), slot.iterations(), cipher.keyBytes());
        byte[] key;
        try {
            new SectorCipher(cipher, slotKey).decrypt(material, material.length, 0);
            key = AntiForensic.merge(material, cipher.keyBytes(), LuksHeader.STRIPES, header.hash());
        } finally {
            Arrays.fill(slotKey, (byte) 0);
            Arrays.fill(material, (byte) 0);
        }
        byte[] digest = Pbkdf2.derive(
                header.hash(), key, header.keyDigestSalt(), header.keyDigestIterations(), LuksHeader.DIGEST_BYTES);
        if (MessageDigest.isEqual(digest, header.keyDigest())) {
            return key;
        }
        Arrays.fill(key, (byte) 0);
        return null;
    }

    /** Slots that open with a passphrase. */
    List<Integer> slotsOf(byte[] passphrase) throws BlockException {
        List<Integer> found = new ArrayList<>();
        for (int i = 0; i < LuksHeader.SLOTS; i++) {
            byte[] key = unlockSlot(i, passphrase);
            if (key != null) {
                Arrays.fill(key, (byte) 0);
                found.add(i);
            }
        }
        return found;
    }

    int activeSlots() {
        return (int) header.slots().stream().filter(Slot::active).count();
    }

    /** Fills an inactive slot. @param key the master key, stays the caller's */
    void fillSlot(int number, byte[] key, byte[] passphrase, long iterationMillis) throws BlockException {
        long iterations = slotIterations(Pbkdf2.speed(header.hash(), iterationMillis), iterationMillis, key.length);
        writeMaterial(number, key, passphrase, iterations, new SecureRandom());
        writeSlot(number);
        storage.flush();
        activate(number);
        writeState(number);
        storage.flush();
    }

    private static long slotIterations(Pbkdf2.Speed speed, long millis, int keyBytes) throws BlockException {
        long iterations = Math.max(MIN_ITERATIONS, speed.iterations(millis, keyBytes));
        if (iterations > LuksHeader.MAX_ITERATIONS) {
            throw new BlockException(
                    Kind.INVALID,
                    "Parameter 'encrypt.iter-time' asks for " + iterations + " iterations, at most "
                            + LuksHeader.MAX_ITERATIONS + " are read back");
        }
        return iterations;
    }

    /** Encrypts the key for a slot and writes that; the slot's fields change in memory. */
    private void writeMaterial(int number, byte[] key, byte[] passphrase, long iterations, SecureRandom random)
            throws BlockException {
        Slot old = header.slots().get(number);
        byte[] salt = new byte[LuksHeader.SALT_BYTES];
        random.nextBytes(salt);
        byte[] material = Arrays.copyOf(
                AntiForensic.split(key, LuksHeader.STRIPES, header.hash(), random),
                LuksHeader.materialSectorBytes(key.length));
        byte[] slotKey = Pbkdf2.derive(header.hash(), passphrase, salt, iterations, key.length);
        try {
            new SectorCipher(header.cipher(), slotKey).encrypt(material, material.length, 0);
        } finally {
            Arrays.fill(slotKey, (byte) 0);
        }
        storage.write(old.keyOffset(), MemorySegment.ofArray(material));
        header = header.withSlot(number, new Slot(false, iterations, salt, old.keyOffset()));
    }

    private void activate(int number) {
        Slot slot = header.slots().get(number);
        header = header.withSlot(number, new Slot(true, slot.iterations(), slot.salt(), slot.keyOffset()));
    }

    /** Makes a slot's passphrase useless. */
    void eraseSlot(int number) throws BlockException {
        Slot slot = header.slots().get(number);
        header = header.withSlot(number, new Slot(false, slot.iterations(), slot.salt(), slot.keyOffset()));
        writeState(number);
        storage.flush();
        byte[] noise = new byte[LuksHeader.materialSectorBytes(header.cipher().keyBytes())];
        new SecureRandom().nextBytes(noise);
        storage.write(slot.keyOffset(), MemorySegment.ofArray(noise));
        header = header.withSlot(number, new Slot(false, 0, new byte[LuksHeader.SALT_BYTES], slot.keyOffset()));
        writeSlot(number);
        storage.flush();
    }

    /** The word that says whether the slot is active: it lies in one sector, which can't tear. */
    private void writeState(int number) throws BlockException {
        MemorySegment state = MemorySegment.ofArray(new byte[4]);
        Bits.putU32(state, 0, header.slots().get(number).active() ? LuksHeader.ACTIVE : LuksHeader.INACTIVE);
        storage.write(LuksHeader.slotAt(number), state);
    }

    /** All fields of an inactive slot. */
    private void writeSlot(int number) throws BlockException {
        int from = LuksHeader.slotAt(number);
        int to = LuksHeader.slotAt(number + 1);
        storage.write(from, MemorySegment.ofArray(header.encode()).asSlice(from, to - from));
    }
}
