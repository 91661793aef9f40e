package dev.ashlar.drivers.qcow2.format;

import java.util.Objects;

/**
 * One header extension, kept as it was found.
 *
 * @param type magic number
 * @param data payload without padding
 */
@SuppressWarnings("ArrayRecordComponent")
public record HeaderExtension(int type, byte[] data) {
    public static final int END = 0;
    public static final int BACKING_FORMAT = 0xE2792ACA;
    public static final int FEATURE_NAMES = 0x6803f857;
    public static final int BITMAPS = 0x23852875;
    public static final int CRYPTO_HEADER = 0x0537be77;
    public static final int DATA_FILE = 0x44415441;

    public HeaderExtension {
        Objects.requireNonNull(data, "data");
    }

    /** Bytes on disk: 8 of head, then the data padded to 8. */
    public int encodedBytes() {
        return 8 + ((data.length + 7) & ~7);
    }
}
