package dev.ashlar.benchmarks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Large images, made by {@code qemu-img}, whose clusters are all allocated and never written: tables without the data. */
final class MappedImages {
    private static final String TOOL = "qemu-img";

    private MappedImages() {}

    /** Whether the tool is there. */
    static boolean canBeMade() {
        String path = System.getenv("PATH");
        if (path == null) {
            return false;
        }
        for (String folder : path.split(":")) {
            if (Files.isExecutable(Path.of(folder, TOOL))) {
                return true;
            }
        }
        return false;
    }

    /** A new image with clusters of 64 KiB, opened. */
    static Disk open(long diskBytes) throws IOException {
        Path file = Scratch.file(".qcow2");
        String[] command = {
            TOOL,
            "create",
            "-q",
            "-f",
            "qcow2",
            "-o",
            "preallocation=metadata",
            file.toString(),
            Long.toString(diskBytes)
        };
        Process process = new ProcessBuilder(command).inheritIO().start();
        try {
            int status = process.waitFor();
            if (status != 0) {
                throw new IOException(TOOL + " ended with status " + status);
            }
        } catch (InterruptedException e) {
            process.destroy();
            throw new IOException("interrupted", e);
        }
        return Disk.open(file, "qcow2");
    }
}
