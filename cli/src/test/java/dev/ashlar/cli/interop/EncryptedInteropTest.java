package dev.ashlar.cli.interop;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.cli.Main;
import dev.ashlar.testkit.host.Command;
import dev.ashlar.testkit.host.ScratchDir;
import dev.ashlar.testkit.qemu.RequiresQemu;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Encrypted images that one program makes and the other uses, with the passphrase in a file. Seed by {@code ashlar.interop.seed}. */
@RequiresQemu
class EncryptedInteropTest {
    private static final long SEED = Long.getLong("ashlar.interop.seed", System.nanoTime() & 0xffff_ffffL);
    private static final int DISK_BYTES = 2 << 20;
    private static final List<String> MEASURING = List.of("create", "amend");
    private static final int TRIES = 10;

    private static String run(boolean ours, int status, List<String> words) {
        if (!ours) {
            List<String> real = new ArrayList<>(words);
            real.set(0, words.get(0).equals("io") ? "qemu-io" : "qemu-img");
            if (!words.get(0).equals("io")) {
                real.add(1, words.get(0));
            }
            Command.Result result = Command.of(real).run();
            // the real program measures how fast it derives keys, and gives up where a busy machine upsets the clock
            for (int i = 0;
                    status == 0 && result.exitCode() != 0 && MEASURING.contains(words.get(0)) && i < TRIES;
                    i++) {
                result = Command.of(real).run();
            }
            Command.Result last = result;
            assertEquals(status, last.exitCode(), () -> String.join(" ", real) + ": " + last);
            return result.output();
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        int ended = Main.run("ashlar", words.toArray(String[]::new), new ByteArrayInputStream(new byte[0]), out, err);
        assertEquals(status, ended, () -> String.join(" ", words) + ": " + err.toString(StandardCharsets.UTF_8));
        return out.toString(StandardCharsets.UTF_8);
    }

    private static List<String> words(Path secret, String... words) {
        List<String> all = new ArrayList<>(List.of(words));
        all.addAll(1, List.of("--object", "secret,id=s0,file=" + secret));
        return all;
    }

    private static String described(Path image) {
        return "driver=qcow2,file.filename=" + image + ",encrypt.key-secret=s0";
    }

    /** Random writes by one, read by the other, turn by turn. */
    @ParameterizedTest(name = "{0}, made by {1}")
    @CsvSource({
        "cluster_size=64k, ashlar",
        "cluster_size=64k, qemu",
        "cluster_size=512, ashlar",
        "cluster_size=4k|compat=0.10, qemu",
        "cluster_size=2M, ashlar",
        "encrypt.cipher-alg=aes-128|encrypt.hash-alg=sha1, ashlar",
        "encrypt.cipher-mode=cbc|encrypt.ivgen-alg=plain, qemu",
        "encrypt.cipher-mode=cbc|encrypt.ivgen-alg=essiv|encrypt.ivgen-hash-alg=sha256, ashlar",
        "encrypt.cipher-mode=cbc|encrypt.ivgen-alg=essiv|encrypt.ivgen-hash-alg=sha256, qemu",
        "extended_l2=on, qemu"
    })
    void bothReadWhatEitherWrote(String options, String creator, @ScratchDir Path directory) throws IOException {
        Path secret = directory.resolve("secret");
        Files.writeString(secret, "open sesame");
        Path image = directory.resolve("disk.qcow2");
        String all = "encrypt.format=luks,encrypt.key-secret=s0,encrypt.iter-time=10," + options.replace('|', ',');
        run(
                creator.equals("ashlar"),
                0,
                words(secret, "create", "-q", "-f", "qcow2", "-o", all, image.toString(), "" + DISK_BYTES));
        Random random = new Random(SEED);
        List<String> verify = new ArrayList<>();
        for (int turn = 0; turn < 3; turn++) {
            List<String> commands = words(secret, "io", "--image-opts");
            for (int i = 0; i < 5; i++) {
                // each write has sectors of its own, so all of them stay true
                int at = (turn * 5 + i) * 100 * 512 + random.nextInt(20) * 512;
                int length = 512 * (1 + random.nextInt(80));
                int pattern = 1 + random.nextInt(255);
                commands.addAll(List.of("-c", "write -P " + pattern + " " + at + " " + length));
                verify.addAll(List.of("-c", "read -P " + pattern + " " + at + " " + length));
            }
            commands.add(described(image));
            run(turn % 2 == 0, 0, commands);
            for (boolean ours : new boolean[] {true, false}) {
                List<String> reading = words(secret, "io", "--image-opts");
                reading.addAll(verify);
                reading.add(described(image));
                String output = run(ours, 0, reading);
                assertTrue(!output.contains("Pattern verification failed"), "-Dashlar.interop.seed=" + SEED + output);
                String check = run(ours, 0, words(secret, "check", "--image-opts", described(image)));
                assertTrue(check.contains("No errors were found on the image."), check);
            }
        }
        assertEquals(run(false, 0, List.of("info", image.toString())), run(true, 0, List.of("info", image.toString())));
        assertEquals(
                run(false, 0, List.of("info", "--output=json", image.toString())),
                run(true, 0, List.of("info", "--output=json", image.toString())));
    }

    @Test
    void legacyImagesAreRead(@ScratchDir Path directory) throws IOException {
        Path secret = directory.resolve("secret");
        Files.writeString(secret, "open sesame");
        Path image = directory.resolve("disk.qcow2");
        run(
                false,
                0,
                words(
                        secret,
                        "create",
                        "-q",
                        "-f",
                        "qcow2",
                        "-o",
                        "encrypt.format=aes,encrypt.key-secret=s0",
                        image.toString(),
                        "" + DISK_BYTES));
        List<String> writing = words(secret, "io", "--image-opts", "-c", "write -P 5 10k 300k", described(image));
        run(false, 0, writing);
        String output = run(
                true,
                0,
                words(
                        secret,
                        "io",
                        "-r",
                        "--image-opts",
                        "-c",
                        "read -P 5 10k 300k",
                        "-c",
                        "read -P 5 70001 11",
                        "-c",
                        "read -P 0 0 10k",
                        "-c",
                        "read -P 0 310k 1M",
                        described(image)));
        assertTrue(!output.contains("Pattern verification failed"), output);
        run(true, 1, writing);
        assertEquals(run(false, 0, List.of("info", image.toString())), run(true, 0, List.of("info", image.toString())));
    }

    @Test
    void convertIntoAndOutOf(@ScratchDir Path directory) throws IOException {
        Path secret = directory.resolve("secret");
        Files.writeString(secret, "open sesame");
        Path raw = directory.resolve("raw");
        byte[] bytes = new byte[DISK_BYTES];
        new Random(SEED).nextBytes(bytes);
        java.util.Arrays.fill(bytes, 300_000, 900_000, (byte) 0);
        Files.write(raw, bytes);
        Path image = directory.resolve("disk.qcow2");
        String options = "encrypt.format=luks,encrypt.key-secret=s0,encrypt.iter-time=10";
        run(true, 0, words(secret, "convert", "-O", "qcow2", "-o", options, raw.toString(), image.toString()));
        for (boolean ours : new boolean[] {true, false}) {
            Path back = directory.resolve("back" + ours);
            run(ours, 0, words(secret, "convert", "--image-opts", "-O", "raw", described(image), back.toString()));
            assertEquals(-1, Files.mismatch(raw, back));
        }
    }

    /** A passphrase added by one, used by the other, and the first one erased. */
    @ParameterizedTest(name = "amended by {0}")
    @CsvSource({"ashlar", "qemu"})
    void passphrasesAreAmended(String amender, @ScratchDir Path directory) throws IOException {
        boolean ours = amender.equals("ashlar");
        Path secret = directory.resolve("secret");
        Path other = directory.resolve("other");
        Files.writeString(secret, "open sesame");
        Files.writeString(other, "abracadabra");
        Path image = directory.resolve("disk.qcow2");
        String all = "encrypt.format=luks,encrypt.key-secret=s0,encrypt.iter-time=10";
        run(ours, 0, words(secret, "create", "-q", "-f", "qcow2", "-o", all, image.toString(), "" + DISK_BYTES));
        String second = "secret,id=s1,file=" + other;
        String added = "encrypt.state=active,encrypt.new-secret=s1,encrypt.iter-time=10";
        run(ours, 0, words(secret, "amend", "--object", second, "-o", added, "--image-opts", described(image)));
        run(!ours, 0, words(other, "io", "--image-opts", described(image), "-c", "write -P 7 0 64k"));
        run(
                ours,
                0,
                words(
                        other,
                        "amend",
                        "-o",
                        "encrypt.state=inactive,encrypt.keyslot=0",
                        "--image-opts",
                        described(image)));
        run(!ours, 1, words(secret, "io", "--image-opts", described(image), "-c", "read -P 7 0 64k"));
        run(!ours, 0, words(other, "io", "--image-opts", described(image), "-c", "read -P 7 0 64k"));
        // what is preallocated would be decrypted to noise, which qemu-img does not mind
        run(true, 1, words(other, "resize", "--preallocation=falloc", "--image-opts", described(image), "8M"));
    }
}
