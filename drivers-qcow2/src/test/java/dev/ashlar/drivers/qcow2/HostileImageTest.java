package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.host.ScratchDir;
import dev.ashlar.testkit.hostile.HostileImage;
import dev.ashlar.testkit.hostile.HostileTables;
import dev.ashlar.testkit.protocol.DirectFormat;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import dev.ashlar.testkit.qemu.QemuTools;
import dev.ashlar.testkit.qemu.RequiresQemu;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Images that break a rule are refused by name of the field, at once, by Ashlar as by the real program. */
class HostileImageTest {
    static List<HostileImage> images() {
        return HostileImage.all();
    }

    static List<HostileImage> allImages() {
        List<HostileImage> all = new ArrayList<>(HostileImage.all());
        all.addAll(HostileImage.refusedByAshlarAlone());
        return all;
    }

    private static DirectFormat open(SparseBytes content, Flag... flags) throws BlockException {
        return DirectFormat.open(new Qcow2Driver(), new MemoryProtocol(MemoryFile.of("hostile", content)), flags);
    }

    @Test
    void theOneWithoutFaultOpens() throws BlockException {
        try (DirectFormat sound = open(HostileImage.sound())) {
            assertEquals(0, sound.check(Repair.NONE).corruptions());
            assertEquals(1 << 20, sound.lengthBytes());
        }
    }

    @ParameterizedTest
    @MethodSource("allImages")
    @Timeout(5)
    void refusalNamesTheField(HostileImage image) {
        for (Flag flag : List.of(Flag.READ_ONLY, Flag.UNMAP, Flag.UNTRUSTED)) {
            BlockException refusal = assertThrows(
                    BlockException.class,
                    () -> open(image.content().fork(), flag).close());
            String message = String.valueOf(refusal.getMessage());
            assertTrue(image.isWellRefusedBy(message), () -> image + ": " + message);
        }
    }

    /** What is said of a fault is said of no other field's fault. */
    @Test
    void eachFieldHasItsOwnWords() {
        List<HostileImage> all = new ArrayList<>(allImages());
        all.addAll(HostileTables.refused());
        // a file that is cut off or foreign has no field
        all.removeIf(image -> image.word().isEmpty());
        Map<String, String> fieldOf = new HashMap<>();
        for (HostileImage image : all) {
            String message = assertThrows(
                            BlockException.class,
                            () -> open(image.content().fork(), Flag.READ_ONLY).close())
                    .getMessage();
            String field = fieldOf.putIfAbsent(String.valueOf(message), image.word());
            assertTrue(field == null || field.equals(image.word()), () -> image + " and " + field + ": " + message);
        }
        assertTrue(fieldOf.size() > 45, () -> fieldOf.size() + " messages for " + all.size() + " images");
    }

    @Test
    @RequiresQemu
    void theRealProgramRefusesThemToo(@ScratchDir Path directory) throws Exception {
        Path file = directory.resolve("hostile.qcow2");
        HostileImage.sound().writeTo(file);
        QemuTools.requireClean(file);
        for (HostileImage image : images()) {
            image.content().writeTo(file);
            assertNotEquals(0, QemuTools.io("qcow2", file, List.of("length")).exitCode(), () -> image + " opens");
        }
    }
}
