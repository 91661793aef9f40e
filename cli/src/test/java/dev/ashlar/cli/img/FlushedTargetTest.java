package dev.ashlar.cli.img;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.cli.Main;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A copy is durable when {@code convert} says that it worked (the sixth of QEMU's weaknesses in RELIABILITY.md: it never flushes its target). */
class FlushedTargetTest {
    @TempDir
    Path folder;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    private int run(String... arguments) {
        out.reset();
        err.reset();
        return Main.run("ashlar", arguments, InputStream.nullInputStream(), out, err);
    }

    private int convert(String format, boolean failing) throws Exception {
        Path source = folder.resolve("source.raw");
        byte[] content = new byte[1 << 20];
        new Random(6).nextBytes(content);
        Files.write(source, content);
        Path target = folder.resolve("target." + format);
        assertEquals(0, run("create", "-q", "-f", format, target.toString(), "1M"));
        String below = "file.driver=blkdebug,file.image.driver=file,file.image.filename=" + target;
        String fault = failing ? ",file.inject-error.0.event=flush_to_disk,file.inject-error.0.immediately=off" : "";
        int status = run(
                "convert", "-n", "--target-image-opts", source.toString(), "driver=" + format + "," + below + fault);
        if (!failing) {
            assertEquals(
                    0,
                    run(
                            "convert",
                            "-O",
                            "raw",
                            target.toString(),
                            folder.resolve("back.raw").toString()));
            assertArrayEquals(content, Files.readAllBytes(folder.resolve("back.raw")));
        }
        return status;
    }

    /** A flush that fails is a copy that failed: so it was asked for, and waited for. */
    @Test
    void w6_convertFlushesItsTarget() throws Exception {
        for (String format : new String[] {"raw", "qcow2"}) {
            assertEquals(0, convert(format, false), () -> err.toString(StandardCharsets.UTF_8));
            assertEquals(1, convert(format, true), format);
            String message = err.toString(StandardCharsets.UTF_8);
            assertEquals(1, message.lines().count(), message);
            assertTrue(message.contains("Input/output error"), message);
        }
    }
}
