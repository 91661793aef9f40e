package dev.ashlar.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code --untrusted}: every command reads such an image, none writes to it, and none opens a file that it names. */
class UntrustedTest {
    @TempDir
    Path folder;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    private int run(String line) {
        out.reset();
        err.reset();
        List<String> words = new ArrayList<>();
        for (String word : line.split(" ")) {
            words.add(word.replace("@", folder + "/").replace('~', ' '));
        }
        String[] arguments = words.toArray(new String[0]);
        int status = Main.run("ashlar", arguments, InputStream.nullInputStream(), out, err);
        assertFalse(error().contains("internal error"), error());
        return status;
    }

    private String error() {
        return err.toString(StandardCharsets.UTF_8);
    }

    @BeforeEach
    void images() {
        assertEquals(0, run("create -q -f qcow2 @plain.qcow2 1M"), error());
        assertEquals(0, run("io -c write~-P~7~0~64k @plain.qcow2"), error());
        assertEquals(0, run("snapshot -c s @plain.qcow2"), error());
        assertEquals(0, run("create -q -f raw @secret 1M"), error());
        assertEquals(0, run("create -q -f qcow2 -b secret -F raw @overlay.qcow2"), error());
        assertEquals(0, run("create -q -f raw @disk.raw 1M"), error());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "info",
                "check",
                "map",
                "snapshot -l",
                "compare @plain.qcow2",
                "bench -c 8",
                "convert -O raw @plain.qcow2 @target.raw",
                "graph",
                "diff --from s",
                "io -c read~-P~7~0~64k",
                "group list --disk @plain.qcow2",
                "group check s --disk @plain.qcow2"
            })
    void readingCommandsReadButFollowNothing(String command) {
        String plain = command.startsWith("convert") || command.startsWith("group") ? "" : " @plain.qcow2";
        assertEquals(0, run(command + " --untrusted" + plain), error());
        if (!command.startsWith("info")) {
            String overlay = (command + " --untrusted" + (plain.isEmpty() ? "" : " @overlay.qcow2"))
                    .replace("@plain.qcow2", "@overlay.qcow2")
                    .replace("compare @overlay.qcow2", "compare @plain.qcow2");
            assertTrue(run(overlay) != 0, overlay);
            assertTrue(error().contains("secret") && error().contains("untrusted"), error());
        }
    }

    @Test
    void infoTellsWhatTheImageNamesAndOpensNothing() throws Exception {
        Files.delete(folder.resolve("secret"));
        for (String chain : List.of("", " --backing-chain")) {
            assertEquals(0, run("info --untrusted" + chain + " @overlay.qcow2"), error());
            String text = out.toString(StandardCharsets.UTF_8);
            assertTrue(text.contains("backing file: secret"), text);
            assertEquals(text.indexOf("image: "), text.lastIndexOf("image: "), text);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "snapshot -c t",
                "snapshot -a s",
                "snapshot -d s",
                "check -r all",
                "check -r leaks",
                "bench -w -c 8",
                "group create t --disk @plain.qcow2",
                "group delete s --disk @plain.qcow2",
                "io -c write~0~64k"
            })
    void nothingIsWritten(String command) throws Exception {
        byte[] before = Files.readAllBytes(folder.resolve("plain.qcow2"));
        String operand = command.startsWith("group") ? "" : " @plain.qcow2";
        assertEquals(1, run(command + " --untrusted" + operand), error());
        assertArrayEquals(before, Files.readAllBytes(folder.resolve("plain.qcow2")));
        assertEquals(1, run("resize --untrusted -f qcow2 @plain.qcow2 2M"), error());
        assertTrue(error().contains("not trusted"), error());
        assertArrayEquals(before, Files.readAllBytes(folder.resolve("plain.qcow2")));
    }

    @Test
    void aFormatIsGivenOrShownByItsMagic() {
        assertEquals(1, run("info --untrusted @disk.raw"));
        assertTrue(error().contains("Could not determine image format"), error());
        assertEquals(0, run("info --untrusted -f raw @disk.raw"), error());
    }

    @Test
    void limitsAreTightAndRaisedByOptions() {
        assertEquals(0, run("create -q -f qcow2 @large.qcow2 100T"), error());
        assertEquals(1, run("info --untrusted @large.qcow2"));
        assertTrue(error().contains("virtual size") && error().contains("max-size"), error());
        assertEquals(0, run("info --untrusted=max-size=1P,max-table=32M @large.qcow2"), error());
        assertEquals(1, run("info --untrusted=max-snapshots=0 @plain.qcow2"));
        assertTrue(error().contains("snapshots"), error());
        assertEquals(1, run("info --untrusted=max-colour=3 @plain.qcow2"));
        assertTrue(error().contains("max-colour"), error());
    }

    @Test
    void dirtyAndCorruptImagesAreRefused() throws Exception {
        Path image = folder.resolve("plain.qcow2");
        byte[] bytes = Files.readAllBytes(image);
        for (int bit : new int[] {1, 2}) {
            byte[] marked = Arrays.copyOf(bytes, bytes.length);
            marked[79] |= (byte) bit;
            Files.write(image, marked);
            assertEquals(1, run("convert --untrusted -O raw @plain.qcow2 @target.raw"));
            assertTrue(error().contains("dirty or corrupt"), error());
        }
    }

    /** Not only untrusted ones: who resizes without naming the format is not led astray by a planted header. */
    @Test
    void resizingWithoutAFormatFollowsNothing() {
        assertEquals(1, run("resize @overlay.qcow2 2M"));
        assertTrue(error().contains("secret") && error().contains("-f"), error());
        assertEquals(0, run("resize -f qcow2 @overlay.qcow2 2M"), error());
        assertEquals(0, run("resize @plain.qcow2 2M"), error());
    }
}
