package dev.ashlar.core;

import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.ImageReference;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.core.spi.PrintableName;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The files that images name: whether one may be opened, as the {@link OpenGate} and the image's trust decide, and whether the backing
 * chain stays short and without a loop. Opens nothing itself. One object per opening, which goes down one chain at a time.
 */
final class NamedFiles {
    /** Longest backing chain, the image itself included. */
    static final int MAX_CHAIN = 200;

    private final OpenOptions options;
    /** Identities of the files in the chain from the image down to the one being opened. */
    private final List<Object> chain = new ArrayList<>();

    NamedFiles(OpenOptions options) {
        this.options = options;
    }

    /**
     * What the backing file of an image is to be opened as. Options go before what the image says.
     *
     * @param named what the image names; null where it names none, and options describe the backing file alone
     * @param spec of the image
     * @throws BlockException PERMISSION as {@link #permit}; CORRUPT for a chain that is too long or leads back
     */
    NodeSpec backing(String imageFileName, @Nullable ImageReference named, NodeSpec spec) throws BlockException {
        Map<String, String> below = spec.options("backing");
        String format = below.get("driver");
        if (named == null || below.containsKey("file.filename") || below.containsKey("file")) {
            format = format == null && named != null ? named.format() : format;
            return new NodeSpec(null, format, below, null, true, true, spec.chainDepth() + 1);
        }
        ImageReference reference = permit(imageFileName, "backing file", named);
        if (spec.chainDepth() + 1 >= MAX_CHAIN) {
            throw new BlockException(
                    Kind.CORRUPT,
                    "Backing chain is longer than " + MAX_CHAIN + " images at '" + PrintableName.of(imageFileName)
                            + "'");
        }
        String fileName = FileNames.resolve(imageFileName, reference.fileName());
        while (chain.size() > spec.chainDepth()) {
            chain.remove(chain.size() - 1);
        }
        chain.add(FileNames.identity(imageFileName));
        if (chain.contains(FileNames.identity(fileName))) {
            throw new BlockException(
                    Kind.CORRUPT,
                    "Backing file '" + PrintableName.of(fileName) + "' is already part of the backing chain");
        }
        return new NodeSpec(
                fileName, format == null ? reference.format() : format, below, null, true, true, spec.chainDepth() + 1);
    }

    /**
     * Asks the gate; whatever it says, an image that is not trusted names plain paths only.
     *
     * @return what to open instead of what the image names, or just that
     * @throws BlockException PERMISSION, or what the gate throws
     */
    ImageReference permit(String imageFileName, String childName, ImageReference named) throws BlockException {
        ImageReference reference = options.gate().permit(imageFileName, childName, named);
        if (options.has(Flag.UNTRUSTED) && FileNames.protocolOf(reference.fileName()) != null) {
            throw new BlockException(
                    Kind.PERMISSION,
                    "Image '" + PrintableName.of(imageFileName) + "' is not trusted, and its " + childName + " '"
                            + PrintableName.of(reference.fileName()) + "' is not a plain path");
        }
        return reference;
    }
}
