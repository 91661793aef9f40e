package dev.ashlar.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.cli.SideBySide.Outcome;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * Every kind of damage to an image's tables, checked and repaired by both programs: the same findings in the same words, the same counts, the same exit status, and
 * afterwards the same again. {@code -Ddamage=TEXT} runs only those whose names hold the text.
 */
class DamageSideBySideTest {
    /** Changes to an image. */
    private interface Change {
        void make(DamagedCopy image) throws IOException;
    }

    /** What a repair is held to. */
    private enum Held {
        /** Says and does what the real program's does. */
        SAME,
        /** The real program's fails, or harms; Ashlar's leaves an image without findings. */
        CLEAN,
        /** Not all can be mended. Ashlar's comes to its end, another one finds no more to mend, and the real program finds no more in the image than its own leaves. */
        NO_WORSE
    }

    private record Damage(String base, String name, Held held, Change change) {}

    private static final long COPIED = 1L << 63;
    private static final Pattern FOUND = Pattern.compile("\"(?:corruptions|leaks|check-errors)\": (\\d+)");

    private final List<Damage> damages = new ArrayList<>();

    private void damage(String base, String name, Change change) {
        damages.add(new Damage(base, name, Held.SAME, change));
    }

    private void better(String base, String name, Change change) {
        damages.add(new Damage(base, name, Held.CLEAN, change));
    }

    @TestFactory
    Stream<DynamicTest> damages() {
        Assumptions.assumeTrue(isInstalled(), "qemu-img and qemu-io are not installed (package qemu-utils)");
        counts();
        entries();
        structure();
        otherTables();
        String only = System.getProperty("damage", "");
        return damages.stream()
                .filter(damage -> (damage.base + ": " + damage.name).contains(only))
                .map(damage -> DynamicTest.dynamicTest(damage.base + ": " + damage.name, () -> run(damage)));
    }

    private void counts() {
        for (String base : List.of("plain", "snapshots", "small")) {
            damage(base, "nothing", image -> {});
            damage(base, "a count too high", image -> image.put16(image.count16(6), 7));
            damage(
                    base,
                    "a count of nothing",
                    image -> image.put16(image.count16(image.size() >> image.clusterBits), 1));
            damage(base, "a leak", image -> {
                long end = (image.size() + image.cluster(1) - 1) >> image.clusterBits;
                image.truncate(image.cluster(end + 2));
                image.put16(image.count16(end), 1);
                image.put16(image.count16(end + 1), 3);
            });
            damage(base, "a count of 0", image -> image.put16(image.count16(5), 0));
            damage(base, "no counts", image -> image.zero(image.block(0), (int) image.cluster(1)));
            damage(base, "dirty", image -> image.flip64(72, 1));
            damage(base, "corrupt", image -> image.flip64(72, 2));
        }
        damage("snapshots", "a count too low", image -> image.put16(image.count16(image.l2(0) >> 16), 1));
        damage("narrow", "nothing", image -> {});
        damage(
                "narrow",
                "two references where one can be counted",
                image -> image.put64(image.l2Entry(3), image.u64(image.l2Entry(4))));
    }

