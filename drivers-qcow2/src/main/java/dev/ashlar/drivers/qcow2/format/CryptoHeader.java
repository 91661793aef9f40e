package dev.ashlar.drivers.qcow2.format;

import java.lang.foreign.MemorySegment;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The header extension that says where a LUKS header with its key material lies: in clusters of its own.
 *
 * <pre>
 *   0 host offset      8 length in bytes
 * </pre>
 *
 * Source: qcow2 specification, "Full disk encryption header pointer".
 */
public record CryptoHeader(long hostOffset, long lengthBytes) {
    private static final int DATA_BYTES = 16;

    /** The first extension of that kind with a whole payload; null where there is none. */
    public static @Nullable CryptoHeader of(List<HeaderExtension> extensions) {
        for (HeaderExtension extension : extensions) {
            if (extension.type() == HeaderExtension.CRYPTO_HEADER && extension.data().length >= DATA_BYTES) {
                MemorySegment data = MemorySegment.ofArray(extension.data());
                return new CryptoHeader(Bits.u64(data, 0), Bits.u64(data, 8));
            }
        }
        return null;
    }

    public HeaderExtension toExtension() {
        byte[] bytes = new byte[DATA_BYTES];
        MemorySegment data = MemorySegment.ofArray(bytes);
        Bits.putU64(data, 0, hostOffset);
        Bits.putU64(data, 8, lengthBytes);
        return new HeaderExtension(HeaderExtension.CRYPTO_HEADER, bytes);
    }
}
