package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.host.Command;
import dev.ashlar.testkit.host.ScratchDir;
import dev.ashlar.testkit.protocol.DirectFormat;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import dev.ashlar.testkit.qemu.QemuTools;
import dev.ashlar.testkit.qemu.RequiresQemu;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * One repair is enough, whatever is wrong with an image: a check after it finds what the repair said it leaves, and no more; another repair changes not a byte. The first
 * seed is the property {@code ashlar.repair.seed}, images {@code ashlar.repair.rounds}; of those that the real program
 * repairs as well, {@code ashlar.repair.compared}.
 */
class RepairOnceTest {
    private static final Qcow2Driver DRIVER = new Qcow2Driver();
    private static final long SEED = Long.getLong("ashlar.repair.seed", 1_000_000);
    private static final int ROUNDS = Integer.getInteger("ashlar.repair.rounds", 2000);

    private static final int COMPARED = Integer.getInteger("ashlar.repair.compared", 60);
    private static final long MAX_COMPARED_BYTES = 4 << 20;
    private static final long MAX_COMPARED_FINDINGS = 1000;
    private static final Pattern FOUND = Pattern.compile("\"(?:corruptions|leaks|check-errors)\": (\\d+)");

    /** How a check ended. @param report null: it did not come to its end */
    private record Ending(@Nullable CheckReport report, String refusal) {
        boolean isClean() {
            return report != null && report.corruptions() + report.leaks() + report.checkErrors() == 0;
        }

        @Override
        public String toString() {
            if (report == null) {
                return refusal;
            }
            return "corruptions " + report.corruptions() + ", leaks " + report.leaks() + ", errors "
                    + report.checkErrors() + ", fixed " + report.corruptionsFixed() + " and " + report.leaksFixed()
                    + " " + excerpt(report.findings());
        }
    }

    private static String excerpt(List<String> findings) {
        StringBuilder text = new StringBuilder();
        for (String line : findings.subList(0, Math.min(12, findings.size()))) {
            text.append("\n      ").append(line.replaceAll("\\p{Cntrl}", "?"), 0, Math.min(line.length(), 160));
        }
        return text.toString();
    }

    private static Ending check(MemoryFile file, Repair repair) {
        Flag[] flags = repair == Repair.NONE ? new Flag[] {Flag.CHECK, Flag.READ_ONLY} : new Flag[] {Flag.CHECK};
        try (DirectFormat open = DirectFormat.open(DRIVER, new MemoryProtocol(file), flags)) {
            return new Ending(open.check(repair), "");
        } catch (BlockException e) {
            return new Ending(null, String.valueOf(e.getMessage()));
        }
    }

    @Test
    void oneRepairIsEnough() throws BlockException {
        List<SparseBytes> bases = WildDamage.bases();
        StringBuilder failures = new StringBuilder();
        int failed = 0;
        int left = 0;
        for (int i = 0; i < ROUNDS; i++) {
            long seed = SEED + i;
            Random random = new Random(seed);
            SparseBytes image = bases.get(random.nextInt(bases.size())).fork();
            String damage = new WildDamage(image, random).inflict();
            MemoryFile file = MemoryFile.of("damaged", image.fork());
            Ending before = check(file, Repair.NONE);
            assertEquals(-1, file.snapshot().firstDifference(image), () -> seed + ": a check wrote");
            Ending repair = check(file, Repair.ALL);
            SparseBytes once = file.snapshot();
            Ending after = check(file, Repair.NONE);
            Ending again = check(file, Repair.ALL);
            String wrong = complaint(repair, once, after, file.snapshot());
            left += after.isClean() ? 0 : 1;
            if (!wrong.isEmpty() && failed++ < 10) {
                failures.append("\n-Dashlar.repair.seed=" + seed + ": " + wrong + "\n  damage " + damage + "\n  before "
                        + before + "\n  repair " + repair + "\n  after " + after + "\n  again " + again);
            }
        }
        System.out.println(left + " of " + ROUNDS + " images keep findings");
        assertEquals(0, failed, failures.toString());
    }

    /** The real program finds no more in an image that Ashlar has repaired than in one that it has repaired itself. */
    @Test
    @RequiresQemu
    void theRealProgramLeavesNoLess(@ScratchDir Path directory) throws Exception {
        // without the first one: of an image with bitmaps the real program's repair loses all snapshots
        List<SparseBytes> all = WildDamage.bases();
        List<SparseBytes> bases = all.subList(1, all.size());
        Path theirs = directory.resolve("theirs.qcow2");
        Path ours = directory.resolve("ours.qcow2");
        StringBuilder failures = new StringBuilder();
        int better = 0;
        for (int i = 0; i < COMPARED; i++) {
            long seed = SEED + i;
            Random random = new Random(seed);
            SparseBytes image = bases.get(random.nextInt(bases.size())).fork();
            String damage = new WildDamage(image, random).inflict();
            if (image.lengthBytes() > MAX_COMPARED_BYTES) {
                continue;
            }
            MemoryFile file = MemoryFile.of("damaged", image.fork());
            Ending repair = check(file, Repair.ALL);
            if (file.snapshot().lengthBytes() > MAX_COMPARED_BYTES) {
                continue;
            }
            image.writeTo(theirs);
            QemuTools.img("check", "-q", "-f", "qcow2", "-r", "all", theirs.toString());
            file.snapshot().writeTo(ours);
            long left = found(ours);
            long leftByThem = found(theirs);
            boolean refused = repair.report() == null && file.snapshot().firstDifference(image) < 0;
            if (refused || leftByThem > MAX_COMPARED_FINDINGS) {
                // tables that can't be used at all; or all of the file taken for a table, parts of which the real
                // program overwrites
                continue;
            }
            better += left < leftByThem ? 1 : 0;
            if (left > leftByThem) {
                failures.append("\n-Dashlar.repair.seed=" + seed + ": " + left + " where the real program leaves "
                        + leftByThem + "\n  damage " + damage + "\n  repair " + repair);
            }
        }
        System.out.println("the real program leaves more in " + better + " of " + COMPARED + " images");
        assertEquals("", failures.toString());
    }

    /** As much as can be where the check does not come to its end. */
    private static long found(Path image) {
        Command.Result check = QemuTools.img("check", "-U", "-f", "qcow2", "--output=json", image.toString());
        long found = check.exitCode() == 1 ? Long.MAX_VALUE / 2 : 0;
        Matcher counts = FOUND.matcher(check.output());
        while (counts.find()) {
            found += Long.parseLong(counts.group(1));
        }
        return found;
    }

    private static String complaint(Ending repair, SparseBytes once, Ending after, SparseBytes twice) {
        if (once.firstDifference(twice) >= 0) {
            return "another repair changes byte " + once.firstDifference(twice);
        }
        CheckReport first = repair.report();
        CheckReport second = after.report();
        if (first == null) {
            return "";
        }
        if (second == null) {
            return "the check after the repair does not come to its end";
        }
        return second.corruptions() > first.corruptions()
                        || second.leaks() > first.leaks()
                        || second.checkErrors() > first.checkErrors()
                ? "there is more left than the repair says"
                : "";
    }
}