    private void entries() {
        for (String base : List.of("plain", "snapshots", "small")) {
            damage(base, "COPIED missing in L2", image -> image.flip64(image.l2Entry(2), COPIED));
            damage(base, "COPIED wrong in L1", image -> image.flip64(image.l1, COPIED));
            damage(base, "COPIED wrong everywhere", image -> {
                image.flip64(image.l1, COPIED);
                image.flip64(image.l2Entry(1), COPIED);
                image.flip64(image.l2Entry(3), COPIED);
            });
            damage(base, "data not aligned", image -> image.flip64(image.l2Entry(1), 0x200));
            damage(
                    base,
                    "zeros not aligned",
                    image -> image.put64(image.l2Entry(1), image.u64(image.l2Entry(1)) ^ 0x201));
            damage(base, "zeros with a cluster", image -> image.flip64(image.l2Entry(1), 1));
            damage(base, "reserved bits in L2", image -> image.flip64(image.l2Entry(2), 0x0100_0000_0000_0010L));
            damage(base, "reserved bits in L1", image -> image.flip64(image.l1, 0x0100_0000_0000_0020L));
            damage(
                    base,
                    "L2 entry behind the end",
                    image -> image.put64(image.l2Entry(1), COPIED | image.cluster(4000)));
            damage(
                    base,
                    "L2 entry far behind the end",
                    image -> image.put64(image.l2Entry(1), COPIED | 0x00ff_ffff_0000_0000L));
            damage(base, "entry names the L2 table", image -> image.put64(image.l2Entry(1), COPIED | image.l2(0)));
            damage(
                    base,
                    "entry names the header's neighbour",
                    image -> image.put64(image.l2Entry(1), COPIED | image.refcountTable));
            damage(
                    base,
                    "two entries name one cluster",
                    image -> image.put64(image.l2Entry(1), image.u64(image.l2Entry(2))));
            damage(base, "L2 table behind the end", image -> image.put64(image.l1, COPIED | image.cluster(5000)));
            damage(base, "entry lost", image -> image.put64(image.l2Entry(0), 0));
            damage(base, "table lost", image -> image.put64(image.l1, 0));
            if (!base.equals("snapshots")) {
                damage(base, "file cut", image -> image.truncate(image.size() - image.cluster(3)));
            }
            damage(base, "file cut within a cluster", image -> image.truncate(image.size() - 700));
        }
        damage("plain", "L2 table not aligned", image -> image.flip64(image.l1, 0x200));
        damage("compressed", "nothing", image -> {});
        damage("compressed", "compressed and COPIED", image -> image.flip64(image.l2Entry(0), COPIED));
        damage(
                "compressed",
                "compressed behind the end",
                image -> image.put64(image.l2Entry(0), (1L << 62) | image.cluster(9000)));
        damage("compressed", "compressed lost", image -> image.put64(image.l2Entry(1), 0));
        damage("old", "nothing", image -> {});
        damage("old", "zero bit", image -> image.flip64(image.l2Entry(1), 1));
        damage("old", "leak", image -> image.put64(image.l2Entry(1), 0));
        damage("extended", "nothing", image -> {});
        damage("extended", "bitmap contradicts", image -> image.flip64(image.l2(0) + 8, 0x0000_0003_0000_0003L));
        damage("extended", "bitmap of nothing", image -> image.put64(image.l2(0) + 16 * 100 + 8, 5));
        damage("extended", "data not aligned", image -> image.flip64(image.l2(0), 0x200));
        damage("extended", "zeros not aligned", image -> {
            image.flip64(image.l2(0), 0x200);
            image.put64(image.l2(0) + 8, 0x0000_000f_0000_0000L);
        });
        damage("extended", "COPIED missing", image -> image.flip64(image.l2(0), COPIED));
    }

    private void structure() {
        for (String base : List.of("plain", "snapshots", "small")) {
            better(base, "block not aligned", image -> image.flip64(image.refcountTable, 0x200));
            better(base, "block with reserved bits", image -> image.flip64(image.refcountTable, 0x2a));
            damage(base, "no block", image -> image.put64(image.refcountTable, 0));
            damage(base, "block behind the end", image -> image.put64(image.refcountTable, image.cluster(300)));
            better(
                    base,
                    "block far behind the end",
                    image -> image.put64(image.refcountTable, image.cluster(1L << 38)));
            damage(
                    base,
                    "further block behind the end",
                    image -> image.put64(image.refcountTable + 8, (image.size() + 0x3fffff) & -image.cluster(1)));
            damage(base, "block is the L1 table", image -> image.put64(image.refcountTable + 8, image.l1));
            damage(base, "block is the header", image -> image.put64(image.refcountTable + 8, image.refcountTable));
            damage(base, "two blocks in one place", image -> image.put64(image.refcountTable + 8, image.block(0)));
            damage(base, "no refcount table", image -> image.put32(56, 0));
        }
    }

