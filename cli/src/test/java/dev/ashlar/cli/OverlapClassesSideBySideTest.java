package dev.ashlar.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.cli.SideBySide.Outcome;
import dev.ashlar.testkit.host.ScratchDir;
import dev.ashlar.testkit.qemu.RequiresQemu;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A write over metadata of each class, with each template and each single switch: both programs refuse it, in the same words, mark the image and refuse it for
 * writing from then on; or both let it pass, because the class is not looked at.
 *
 * <p>No table can name the header's cluster, whose offset means "none"; that it is never allocated either is {@code DamagedImageTest}'s. What a LUKS header takes
 * counts as the header's: {@code EncryptedImageTest}.
 */
@RequiresQemu
class OverlapClassesSideBySideTest {
    private static final long COPIED = 1L << 63;
    private static final long OFFSET = 0x00ff_ffff_ffff_fe00L;

    /** Where metadata of a class lies, and by which templates it is looked at. */
    enum Target {
        ACTIVE_L1(List.of("", "constant", "cached", "all")),
        ACTIVE_L2(List.of("", "cached", "all")),
        REFCOUNT_TABLE(List.of("", "constant", "cached", "all")),
        REFCOUNT_BLOCK(List.of("", "cached", "all")),
        SNAPSHOT_TABLE(List.of("", "constant", "cached", "all")),
        INACTIVE_L1(List.of("", "cached", "all")),
        INACTIVE_L2(List.of("all")),
        BITMAP_DIRECTORY(List.of("", "constant", "cached", "all"));

        private final List<String> templates;

        Target(List<String> templates) {
            this.templates = templates;
        }

        String option() {
            return "overlap-check." + name().toLowerCase(Locale.ROOT).replace('_', '-');
        }

        long in(DamagedCopy image) throws IOException {
            return switch (this) {
                case ACTIVE_L1 -> image.l1;
                case ACTIVE_L2 -> image.l2(0);
                case REFCOUNT_TABLE -> image.refcountTable;
                case REFCOUNT_BLOCK -> image.block(0);
                case SNAPSHOT_TABLE -> image.snapshotTable;
                case INACTIVE_L1 -> image.u64(image.snapshotTable);
                case INACTIVE_L2 -> image.u64(image.u64(image.snapshotTable)) & OFFSET;
                case BITMAP_DIRECTORY -> directory(image);
            };
        }

        private static long directory(DamagedCopy image) throws IOException {
            long at = 104;
            while (image.u32(at) != 0x23852875) {
                at += 8 + ((image.u32(at + 4) + 7) & ~7L);
            }
            return image.u64(at + 8 + 16);
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void eachSwitch(Target target, @ScratchDir Path folder) throws IOException {
        Path[] images = {folder.resolve("a/a"), folder.resolve("b/a")};
        try (SideBySide sides = new SideBySide(folder)) {
            sides.step("qemu-img create -f qcow2 a 64M");
            sides.step("qemu-io -c \"write -P 1 0 192k\" -c \"write -P 3 512k 100k\" a");
            if (target == Target.BITMAP_DIRECTORY) {
                sides.step("qemu-img bitmap --add a one");
            } else {
                sides.step("qemu-img snapshot -c one a");
                sides.step("qemu-io -c \"write -P 4 64k 64k\" a");
            }
            for (Path image : images) {
                try (DamagedCopy copy = new DamagedCopy(image)) {
                    copy.put64(copy.l2Entry(1), COPIED | target.in(copy));
                }
                Files.copy(image, image.resolveSibling("damaged"));
            }
            for (String template : List.of("", "none", "constant", "cached", "all")) {
                String option = template.isEmpty() ? "" : ",overlap-check=" + template;
                write(sides, images, option, target.templates.contains(template), target);
            }
            write(sides, images, ",overlap-check.template=none," + target.option() + "=on", true, target);
            write(sides, images, ",overlap-check=all," + target.option() + "=off", false, target);
        }
    }

    private static void write(SideBySide sides, Path[] images, String option, boolean refused, Target target)
            throws IOException {
        for (Path image : images) {
            Files.copy(image.resolveSibling("damaged"), image, StandardCopyOption.REPLACE_EXISTING);
        }
        List<String> words =
                new ArrayList<>(List.of("--image-opts", "driver=qcow2,file.driver=file,file.filename=@/a" + option));
        words.addAll(List.of("-c", "write -P 9 64k 64k"));
        if (refused) {
            // where the first one is let through, the tables are no more what they were
            words.addAll(List.of("-c", "write -P 9 64k 64k"));
        }
        Outcome theirs = SideBySide.real("qemu-io", words, images[0].getParent(), "");
        Outcome ours = SideBySide.own("qemu-io", words, images[1].getParent(), "");
        assertEquals(theirs.status() + theirs.out(), ours.status() + ours.out(), option);
        if (refused) {
            // the real program stores bitmaps at its end, and stumbles over a directory that it has let be written over
            assertEquals(theirs.err(), ours.err(), option);
        }
        assertEquals(refused ? 1 : 0, ours.status(), () -> option + "\n" + ours);
        if (!refused) {
            return;
        }
        assertTrue(ours.err().contains("Preventing invalid write on metadata"), () -> option + "\n" + ours);
        assertEquals("", sides.step("img info @/a") + sides.step("io -c \"write 0 512\" @/a"), option);
        if (target == Target.BITMAP_DIRECTORY) {
            // bitmaps were marked as in use before the write
            return;
        }
        byte[] before = Files.readAllBytes(images[1].resolveSibling("damaged"));
        byte[] after = Files.readAllBytes(images[1]);
        // nothing but the mark, in the header's sector
        assertTrue(before.length == after.length && Arrays.mismatch(before, after) == 79, option);
        after[79] = before[79];
        assertEquals(-1, Arrays.mismatch(before, after), option);
    }
}
