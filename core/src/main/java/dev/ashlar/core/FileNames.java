package dev.ashlar.core;

import dev.ashlar.core.spi.BlockDriver;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import org.jspecify.annotations.Nullable;

/** File names as image tools understand them: paths, or {@code protocol:rest}. */
final class FileNames {
    private FileNames() {}

    /** The protocol in front of a name, or null: a colon before any slash makes one. */
    static @Nullable String protocolOf(String fileName) {
        for (int i = 0; i < fileName.length(); i++) {
            char c = fileName.charAt(i);
            if (c == '/') {
                return null;
            }
            if (c == ':') {
                return fileName.substring(0, i);
            }
        }
        return null;
    }

    /** A path that could be taken for a name with a protocol in front gets its folder named. */
    static String plain(String path, BlockDriver opener) {
        return opener.needsFileName() && protocolOf(path) != null ? "./" + path : path;
    }

    /** A name that stands in an image, relative to the folder of that image. */
    static String resolve(String imageFileName, String name) {
        if (name.startsWith("/") || protocolOf(name) != null) {
            return name;
        }
        int slash = imageFileName.lastIndexOf('/');
        if (slash >= 0) {
            return imageFileName.substring(0, slash + 1) + name;
        }
        String protocol = protocolOf(imageFileName);
        return protocol == null ? name : protocol + ":" + name;
    }

    /** Something that is equal for two names of one file: device and inode, or else the name. */
    static Object identity(String fileName) {
        try {
            Object key = Files.readAttributes(Path.of(fileName), BasicFileAttributes.class)
                    .fileKey();
            return key == null ? fileName : key;
        } catch (IOException | InvalidPathException e) {
            return fileName;
        }
    }
}