    private void otherTables() {
        damage("snapshots", "snapshot's L1 not aligned", image -> image.flip64(image.snapshotTable, 0x200));
        damage(
                "snapshots",
                "snapshot's L1 behind the end",
                image -> image.put64(image.snapshotTable, image.cluster(700)));
        damage("snapshots", "snapshot's L2 lost", image -> image.put64(image.u64(image.snapshotTable), 0));
        damage(
                "snapshots",
                "snapshot's L2 is the live one",
                image -> image.put64(image.u64(image.snapshotTable), image.l2(0)));
        damage(
                "snapshots",
                "snapshot's data is lost",
                image -> image.put64(image.u64(image.u64(image.snapshotTable)) & 0x00ff_ffff_ffff_fe00L, 0));
        better("bitmaps", "nothing", image -> {});
        snapshotTables();
    }

    private void snapshotTables() {
        damage("snapshots", "too much extra data", image -> {
            // room for it, and the second entry behind it
            byte[] second = image.read(image.snapshotTable + 72, 72);
            image.put32(image.snapshotTable + 36, 2000);
            image.put(image.snapshotTable + 2040, "1one".getBytes(StandardCharsets.US_ASCII));
            image.put(image.snapshotTable + 2048, second);
        });
        damage("snapshots", "extra data of 4 GiB", image -> image.put32(image.snapshotTable + 36, 0xffff_ff00L));
        damage("snapshots", "an entry more", image -> image.put32(60, 3));
        damage("snapshots", "incomplete entries", image -> {
            image.put32(image.snapshotTable + 36, 0);
            image.put(image.snapshotTable + 40, "1one".getBytes(StandardCharsets.US_ASCII));
            image.put(image.snapshotTable + 48, image.read(image.snapshotTable + 72, 72));
        });
        damage("snapshots", "table not aligned", image -> image.flip64(64, 0x200));
        damage("snapshots", "table at a negative offset", image -> image.flip64(64, Long.MIN_VALUE));
        better("snapshots", "table behind the end", image -> image.put64(64, 1 << 30));
        damage("snapshots", "an L1 table of 2^32-1 entries", image -> image.put32(image.snapshotTable + 8, -1));
        // the real program leaves it as bad as it is, or leaks
        better("snapshots", "table far behind the end", image -> image.put64(64, 1L << 60));
        better("plain", "70,000 snapshots behind the end", image -> {
            image.put32(60, 70_000);
            image.put64(64, (image.size() + 0xffff) & -0x10000);
        });
        for (String base : List.of("plain", "small", "snapshots")) {
            for (int count : new int[] {2, 60_000}) {
                table(base, count + " snapshots over the header", count, image -> 0);
                table(base, count + " snapshots over the refcount table", count, image -> image.refcountTable);
                table(base, count + " snapshots over a refcount block", count, image -> image.block(0));
                table(base, count + " snapshots over the L1 table", count, image -> image.l1);
                table(base, count + " snapshots over an L2 table", count, image -> image.l2(0));
                table(
                        base,
                        count + " snapshots over data",
                        count,
                        image -> image.u64(image.l2Entry(1)) & -512L & ~COPIED);
                table(base, count + " snapshots over the end", count, image -> (image.size() - 1) & -image.cluster(1));
            }
        }
        damage("snapshots", "a table of more than 64 MiB", image -> {
            image.put32(60, 5000);
            long table = (image.size() + 0xffff) & -0x10000;
            image.put64(64, table);
            for (int i = 0; i < 1200; i++) {
                // 65,528 bytes of an entry to the next
                image.put16(table + 65_528L * i + 14, 65_528 - 64);
                image.put32(table + 65_528L * i + 36, 24);
            }
        });
    }

    /** A snapshot table where something else is. */
    private void table(String base, String name, int count, Target target) {
        damages.add(new Damage(base, name, Held.NO_WORSE, image -> {
            image.put32(60, count);
            image.put64(64, target.in(image));
        }));
    }

    /** An entry of the first L2 table, for the guest's 64 KiB from 64 KiB on, that claims what is not its own. */
    private interface Target {
        long in(DamagedCopy image) throws IOException;
    }

