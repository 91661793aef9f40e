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
    private static final long SEED = Long.getLong("ashlar.interop.seed", 1_000_000);
    private static final int DISK_BYTES = 2 << 20;
    private static final List<String> MEASURING = List.of("create", "amend");
    private static final int TRIES = 10;
    private static final String FAST_LUKS = "encrypt.format=luks,encrypt.key-secret=s0,encrypt.iter-time=1";

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
        "encrypt.cipher-mode=cbc|encrypt.ivgen-alg=plain, ashlar",
        "encrypt.cipher-mode=cbc|encrypt.ivgen-alg=essiv|encrypt.ivgen-hash-alg=sha256, ashlar",
        "encrypt.cipher-mode=cbc|encrypt.ivgen-alg=essiv|encrypt.ivgen-hash-alg=sha256, qemu",
        "encrypt.cipher-mode=ecb, ashlar",
        "encrypt.cipher-mode=ecb|encrypt.ivgen-alg=essiv|encrypt.ivgen-hash-alg=sha256, ashlar",
        "extended_l2=on, ashlar",
        "data_file=@/data.raw, qemu",
        "data_file=@/data.raw|data_file_raw=on|cluster_size=4k, ashlar",
        "preallocation=metadata, ashlar"
    })
    void bothReadWhatEitherWrote(String options, String creator, @ScratchDir Path directory) throws IOException {
        Path secret = directory.resolve("secret");
        Files.writeString(secret, "open sesame");
        Path image = directory.resolve("disk.qcow2");
        String all = FAST_LUKS + "," + options.replace('|', ',').replace("@", directory.toString());
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
        String options = "encrypt.format=luks,encrypt.key-secret=s0,encrypt.iter-time=1";
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
        String all = "encrypt.format=luks,encrypt.key-secret=s0,encrypt.iter-time=1";
        run(ours, 0, words(secret, "create", "-q", "-f", "qcow2", "-o", all, image.toString(), "" + DISK_BYTES));
        String second = "secret,id=s1,file=" + other;
        String added = "encrypt.state=active,encrypt.new-secret=s1,encrypt.iter-time=1";
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
    }

    private static void requirePatterns(boolean ours, Path secret, Path image, String... reads) {
        List<String> reading = words(secret, "io", "--image-opts");
        for (String read : reads) {
            reading.addAll(List.of("-c", "read -P " + read));
        }
        reading.add(described(image));
        String output = run(ours, 0, reading);
        assertTrue(!output.contains("Pattern verification failed"), output);
    }

    /** In what the real program allocates ahead it reads noise; in what is allocated here it reads zeros. */
    @ParameterizedTest(name = "{0}, {1}")
    @CsvSource({
        "metadata, cluster_size=64k",
        "falloc, compat=0.10",
        "full, extended_l2=on",
        "metadata, data_file=@/data.raw",
        "full, data_file=@/data.raw|data_file_raw=on"
    })
    void whatIsAllocatedAheadReadsAsZerosInBoth(String mode, String options, @ScratchDir Path directory)
            throws IOException {
        Path secret = directory.resolve("secret");
        Files.writeString(secret, "open sesame");
        Path image = directory.resolve("disk.qcow2");
        String all = FAST_LUKS + ",preallocation=" + mode + ","
                + options.replace('|', ',').replace("@", directory.toString());
        run(true, 0, words(secret, "create", "-q", "-f", "qcow2", "-o", all, image.toString(), "1000k"));
        requirePatterns(false, secret, image, "0 0 1000k");
        run(false, 0, words(secret, "io", "--image-opts", "-c", "write -P 6 100k 10k", described(image)));
        String preallocation = "--preallocation=" + mode;
        run(true, 0, words(secret, "resize", preallocation, "--image-opts", described(image), "3000k"));
        for (boolean ours : new boolean[] {false, true}) {
            requirePatterns(ours, secret, image, "0 0 100k", "6 100k 10k", "0 110k 2890k");
            run(ours, 0, words(secret, "check", "--image-opts", described(image)));
        }
        run(true, 0, words(secret, "io", "--image-opts", "-c", "write -P 8 2000k 3k", described(image)));
        requirePatterns(false, secret, image, "0 1900k 100k", "8 2000k 3k", "0 2003k 500k");
    }

    /** Zeros of version 3 become zeros of version 2, also where a backing file would show. */
    @Test
    void zerosStayZerosInVersion2(@ScratchDir Path directory) throws IOException {
        Path secret = directory.resolve("secret");
        Files.writeString(secret, "open sesame");
        Path image = directory.resolve("disk.qcow2");
        Path base = directory.resolve("base");
        byte[] bytes = new byte[1 << 20];
        java.util.Arrays.fill(bytes, (byte) 9);
        Files.write(base, bytes);
        String all = FAST_LUKS + ",backing_fmt=raw,backing_file=" + base;
        run(true, 0, words(secret, "create", "-q", "-f", "qcow2", "-o", all, image.toString()));
        run(
                false,
                0,
                words(
                        secret,
                        "io",
                        "--image-opts",
                        "-c",
                        "write -P 7 0 256k",
                        "-c",
                        "write -z 64k 64k",
                        "-c",
                        "write -z -u 512k 64k",
                        described(image)));
        run(true, 0, words(secret, "amend", "-o", "compat=0.10", "--image-opts", described(image)));
        for (boolean ours : new boolean[] {false, true}) {
            requirePatterns(ours, secret, image, "7 0 64k", "0 64k 64k", "7 128k 128k", "9 256k 256k", "0 512k 64k");
            run(ours, 0, words(secret, "check", "--image-opts", described(image)));
        }
    }

    /** All eight slots, filled by one and by the other; each passphrase opens the disk for both. */
    @Test
    void eightPassphrases(@ScratchDir Path directory) throws IOException {
        Path image = directory.resolve("disk.qcow2");
        List<Path> secrets = new ArrayList<>();
        for (int i = 0; i < 9; i++) {
            Path secret = directory.resolve("secret" + i);
            Files.writeString(secret, "passphrase " + i);
            secrets.add(secret);
        }
        run(true, 0, words(secrets.get(0), "create", "-q", "-f", "qcow2", "-o", FAST_LUKS, image.toString(), "1M"));
        String added = "encrypt.state=active,encrypt.new-secret=s1,encrypt.iter-time=1";
        for (int i = 1; i < 9; i++) {
            String next = "secret,id=s1,file=" + secrets.get(i);
            List<String> words =
                    words(secrets.get(i - 1), "amend", "--object", next, "-o", added, "--image-opts", described(image));
            // there is no ninth; the real program takes long to measure how fast it is
            run(i != 3, i < 8 ? 0 : 1, words);
        }
        for (int i = 0; i < 8; i++) {
            List<String> words = words(secrets.get(i), "check", "--image-opts", described(image));
            run(true, 0, words);
            run(false, 0, words);
        }
        assertEquals(run(false, 0, List.of("info", image.toString())), run(true, 0, List.of("info", image.toString())));
        String last = "encrypt.state=inactive,encrypt.keyslot=";
        for (int i = 0; i < 7; i++) {
            run(i % 2 == 0, 0, words(secrets.get(7), "amend", "-o", last + i, "--image-opts", described(image)));
        }
        run(true, 1, words(secrets.get(7), "amend", "-o", last + 7, "--image-opts", described(image)));
        run(false, 0, words(secrets.get(7), "check", "--image-opts", described(image)));
        run(true, 0, words(secrets.get(7), "amend", "--force", "-o", last + 7, "--image-opts", described(image)));
        run(false, 1, words(secrets.get(7), "check", "--image-opts", described(image)));
    }

    /** Copies into encrypted disks of every kind, and between them. */
    @ParameterizedTest(name = "{0}")
    @CsvSource({
        "encrypt.cipher-alg=aes-128|encrypt.hash-alg=sha512",
        "encrypt.cipher-alg=aes-256|encrypt.cipher-mode=cbc|encrypt.ivgen-alg=essiv|encrypt.ivgen-hash-alg=sha256",
        "encrypt.cipher-mode=ecb|encrypt.ivgen-alg=plain|encrypt.hash-alg=sha1",
        "encrypt.hash-alg=sha224|preallocation=metadata",
        "encrypt.hash-alg=sha384|data_file=@/data.raw|data_file_raw=on"
    })
    void convertWithEveryOption(String options, @ScratchDir Path directory) throws IOException {
        Path secret = directory.resolve("secret");
        Files.writeString(secret, "b3BlbiBzZXNhbWU=\n");
        List<String> object = List.of("--object", "secret,id=s0,format=base64,file=" + secret);
        Path raw = directory.resolve("raw");
        byte[] bytes = new byte[DISK_BYTES];
        new Random(SEED).nextBytes(bytes);
        java.util.Arrays.fill(bytes, 300_000, 900_000, (byte) 0);
        Files.write(raw, bytes);
        Path image = directory.resolve("disk.qcow2");
        String all = FAST_LUKS + "," + options.replace('|', ',').replace("@", directory.toString());
        List<String> in = new ArrayList<>(List.of("convert"));
        in.addAll(object);
        in.addAll(List.of("-O", "qcow2", "-o", all, raw.toString(), image.toString()));
        run(true, 0, in);
        for (boolean ours : new boolean[] {false, true}) {
            List<String> compared = new ArrayList<>(List.of("compare"));
            compared.addAll(object);
            compared.addAll(List.of("--image-opts", described(image), "driver=raw,file.filename=" + raw));
            assertTrue(run(ours, 0, compared).contains("Images are identical."));
        }
        assertEquals(run(false, 0, List.of("info", image.toString())), run(true, 0, List.of("info", image.toString())));
    }
}
