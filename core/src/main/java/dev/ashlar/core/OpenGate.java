package dev.ashlar.core;

import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.ImageReference;
import dev.ashlar.core.spi.PrintableName;

/**
 * Decides about every file that is named <em>inside</em> an image (backing file, data file) before it is opened.
 *
 * <p>Called by the thread that opens the image; may look at the host but not change the graph.
 */
@FunctionalInterface
public interface OpenGate {
    /** Lets everything pass. */
    OpenGate ALLOW = new OpenGate() {
        @Override
        public ImageReference permit(String imageFileName, String childName, ImageReference reference) {
            return reference;
        }
    };

    /** Lets nothing pass. */
    OpenGate REFUSE = new OpenGate() {
        @Override
        public ImageReference permit(String imageFileName, String childName, ImageReference reference)
                throws BlockException {
            throw new BlockException(
                    Kind.PERMISSION,
                    "Image '" + PrintableName.of(imageFileName) + "' names a " + childName + " '"
                            + PrintableName.of(reference.fileName()) + "', which is not opened for an untrusted image");
        }
    };

    /**
     * @param imageFileName the image that names the file
     * @param childName name of the edge, for instance {@code backing}
     * @param reference as it stands in the image
     * @return what to open instead, usually the reference itself
     * @throws BlockException to refuse; fails the whole opening
     */
    ImageReference permit(String imageFileName, String childName, ImageReference reference) throws BlockException;
}
