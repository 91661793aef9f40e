package dev.ashlar.cli.interop.differential;

import java.nio.file.Path;

/** A file of bytes that no codec makes smaller. */
record Noise(Path file, byte[] content) {
    /** What {@code write -s} writes: the file again and again. */
    byte[] repeated(int lengthBytes) {
        byte[] result = new byte[lengthBytes];
        for (int at = 0; at < lengthBytes; at += content.length) {
            System.arraycopy(content, 0, result, at, Math.min(content.length, lengthBytes - at));
        }
        return result;
    }
}