    /** Writes that would hit metadata: both programs refuse them in the same words, mark the image, and leave it as it was. */
    @TestFactory
    Stream<DynamicTest> writes() {
        Assumptions.assumeTrue(isInstalled(), "qemu-img and qemu-io are not installed (package qemu-utils)");
        Map<String, Target> targets = new LinkedHashMap<>();
        targets.put("active L1", image -> image.l1);
        targets.put("active L2", image -> image.l2(0));
        targets.put("refcount table", image -> image.refcountTable);
        targets.put("refcount block", image -> image.block(0));
        targets.put("snapshot table", image -> image.snapshotTable);
        targets.put("inactive L1", image -> image.u64(image.snapshotTable));
        targets.put("inactive L2", image -> image.u64(image.u64(image.snapshotTable)) & 0x00ff_ffff_ffff_fe00L);
        List<DynamicTest> tests = new ArrayList<>();
        targets.forEach((name, target) -> {
            List<String> options = switch (name) {
                case "inactive L2" -> List.of("overlap-check=all", "overlap-check.inactive-l2=on");
                case "snapshot table" -> List.of("", "overlap-check=none", "overlap-check.snapshot-table=off");
                default -> List.of("", "overlap-check.template=all");
            };
            for (String option : options) {
                tests.add(DynamicTest.dynamicTest(
                        "data over " + name + " " + option,
                        () -> write(image -> image.put64(image.l2Entry(1), COPIED | target.in(image)), option)));
            }
            // elsewhere the real program writes first and notices afterwards
            if (List.of("active L1", "refcount table", "inactive L1").contains(name)) {
                tests.add(DynamicTest.dynamicTest(
                        "L2 table in " + name,
                        () -> write(image -> image.put64(image.l1, COPIED | target.in(image)), "")));
            }
        });
        return tests.stream();
    }

    private static void write(Change change, String option) throws IOException {
        Path folder = Files.createTempDirectory(Path.of("target").toAbsolutePath(), "damage");
        try (SideBySide sides = new SideBySide(folder)) {
            Path[] images = {folder.resolve("a/a"), folder.resolve("b/a")};
            for (String step : preparation("snapshots")) {
                sides.step(step);
            }
            for (Path image : images) {
                try (DamagedCopy copy = new DamagedCopy(image)) {
                    change.make(copy);
                }
            }
            String open = option.isEmpty() ? "open @/a" : "open -o " + option + " @/a";
            String differences = sides.step("io -c \"" + open
                            + "\" -c \"write -P 9 64k 64k\" -c \"write -P 9 64k 64k\" -c \"read 1M 64k\"")
                    + (option.endsWith("none") || option.endsWith("off")
                            ? ""
                            : sides.step("img info @/a") + sides.step("io -c \"write 0 512\" @/a"));
            assertEquals("", differences);
        } finally {
            delete(folder);
        }
    }

