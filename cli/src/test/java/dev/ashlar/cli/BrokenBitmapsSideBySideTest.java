package dev.ashlar.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.ashlar.cli.SideBySide.Outcome;
import dev.ashlar.testkit.host.ScratchDir;
import dev.ashlar.testkit.qemu.RequiresQemu;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * Each field of the bitmap extension, of a directory entry and of a table, changed: where the real program's check comes to its end, Ashlar's finds and
 * counts the same; where it refuses the image, Ashlar's does so too, and in the same words unless the case is marked otherwise. Nothing passes unseen.
 */
@RequiresQemu
class BrokenBitmapsSideBySideTest {
    /** @param worded whether a refusal has the real program's words: it reads what it should not, and stumbles later */
    private record Case(String name, boolean worded, long at, int bytes, long value) {}

    private final List<Case> cases = new ArrayList<>();
    private long extension;
    private long directory;
    private long directoryBytes;
    private long table;
    private long word;

    private void add(String name, long at, int bytes, long value) {
        cases.add(new Case(name, true, at, bytes, value));
    }

    private void addOwnWords(String name, long at, int bytes, long value) {
        cases.add(new Case(name, false, at, bytes, value));
    }

    /** Two bitmaps; the first one has a cluster of bits. */
    private void locate(Path image) throws IOException {
        try (DamagedCopy copy = new DamagedCopy(image)) {
            long at = 104;
            while (copy.u32(at) != 0x23852875) {
                at += 8 + ((copy.u32(at + 4) + 7) & ~7L);
            }
            extension = at + 8;
            directoryBytes = copy.u64(extension + 8);
            directory = copy.u64(extension + 16);
            table = copy.u64(directory);
            word = copy.u64(table);
        }
        fieldsOfTheExtension();
        fieldsOfAnEntry();
        words();
    }

    private void fieldsOfTheExtension() {
        add("a bitmap more than promised", extension, 4, 1);
        add("a bitmap fewer than promised", extension, 4, 3);
        add("no bitmaps", extension, 4, 0);
        add("65,536 bitmaps", extension, 4, 65_536);
        add("reserved field", extension + 4, 4, 1);
        add("length of the extension", extension - 4, 4, 16);
        add("directory too short", extension + 8, 8, directoryBytes - 8);
        addOwnWords("directory too long", extension + 8, 8, directoryBytes + 8);
        add("directory of no bytes", extension + 8, 8, 0);
        add("directory of 64 MiB", extension + 8, 8, 64 << 20);
        add("directory of 2^64-1 bytes", extension + 8, 8, -1);
        add("directory not aligned", extension + 16, 8, directory + 512);
        addOwnWords("directory is the header", extension + 16, 8, 0);
        addOwnWords("directory is the refcount table", extension + 16, 8, 65_536);
        addOwnWords("directory behind the end", extension + 16, 8, 1L << 40);
        addOwnWords("directory at a negative offset", extension + 16, 8, -65_536);
        add("autoclear bit lost", 95, 1, 0);
    }

    private void fieldsOfAnEntry() {
        add("table at 0", directory, 8, 0);
        add("table not aligned", directory, 8, table + 512);
        add("table behind the end", directory, 8, 1L << 40);
        addOwnWords("table at a negative offset", directory, 8, -65_536);
        add("table is the refcount table", directory, 8, 65_536);
        add("table is the directory", directory, 8, directory);
        add("table of no entries", directory + 8, 4, 0);
        add("table of two entries", directory + 8, 4, 2);
        add("table for 512 MiB", directory + 8, 4, 0x2000);
        add("table for more than 512 MiB", directory + 8, 4, 0x2001);
        add("table of 2^27+1 entries", directory + 8, 4, 0x800_0001);
        add("table of 2^32-1 entries", directory + 8, 4, -1);
        add("in use", directory + 12, 4, 3);
        add("reserved flag 3", directory + 12, 4, 8);
        add("reserved flag 31", directory + 12, 4, 1L << 31);
        add("type 0", directory + 16, 1, 0);
        add("type 2", directory + 16, 1, 2);
        for (int bits : new int[] {8, 9, 31, 32, 255}) {
            add("granularity bits " + bits, directory + 17, 1, bits);
        }
        addOwnWords("name of no bytes", directory + 18, 2, 0);
        add("name of 2 bytes", directory + 18, 2, 2);
        add("name of 1,024 bytes", directory + 18, 2, 1024);
        add("name of 65,535 bytes", directory + 18, 2, -1);
        addOwnWords("extra data where the name is", directory + 20, 4, 8);
        addOwnWords("extra data of 2^32-1 bytes", directory + 20, 4, -1);
        add("two bitmaps with one table", directory + 32, 8, table);
        add("two bitmaps with one name", directory + 56, 8, 0x6669_7273_7400_0000L);
    }

