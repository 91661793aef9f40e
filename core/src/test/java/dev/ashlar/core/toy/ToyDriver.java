package dev.ashlar.core.toy;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.DriverInstance;
import dev.ashlar.core.spi.DriverKind;
import dev.ashlar.core.spi.OpenRequest;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;

/** Format {@code toy}: clusters, copy on write, snapshots, a backing file. Files that start with {@code TOY!} are probed as it. */
public final class ToyDriver implements BlockDriver {
    public final Map<String, ToyImage> images = new ConcurrentHashMap<>();
    public volatile boolean failOpen;
    /** How many more openings fail. */
    public final AtomicInteger failNextOpens = new AtomicInteger();

    /** Asked at each opening: whether it fails. */
    public volatile BooleanSupplier refusal = () -> false;

    /** How many more openings find bitmaps that can't be read. */
    public final AtomicInteger failNextBitmaps = new AtomicInteger();

    public ToyImage image(String fileName, int clusterBytes, long lengthBytes) {
        ToyImage image = new ToyImage(clusterBytes, lengthBytes);
        images.put(fileName, image);
        return image;
    }

    @Override
    public String name() {
        return "toy";
    }

    @Override
    public DriverKind kind() {
        return DriverKind.FORMAT;
    }

    @Override
    public int probe(MemorySegment head) {
        byte[] magic = {'T', 'O', 'Y', '!'};
        for (int i = 0; i < magic.length; i++) {
            if (head.byteSize() <= i || head.get(ValueLayout.JAVA_BYTE, i) != magic[i]) {
                return 0;
            }
        }
        return 100;
    }

    @Override
    public DriverInstance open(OpenRequest request) throws BlockException {
        ToyImage image = images.get(request.file().fileName());
        if (failOpen
                || image == null
                || refusal.getAsBoolean()
                || failNextOpens.getAndUpdate(n -> Math.max(0, n - 1)) > 0) {
            throw new BlockException(Kind.CORRUPT, "Image is not in toy format");
        }
        image.openInstances.incrementAndGet();
        return new ToyInstance(image, request.file(), failNextBitmaps.getAndUpdate(n -> Math.max(0, n - 1)) > 0);
    }
}
