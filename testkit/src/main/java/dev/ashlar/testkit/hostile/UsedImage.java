package dev.ashlar.testkit.hostile;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.protocol.DirectFormat;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import java.util.Map;
import java.util.Random;

/** A sound image that somebody has worked with: data here and there, zeros, snapshots. Always the same for the same options. */
public final class UsedImage {
    private UsedImage() {}

    /**
     * Creates one.
     *
     * @param diskBytes at least 8 KiB
     * @param options of the format; without a snapshot where counts of one bit have no room for it
     */
    public static SparseBytes of(BlockDriver driver, int diskBytes, Map<String, String> options) throws BlockException {
        MemoryFile file = MemoryFile.empty("used");
        DirectFormat.create(driver, new MemoryProtocol(file), options);
        try (DirectFormat image = DirectFormat.open(driver, new MemoryProtocol(file))) {
            Random random = new Random(1);
            byte[] bytes = new byte[3000];
            for (int i = 0; i < 6; i++) {
                random.nextBytes(bytes);
                image.write(random.nextInt(diskBytes - bytes.length), bytes);
                if (i % 3 == 1 && !"1".equals(options.get("refcount_bits"))) {
                    image.createSnapshot("s" + i);
                }
            }
            image.writeZeroes(0, 8192, false);
        }
        return file.snapshot();
    }
}
