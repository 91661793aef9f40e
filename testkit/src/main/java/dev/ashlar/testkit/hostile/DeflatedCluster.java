package dev.ashlar.testkit.hostile;

import java.util.Arrays;
import java.util.zip.Deflater;

/** Streams as a compressed cluster holds them: raw deflate. */
public final class DeflatedCluster {
    private DeflatedCluster() {}

    /** The stream of a cluster, or of more than one: then it is a bomb. */
    public static byte[] of(byte[] content) {
        Deflater deflater = new Deflater(Deflater.BEST_COMPRESSION, true);
        try {
            deflater.setInput(content);
            deflater.finish();
            byte[] stream = new byte[content.length + 64];
            return Arrays.copyOf(stream, deflater.deflate(stream));
        } finally {
            deflater.end();
        }
    }
}
