package dev.ashlar.cli.interop.differential;

import dev.ashlar.testkit.SparseBytes;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** A file below the tested image, what it must read as, and what is below itself. The content changes when something is committed into it. */
final class BackingFile {
    final Path path;
    final String format;
    final @Nullable BackingFile below;
    SparseBytes content;

    BackingFile(Path path, String format, SparseBytes content, @Nullable BackingFile below) {
        this.path = path;
        this.format = format;
        this.content = content;
        this.below = below;
    }

    /** What an empty image of this length above it reads as. */
    SparseBytes shownTo(long lengthBytes) {
        SparseBytes result = content.fork();
        result.setLengthBytes(lengthBytes);
        return result;
    }

    /** The same and all below. */
    static int depth(@Nullable BackingFile top) {
        return top == null ? 0 : 1 + depth(top.below);
    }
}
