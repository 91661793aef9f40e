package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.bitmap.DirtyBitmap;
import dev.ashlar.core.spi.FormatInstance;
import dev.ashlar.core.spi.Mapping;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.core.spi.VmStateCapable;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.protocol.DirectFormat;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.UnaryOperator;

/** What an image holds besides its disks. */
final class RawFacts {
    private static final int FEATURE_NAMES = 0x6803f857;

    private RawFacts() {}

    static DirectFormat open(SparseBytes image, ImageShape shape, Flag... flags) throws BlockException {
        return shape.open(new Qcow2Driver(), new MemoryProtocol(MemoryFile.of("read", image.fork())), flags);
    }

    /** Version, width of counts, whether they may be lazy, and the backing file. */
    static Map<String, String> header(SparseBytes image, ImageShape shape) throws BlockException {
        ByteBuffer head = ByteBuffer.wrap(image.read(0, 104));
        int version = head.getInt(4);
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put("version", Integer.toString(version));
        facts.put("refcount order", Integer.toString(version == 2 ? 4 : head.getInt(96)));
        facts.put("lazy", Boolean.toString(version > 2 && (head.getLong(80) & 1) != 0));
        try (DirectFormat format = open(image, shape, Flag.READ_ONLY)) {
            facts.put("backing", format.format().backing().toString());
        }
        return facts;
    }

    /** Each bitmap with its bits, or that it is known to be out of date. */
    static Map<String, String> bitmaps(SparseBytes image, ImageShape shape) throws BlockException {
        Map<String, String> facts = new LinkedHashMap<>();
        try (BitmapDisk disk = new BitmapDisk(UnaryOperator.identity(), image.fork());
                BlockBackend backend = disk.openReading()) {
            for (DirtyBitmap bitmap : backend.root().bitmaps().list()) {
                facts.put(
                        String.valueOf(bitmap.name()),
                        bitmap.isInconsistent()
                                ? Change.UNKNOWN
                                : bitmap.isEnabled() + " " + BitmapDisk.sectors(bitmap));
            }
        }
        return facts;
    }

    /** As {@link #bitmaps}, where an image that says it keeps none has lost all that the format lets it lose. */
    static Map<String, String> bitmapsIfAny(SparseBytes image, ImageShape shape) throws BlockException {
        boolean kept = (image.read(95, 1)[0] & 1) != 0;
        return kept ? bitmaps(image, shape) : Map.of("a", Change.UNKNOWN, "b", Change.UNKNOWN, "c", Change.UNKNOWN);
    }

    /** What the live disk has of a machine, in short. */
    static String vmState(DirectFormat image, int count) throws BlockException {
        FormatInstance area =
                image.format().capability(VmStateCapable.class).orElseThrow().openVmState();
        byte[] bytes = new byte[count];
        for (int done = 0; done < count; ) {
            Mapping mapping = area.map(done, count - done);
            int length = Math.toIntExact(mapping.lengthBytes());
            if (mapping instanceof Mapping.Data data) {
                data.child()
                        .read(data.hostOffset(), MemorySegment.ofArray(bytes).asSlice(done, length));
            }
            done += length;
        }
        area.close();
        return count + " bytes, " + Arrays.hashCode(bytes);
    }

    /** The table of feature names ends so that an extension behind it lies in the first sector and in the second. */
    static void shortenFeatureNames(RawImage image) throws BlockException {
        long at = image.u32(100);
        if (image.u32(at) != FEATURE_NAMES) {
            throw new IllegalStateException("names of features come first");
        }
        int end = 496;
        image.putU32(at + 4, (int) (end - at - 8));
        image.put(end, new byte[64]);
    }
}