    private static void delete(Path folder) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }

    private static List<String> preparation(String base) {
        String write = "qemu-io -c \"write -P 1 0 192k\" -c \"write -P 2 1M 128k\" -c \"write -P 3 512k 100k\" a";
        return switch (base) {
            case "plain" -> List.of("qemu-img create -f qcow2 a 64M", write);
            case "small" ->
                List.of(
                        "qemu-img create -f qcow2 -o cluster_size=512 a 1M",
                        "qemu-io -c \"write -P 1 0 9k\" -c \"write -P 2 300k 5k\" a");
            case "narrow" ->
                List.of("qemu-img create -f qcow2 -o refcount_bits=1 a 64M", "qemu-io -c \"write 0 640k\" a");
            case "old" -> List.of("qemu-img create -f qcow2 -o compat=0.10 a 64M", write);
            case "extended" -> List.of("qemu-img create -f qcow2 -o extended_l2=on a 64M", write);
            case "bitmaps" -> List.of("qemu-img create -f qcow2 a 64M", write, "qemu-img bitmap --add a one");
            case "compressed" ->
                List.of(
                        "qemu-img create -f qcow2 p 64M",
                        "qemu-io -c \"write -P 1 0 192k\" -c \"write -P 2 1M 128k\" p",
                        "qemu-img convert -c -O qcow2 p a");
            case "snapshots" ->
                List.of(
                        "qemu-img create -f qcow2 a 64M",
                        write,
                        "qemu-img snapshot -c one a",
                        "qemu-io -c \"write -P 4 64k 64k\" a",
                        "qemu-img snapshot -c two a",
                        "qemu-io -c \"write -P 5 700k 64k\" a");
            default -> throw new IllegalArgumentException(base);
        };
    }

    private static void run(Damage damage) throws IOException {
        Path folder = Files.createTempDirectory(Path.of("target").toAbsolutePath(), "damage");
        try (SideBySide sides = new SideBySide(folder)) {
            Path[] images = {folder.resolve("a/a"), folder.resolve("b/a")};
            for (String step : preparation(damage.base)) {
                sides.step(step);
            }
            for (Path image : images) {
                try (DamagedCopy copy = new DamagedCopy(image)) {
                    damage.change.make(copy);
                }
                Files.copy(image, image.resolveSibling("damaged"));
            }
            StringBuilder differences = new StringBuilder();
            for (String repair : damage.held == Held.SAME ? List.of("", " -r leaks", " -r all") : List.of("")) {
                for (Path image : images) {
                    Files.copy(image.resolveSibling("damaged"), image, StandardCopyOption.REPLACE_EXISTING);
                }
                if (damage.held == Held.NO_WORSE) {
                    // names from anywhere: the real program ends them at a NUL, and prints all else as it is
                    assertEquals(counts(images[0], true), counts(images[1], false), damage.base + ": " + damage.name);
                    continue;
                }
                differences.append(sides.step("img check --output=json" + (repair.isEmpty() ? "" : " -U") + " @/a"));
                differences.append(sides.step("img check" + repair + " @/a"));
                differences.append(sides.step("qemu-img check a"));
            }
            if (damage.held != Held.SAME) {
                Outcome repaired =
                        SideBySide.own("qemu-img", List.of("check", "-r", "all", images[1].toString()), folder, "");
                if (damage.held == Held.CLEAN) {
                    assertEquals(0, repaired.status(), "repair: " + damage.base + ": " + damage.name);
                } else {
                    noWorse(damage, repaired, images, folder);
                }
                Files.copy(images[1], images[0], StandardCopyOption.REPLACE_EXISTING);
                assertEquals(counts(images[0], true), counts(images[1], false), damage.base + ": " + damage.name);
                if (damage.held == Held.CLEAN) {
                    differences.append(sides.step("img check @/a"));
                    assertEquals(0, found(images[0]));
                }
            }
            assertEquals("", differences.toString(), damage.base + ": " + damage.name);
        } finally {
            delete(folder);
        }
    }

    private static void noWorse(Damage damage, Outcome repaired, Path[] images, Path folder) throws IOException {
        String name = damage.base + ": " + damage.name;
        assertNotEquals(1, repaired.status(), () -> name + "\n" + tail(repaired));
        SideBySide.real("qemu-img", List.of("check", "-q", "-r", "all", images[0].toString()), folder, "");
        long theirs = found(images[0]);
        long ours = found(images[1]);
        assertTrue(ours <= theirs, name + ": " + ours + " where the real program leaves " + theirs);
        byte[] once = Files.readAllBytes(images[1]);
        SideBySide.own("qemu-img", List.of("check", "-q", "-r", "all", images[1].toString()), folder, "");
        assertEquals(-1, Arrays.mismatch(once, Files.readAllBytes(images[1])), name + ": another repair changes it");
    }

    private static String tail(Outcome outcome) {
        String all = outcome.out() + outcome.err();
        return all.substring(Math.max(all.length() - 2000, 0));
    }

    /** What the real program's check finds; as much as can be where it does not come to its end. */
    private static long found(Path image) {
        String check = counts(image, true);
        long found = check.startsWith("1") ? Long.MAX_VALUE : 0;
        Matcher counts = FOUND.matcher(check);
        while (counts.find()) {
            found += Long.parseLong(counts.group(1));
        }
        return found;
    }

    /** How a check ends, and what it counts. */
    private static String counts(Path image, boolean real) {
        List<String> words = List.of("check", "-U", "--output=json", image.toString());
        Path folder = image.getParent();
        Outcome check =
                real ? SideBySide.real("qemu-img", words, folder, "") : SideBySide.own("qemu-img", words, folder, "");
        return check.status() + " " + check.out();
    }

    private static boolean isInstalled() {
        try {
            return new ProcessBuilder("qemu-img", "--version")
                            .redirectErrorStream(true)
                            .start()
                            .waitFor()
                    == 0;
        } catch (IOException e) {
            return false;
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
