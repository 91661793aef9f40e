package dev.ashlar.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The LUKS header in what {@code measure} says. The expected numbers are those of qemu-img 7.2, which is not run here: it measures the
 * speed of the key derivation first, and on a busy host ends with "Unable to get accurate CPU usage".
 */
class MeasuredEncryptionTest {
    @TempDir
    Path folder;

    @Test
    void headerOfAes256IsCounted() {
        assertEquals("required size: 2490368\nfully allocated size: 1076232192\n", measured(""));
    }

    @Test
    void headerOfAes128IsCounted() {
        assertEquals(
                "required size: 1507328\nfully allocated size: 1075249152\n", measured(",encrypt.cipher-alg=aes-128"));
    }

    private String measured(String furtherOptions) {
        List<String> words = List.of(
                "measure",
                "--size",
                "1G",
                "-O",
                "qcow2",
                "--object",
                "secret,id=s,data=x",
                "-o",
                "encrypt.format=luks,encrypt.key-secret=s" + furtherOptions);
        SideBySide.Outcome outcome = SideBySide.own("qemu-img", words, folder, "");
        assertEquals("", outcome.err());
        return outcome.out();
    }
}