    private void words() {
        add("word of no bits", table, 8, 0);
        add("word of all bits", table, 8, 1);
        add("word with all bits and a cluster", table, 8, word | 1);
        add("word with reserved bit 1", table, 8, 2);
        add("word with reserved bit 60", table, 8, 1L << 60);
        add("word not aligned", table, 8, word + 512);
        add("word behind the end", table, 8, 1L << 40);
        add("word names the refcount table", table, 8, 65_536);
        add("word names the directory", table, 8, directory);
        add("word names its table", table, 8, table);
    }

    @Test
    void everyField(@ScratchDir Path folder) throws IOException {
        StringBuilder differences = new StringBuilder();
        try (SideBySide sides = new SideBySide(folder)) {
            Path[] images = {folder.resolve("a/a"), folder.resolve("b/a")};
            sides.step("qemu-img create -f qcow2 a 64M");
            sides.step("qemu-img bitmap --add -g 64k a first");
            sides.step("qemu-img bitmap --add a other");
            sides.step("qemu-io -c \"write 0 1M\" a");
            locate(images[0]);
            for (Path image : images) {
                Files.copy(image, image.resolveSibling("good"));
            }
            for (Case one : cases) {
                String difference = run(one, images);
                if (!difference.isEmpty()) {
                    differences.append("== ").append(one.name).append('\n').append(difference);
                }
            }
        }
        assertEquals("", differences.toString());
    }

    private static String run(Case one, Path[] images) throws IOException {
        StringBuilder differences = new StringBuilder();
        for (String repair : List.of("", " -r leaks", " -r all")) {
            for (Path image : images) {
                Files.copy(image.resolveSibling("good"), image, StandardCopyOption.REPLACE_EXISTING);
                try (DamagedCopy copy = new DamagedCopy(image)) {
                    byte[] bytes = new byte[one.bytes];
                    for (int i = 0; i < bytes.length; i++) {
                        bytes[i] = (byte) (one.value >> 8 * (bytes.length - 1 - i));
                    }
                    copy.put(one.at, bytes);
                }
            }
            List<String> words =
                    repair.isEmpty() ? List.of("check", "@/a") : List.of("check", "-r", repair.substring(4), "@/a");
            Outcome theirs = SideBySide.real("qemu-img", words, images[0].getParent(), "");
            Outcome ours = SideBySide.own("qemu-img", words, images[1].getParent(), "");
            if (theirs.status() == 1 && !one.worded) {
                assertEquals(1, ours.status(), () -> one.name + ours.out() + ours.err());
                assertEquals(1, ours.err().lines().count(), () -> one.name + ours.err());
                continue;
            }
            // before a repair the real program loads bitmaps, and stores them anew at its end: one of which it could
            // not
            // read all is whole, and empty, then; Ashlar leaves them alone
            boolean equal = repair.isEmpty() && !one.name.equals("autoclear bit lost")
                    ? ours.equals(theirs)
                    : ours.out().equals(theirs.out()) && ours.status() == theirs.status();
            if (!equal) {
                differences.append("check").append(repair).append('\n');
                differences.append(ours).append('\n').append(theirs).append('\n');
            }
        }
        return differences.toString();
    }
}
