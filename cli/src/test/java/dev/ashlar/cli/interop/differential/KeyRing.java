package dev.ashlar.cli.interop.differential;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.NavigableMap;
import java.util.Random;
import java.util.TreeMap;

/** The passphrases of an encrypted image by key slot, each in a file. Commands use any that is good. */
final class KeyRing {
    static final String ID = "s0";
    static final String NEW_ID = "s1";
    static final int SLOTS = 8;

    private final Path directory;
    private final Random random;
    private final TreeMap<Integer, Path> slots = new TreeMap<>();
    private int made;

    KeyRing(Path directory, Random random) {
        this.directory = directory;
        this.random = random;
        slots.put(0, newPassphrase());
    }

    /** A file with a passphrase that was never used. */
    Path newPassphrase() {
        Path file = directory.resolve("passphrase" + made);
        try {
            Files.writeString(file, "open sesame " + made++);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return file;
    }

    NavigableMap<Integer, Path> slots() {
        return slots;
    }

    /** The first slot that is not in use; {@link #SLOTS} where there is none. */
    int freeSlot() {
        int slot = 0;
        while (slots.containsKey(slot)) {
            slot++;
        }
        return slot;
    }

    Path anyPassphrase() {
        List<Path> files = List.copyOf(slots.values());
        return files.get(random.nextInt(files.size()));
    }

    /** The words that give a command a passphrase which opens the image. */
    List<String> object() {
        return object(ID, anyPassphrase());
    }

    static List<String> object(String id, Path passphrase) {
        return List.of("--object", "secret,id=" + id + ",file=" + passphrase);
    }

    /** The bytes of a passphrase which opens the image. */
    byte[] secret() {
        try {
            return Files.readString(anyPassphrase()).getBytes(StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
