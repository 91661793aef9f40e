package dev.ashlar.cli;

import java.io.InputStream;
import java.io.OutputStream;

/**
 * What the launcher runs once after a build, while the JVM writes down which classes it loads: the commands scripts call most, on
 * a small image. A class that no command here needs is loaded the slow way later, nothing else.
 */
final class Training {
    private Training() {}

    /**
     * Runs the commands, one after the other in this JVM.
     *
     * @param arguments an empty folder for scratch files
     */
    public static void main(String[] arguments) {
        String image = arguments[0] + "/training.qcow2";
        String raw = arguments[0] + "/training.raw";
        run("ashlar", "--version");
        run("qemu-img", "create", "-f", "qcow2", image, "8M");
        run(
                "qemu-io",
                "-f",
                "qcow2",
                "-t",
                "none",
                "-c",
                "write -P 1 0 64k",
                "-c",
                "read -P 1 4k 4k",
                "-c",
                "flush",
                image);
        run("qemu-img", "snapshot", "-c", "one", image);
        run("qemu-img", "snapshot", "-l", image);
        run("qemu-img", "snapshot", "-a", "one", image);
        run("qemu-img", "info", image);
        run("qemu-img", "info", "--output=json", image);
        run("qemu-img", "map", "--output=json", image);
        run("qemu-img", "check", image);
        run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", image, raw);
        run("qemu-img", "compare", image, raw);
        run("qemu-img", "resize", image, "16M");
        run("qemu-img", "snapshot", "-d", "one", image);
        run("qemu-img", "info", image + ".missing");
        Runtime.getRuntime().exit(0);
    }

    private static void run(String program, String... arguments) {
        Main.run(
                program,
                arguments,
                InputStream.nullInputStream(),
                OutputStream.nullOutputStream(),
                OutputStream.nullOutputStream());
    }
}
