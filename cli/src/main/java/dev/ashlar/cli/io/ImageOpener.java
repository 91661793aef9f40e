package dev.ashlar.cli.io;

import dev.ashlar.cli.Trust;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.BlockNode;
import dev.ashlar.core.OpenOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Opens an image for commands: as it is, under a copy-on-read filter ({@code -C}), or under an overlay that goes away ({@code -s}). */
final class ImageOpener {
    private final BlockGraph graph;
    private final @Nullable String name;
    private final OpenSettings settings;
    private final Trust trust;

    ImageOpener(BlockGraph graph, @Nullable String name, OpenSettings settings, Trust trust) {
        this.graph = graph;
        this.name = name;
        this.settings = settings;
        this.trust = trust;
    }

    BlockBackend open() throws BlockException {
        if (settings.wantsOverlay()) {
            return openOverlay();
        }
        if (settings.wantsCopyOnRead()) {
            if (settings.isReadOnly()) {
                throw new BlockException(Kind.INVALID, "Can't use copy-on-read on read-only device");
            }
            return openOver(graph.openNode(name, options(false)), "copy-on-read", "file");
        }
        OpenOptions options = options(settings.isReadOnly() || !trust.isFull());
        return name == null ? graph.open(options) : graph.open(name, options);
    }

    private OpenOptions options(boolean forReading) throws BlockException {
        return trust.apply(settings.toOptions(forReading), String.valueOf(name));
    }

    private BlockBackend openOver(BlockNode node, String driver, String childName) throws BlockException {
        return graph.open(OpenOptions.readWrite().driverOptions(Map.of("driver", driver, childName, node.name())));
    }

    /** The overlay's file has no name any more once it is open, so it goes away however the program ends. */
    private BlockBackend openOverlay() throws BlockException {
        BlockNode below = graph.openNode(name, options(true));
        Path file = null;
        try {
            String folder = System.getenv().getOrDefault("TMPDIR", "/var/tmp");
            file = Files.createTempFile(Path.of(folder), "ashlar", ".qcow2");
            graph.createImage(file.toString(), "qcow2", Map.of("size", Long.toString(below.lengthBytes())));
            Map<String, String> options = new HashMap<>();
            options.put("driver", "qcow2");
            options.put("backing", below.name());
            options.put("file.filename", file.toString());
            return graph.open(OpenOptions.readWrite().unmap(true).driverOptions(options));
        } catch (IOException e) {
            throw new BlockException(Kind.IO, "Could not create the temporary overlay: " + e.getMessage(), e);
        } finally {
            delete(file);
        }
    }

    private static void delete(@Nullable Path file) throws BlockException {
        try {
            if (file != null) {
                Files.deleteIfExists(file);
            }
        } catch (IOException e) {
            throw new BlockException(Kind.IO, "Could not delete '" + file + "': " + e.getMessage(), e);
        }
    }
}
