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
import java.util.stream.Stream;
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

    /** A data file's name may be any file of the host's, or describe any node. */
    @ParameterizedTest
    @ValueSource(strings = {"/etc/passwd", "json:{'driver':'file','filename':'/etc/passwd'}", "nbd://host/disk"})
    void aDataFileIsNamedButNeverOpened(String name) throws Exception {
        String made = folder + "/" + "d".repeat(60);
        assertEquals(0, run("create -q -f qcow2 -o data_file=" + made + " @data.qcow2 1M"), error());
        Files.delete(Path.of(made));
        Path image = folder.resolve("data.qcow2");
        String bytes = new String(Files.readAllBytes(image), StandardCharsets.ISO_8859_1);
        String padded = (name.replace('\'', '"') + " ".repeat(made.length())).substring(0, made.length());
        Files.write(image, bytes.replace(made, padded).getBytes(StandardCharsets.ISO_8859_1));
        for (String trust : List.of(" --untrusted", "")) {
            assertEquals(0, run("info" + trust + " @data.qcow2"), error());
            assertTrue(out.toString(StandardCharsets.UTF_8).contains("data file: " + name.charAt(0)), error());
        }
        for (String command : List.of("map", "check", "compare @plain.qcow2", "io -c read~0~64k")) {
            assertTrue(run(command + " --untrusted @data.qcow2") != 0, command);
            assertEquals(1, error().lines().count(), error());
            assertTrue(error().contains("trusted") && error().contains(name.substring(0, 4)), error());
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
        assertEquals(0, run("snapshot -c " + "n".repeat(40_000) + " @plain.qcow2"), error());
        assertEquals(0, run("snapshot -c " + "m".repeat(40_000) + " @plain.qcow2"), error());
        assertEquals(1, run("info --untrusted=max-table=64k @plain.qcow2"));
        assertTrue(error().contains("snapshot table") && error().contains("max-table"), error());
        assertEquals(0, run("info --untrusted=max-table=128k @plain.qcow2"), error());
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
        assertEquals(0, run("create -q -f qcow2 -o data_file=@data @outside.qcow2 1M"), error());
        assertEquals(1, run("resize @outside.qcow2 2M"));
        assertTrue(error().contains("data") && error().contains("-f"), error());
        assertEquals(0, run("resize -f qcow2 @outside.qcow2 2M"), error());
        assertEquals(1, run("resize @overlay.qcow2 2M"));
        assertTrue(error().contains("secret") && error().contains("-f"), error());
        assertEquals(0, run("resize -f qcow2 @overlay.qcow2 2M"), error());
        assertEquals(0, run("resize @plain.qcow2 2M"), error());
    }

    /** Images that name {@code planted}, which nothing may read: by a backing file, and by a data file. */
    private void plant() throws Exception {
        assertEquals(0, run("create -q -f qcow2 -o data_file=@planted,data_file_raw=on @data.evil 1M"), error());
        byte[] bytes = new byte[1 << 20];
        Arrays.fill(bytes, (byte) 'S');
        Files.write(folder.resolve("planted"), bytes);
        assertEquals(0, run("create -q -f qcow2 -b planted -F raw @backing.evil 1M"), error());
        assertEquals(0, run("create -q -f qcow2 -o cluster_size=512 @source.qcow2 1M"), error());
        assertEquals(0, run("io -c write~-P~1~4k~4k @source.qcow2"), error());
        assertEquals(0, run("bitmap --add @source.qcow2 b"), error());
    }

    private void requireUnread(String line) throws Exception {
        String text = new String(new char[64]).replace('\0', 'S');
        assertFalse(out.toString(StandardCharsets.ISO_8859_1).contains(text), line);
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.toList()) {
                if (Files.isRegularFile(file) && !file.endsWith("planted")) {
                    assertFalse(
                            Files.readString(file, StandardCharsets.ISO_8859_1).contains(text), line);
                }
            }
        }
        assertTrue(Files.readString(folder.resolve("planted")).equals("S".repeat(1 << 20)), line);
    }

    /** Every way to open an image, the second ones of a command too. EVIL stands for an image that names a planted file. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "amend -f qcow2 -o lazy_refcounts=on EVIL",
                "bench -c 1 -f qcow2 EVIL",
                "bitmap --merge b -b EVIL -F qcow2 @source.qcow2 b",
                "bitmap --add -f qcow2 EVIL b",
                "check -f qcow2 EVIL",
                "commit -f qcow2 EVIL",
                "compare -f qcow2 -F qcow2 @source.qcow2 EVIL",
                "compare -f qcow2 -F qcow2 EVIL @source.qcow2",
                "compare @source.qcow2 EVIL",
                "compare --image-opts driver=qcow2,file.filename=@source.qcow2 driver=qcow2,file.filename=EVIL",
                "convert -f qcow2 -O raw EVIL @out",
                "convert -O raw @source.qcow2 EVIL @out",
                "convert -f qcow2 -O qcow2 -B EVIL -F qcow2 @source.qcow2 @out",
                "convert -f qcow2 -O qcow2 -c -B EVIL -F qcow2 @source.qcow2 @out",
                "convert -f qcow2 -O qcow2 -o backing_file=EVIL,backing_fmt=qcow2 @source.qcow2 @out",
                "convert -f qcow2 -O qcow2 -B"
                        + " json:{\"driver\":\"qcow2\",\"file\":{\"driver\":\"file\",\"filename\":\"EVIL\"}} -F qcow2"
                        + " @source.qcow2 @out",
                "convert -f qcow2 -n -O qcow2 @source.qcow2 EVIL",
                "convert -f qcow2 -n -B EVIL -O qcow2 @source.qcow2 @plain.qcow2",
                "convert -f qcow2 -n --target-image-opts @source.qcow2 driver=qcow2,file.filename=EVIL",
                "convert -f qcow2 -n -O raw @source.qcow2"
                    + " json:{\"driver\":\"raw\",\"file\":{\"driver\":\"qcow2\",\"file\":{\"driver\":\"file\",\"filename\":\"EVIL\"}}}",
                "create -q -f qcow2 -b EVIL -F qcow2 @out",
                "create -q -f qcow2 -b EVIL -F qcow2 @out 2M",
                "create -q -f qcow2 -o backing_file=EVIL,backing_fmt=qcow2 @out",
                "dd -f qcow2 -O raw if=EVIL of=@out",
                "diff --from s EVIL",
                "graph EVIL",
                "group list --disk @source.qcow2 --disk EVIL",
                "group check s --disk EVIL",
                "io -f qcow2 -c read~0~64k EVIL",
                "io -r -f qcow2 -c read~-v~0~512 EVIL",
                "io -s -f qcow2 -c read~-v~0~512 EVIL",
                "io -C -f qcow2 -c read~-v~0~512 EVIL",
                "io -c open~EVIL",
                "io -c open~-o~driver=qcow2~EVIL",
                "io --image-opts -c read~-v~0~512 driver=qcow2,file.filename=EVIL",
                "io --image-opts -c read~-v~0~512"
                        + " driver=qcow2,file.filename=@source.qcow2,backing.driver=qcow2,backing.file.filename=EVIL",
                "io -c read~-v~0~512 json:{\"driver\":\"qcow2\",\"file\":{\"driver\":\"file\",\"filename\":\"EVIL\"}}",
                "map -f qcow2 EVIL",
                "measure -f qcow2 -O qcow2 EVIL",
                "rebase -f qcow2 -b EVIL -F qcow2 @source.qcow2",
                "rebase -u -f qcow2 -b @source.qcow2 -F qcow2 EVIL",
                "resize -f qcow2 EVIL 2M",
                "snapshot -l EVIL",
                "snapshot -c t EVIL"
            })
    void nothingIsReadThroughASecondImage(String command) throws Exception {
        plant();
        int at = command.indexOf(' ');
        for (String evil : List.of("@backing.evil", "@data.evil")) {
            String line = command.substring(0, at) + " --untrusted"
                    + command.substring(at).replace("EVIL", evil);
            assertTrue(run(line) != 0, line);
            assertTrue(error().contains("trusted"), line + ": " + error());
            requireUnread(line);
        }
    }

    @Test
    void aTargetAboveAnHonestFileIsMade() throws Exception {
        plant();
        assertEquals(
                0,
                run("convert --untrusted -f qcow2 -O qcow2 -B @plain.qcow2 -F qcow2 -o data_file=@data"
                        + " @source.qcow2 @out"),
                error());
        assertEquals(0, run("compare @source.qcow2 @out"), error());
        assertEquals(0, run("convert --untrusted -f qcow2 -n -O raw @source.qcow2 @disk.raw"), error());
        assertEquals(0, run("compare -f qcow2 -F raw @source.qcow2 @disk.raw"), error());
        assertEquals(0, run("create --untrusted -q -f qcow2 -b plain.qcow2 -F qcow2 @over"), error());
        // not opened, so nothing is said of it
        assertEquals(0, run("create --untrusted -q -u -f qcow2 -b backing.evil -F qcow2 @over2 1M"), error());
        requireUnread("create -u");
    }
}
