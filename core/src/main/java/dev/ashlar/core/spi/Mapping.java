package dev.ashlar.core.spi;

/**
 * Where a stretch of a node's content lives. It always begins at the guest offset that was asked for and covers {@code
 * lengthBytes} (at least 1 but for {@link EndOfImage}), possibly many clusters, at most what was asked for. Valid only while the
 * request it was made for is tracked.
 */
public sealed interface Mapping {
    /** Guest bytes covered from the offset that was asked for on. */
    long lengthBytes();

    /** Plain bytes in a child, contiguous. */
    record Data(ChildAccess child, long hostOffset, long lengthBytes) implements Mapping {}

    /**
     * Reads as zeros without I/O.
     *
     * @param hostOffset host space that is kept allocated for the range, or -1
     */
    record Zero(long lengthBytes, long hostOffset) implements Mapping {}

    /**
     * Not allocated in this node: the backing child answers, zeros where there is none or it is shorter.
     *
     * @param hostOffset host space that is kept for the range, or -1
     */
    record Backing(long lengthBytes, long hostOffset) implements Mapping {
        /** No host space is kept for the range. */
        public Backing(long lengthBytes) {
            this(lengthBytes, -1);
        }
    }

    /**
     * Only the driver can turn it into bytes: {@link FormatInstance#decode}.
     *
     * @param kind what it is, for messages and {@code map}
     * @param descriptor the driver's own word for the place
     */
    record Encoded(Kind kind, long descriptor, long lengthBytes) implements Mapping {
        /** Kinds of encoding. */
        public enum Kind {
            COMPRESSED,
            ENCRYPTED
        }
    }

    /** Nothing there: the offset is at or behind the end. */
    record EndOfImage() implements Mapping {
        @Override
        public long lengthBytes() {
            return 0;
        }
    }
}
