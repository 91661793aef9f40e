package dev.ashlar.testkit.crash;

import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.protocol.MemoryFile;
import java.util.function.IntPredicate;

/** A change of a file, or a flush, as it went to the protocol. */
public sealed interface DiskOperation {
    /** What can't tear. */
    int SECTOR_BYTES = 512;

    /** Sectors that can be there or not one by one; 1 for what happens whole. */
    int sectorCount();

    /**
     * Applies the operation to an image.
     *
     * @param sectors which of the sectors, counted from the one that the operation starts in, take the change
     */
    void apply(SparseBytes image, IntPredicate sectors);

    /** Applies all of it. */
    default void apply(SparseBytes image) {
        apply(image, sector -> true);
    }

    /** What changes a range of bytes. */
    sealed interface Ranged extends DiskOperation {
        long offset();

        long lengthBytes();

        void applyPart(SparseBytes image, long partOffset, long partLengthBytes);

        @Override
        default int sectorCount() {
            return Math.toIntExact(Math.ceilDiv(offset() + lengthBytes(), SECTOR_BYTES) - offset() / SECTOR_BYTES);
        }

        @Override
        default void apply(SparseBytes image, IntPredicate sectors) {
            long firstSector = offset() / SECTOR_BYTES;
            int count = sectorCount();
            int sector = 0;
            while (sector < count) {
                if (!sectors.test(sector)) {
                    sector++;
                    continue;
                }
                int end = sector + 1;
                while (end < count && sectors.test(end)) {
                    end++;
                }
                long from = Math.max(offset(), (firstSector + sector) * SECTOR_BYTES);
                long to = Math.min(offset() + lengthBytes(), (firstSector + end) * SECTOR_BYTES);
                applyPart(image, from, to - from);
                sector = end;
            }
        }
    }

    /**
     * Bytes written.
     *
     * @param content not to be changed by anyone
     * @param metadata whether it came through the metadata face
     */
    record Write(long offset, byte[] content, boolean metadata) implements Ranged {
        @Override
        public long lengthBytes() {
            return content.length;
        }

        @Override
        public void applyPart(SparseBytes image, long partOffset, long partLengthBytes) {
            image.write(partOffset, content, (int) (partOffset - offset), (int) partLengthBytes);
        }

        @Override
        public String toString() {
            return (metadata ? "metadata " : "data ") + offset + "+" + content.length;
        }
    }

    /** A range made zeros. */
    record Zero(long offset, long lengthBytes) implements Ranged {
        @Override
        public void applyPart(SparseBytes image, long partOffset, long partLengthBytes) {
            image.fill(partOffset, partLengthBytes, (byte) 0);
        }

        @Override
        public String toString() {
            return "zero " + offset + "+" + lengthBytes;
        }
    }

    /** A range given up; it holds a marker afterwards that no driver may rely on. Does not grow the file. */
    record Discard(long offset, long lengthBytes) implements Ranged {
        @Override
        public void applyPart(SparseBytes image, long partOffset, long partLengthBytes) {
            long end = Math.min(partOffset + partLengthBytes, image.lengthBytes());
            if (end > partOffset) {
                image.fill(partOffset, end - partOffset, MemoryFile.DISCARDED);
            }
        }

        @Override
        public String toString() {
            return "discard " + offset + "+" + lengthBytes;
        }
    }

    /** A new length. */
    record Truncate(long lengthBytes) implements DiskOperation {
        @Override
        public int sectorCount() {
            return 1;
        }

        @Override
        public void apply(SparseBytes image, IntPredicate sectors) {
            if (sectors.test(0)) {
                image.setLengthBytes(lengthBytes);
            }
        }

        @Override
        public String toString() {
            return "truncate " + lengthBytes;
        }
    }

    /** Not a change: makes sure of the changes that completed before it began. */
    record Flush() implements DiskOperation {
        @Override
        public int sectorCount() {
            return 0;
        }

        @Override
        public void apply(SparseBytes image, IntPredicate sectors) {}

        @Override
        public String toString() {
            return "flush";
        }
    }
}
