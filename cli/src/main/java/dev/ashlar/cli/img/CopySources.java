package dev.ashlar.cli.img;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockNode;
import dev.ashlar.core.BlockStatus;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Images that are read one behind the other, as one disk; each is filled up to a multiple of 512 bytes with zeros. */
final class CopySources {
    private static final int SECTOR = 512;

    private final List<BlockBackend> images;
    private final long[] starts;
    private final @Nullable Salvage salvage;

    /** @param salvage reads on where an image fails; null for the failure */
    CopySources(List<BlockBackend> images, @Nullable Salvage salvage) throws BlockException {
        this.salvage = salvage;
        this.images = List.copyOf(images);
        starts = new long[images.size() + 1];
        for (int i = 0; i < images.size(); i++) {
            long sectors = (images.get(i).lengthBytes() + SECTOR - 1) / SECTOR;
            starts[i + 1] = Math.addExact(starts[i], Math.multiplyExact(sectors, SECTOR));
        }
    }

    long lengthBytes() {
        return starts[images.size()];
    }

    /**
     * What lies at an offset.
     *
     * @param ownLayerOnly ask the top layer alone: what it does not have comes from a backing file
     */
    Extent look(long offset, long lengthBytes, boolean ownLayerOnly) throws BlockException {
        int number = imageAt(offset);
        BlockBackend image = images.get(number);
        long local = offset - starts[number];
        long rest = Math.min(lengthBytes, starts[number + 1] - offset);
        long readable = image.lengthBytes() - local;
        if (readable <= 0) {
            return new Extent(rest, true, false);
        }
        long asked = Math.min(rest, readable);
        BlockStatus status = status(image, local, asked, ownLayerOnly);
        long found = Math.min(status.lengthBytes(), asked);
        // A last part of a sector belongs to what is before it.
        long length = found == readable ? Math.min(rest, roundUp(found)) : found;
        if (ownLayerOnly && !status.allocated()) {
            return notInTopLayer(image, local, length);
        }
        return new Extent(length, status.zero(), status.data());
    }

    /** A run that comes from the image's own backing file as far as that reaches; behind its end, zeros that no other backing file has to have. */
    private static Extent notInTopLayer(BlockBackend image, long local, long lengthBytes) throws BlockException {
        Optional<BlockNode> backing = BackingChain.backing(image.root());
        long backed = backing.isPresent() ? backing.get().lengthBytes() - local : 0;
        if (backed <= 0) {
            return new Extent(lengthBytes, true, false);
        }
        if (backed < SECTOR) {
            // a sector of both kinds is read
            return new Extent(Math.min(lengthBytes, SECTOR), false, true);
        }
        return new Extent(Math.min(lengthBytes, backed - backed % SECTOR), false, false);
    }

    private BlockStatus status(BlockBackend image, long local, long lengthBytes, boolean ownLayerOnly)
            throws BlockException {
        if (salvage != null) {
            return salvage.status(image, local, lengthBytes, ownLayerOnly);
        }
        return ownLayerOnly ? image.allocatedHere(local, lengthBytes) : image.status(local, lengthBytes);
    }

    void read(long offset, MemorySegment destination) throws BlockException {
        long done = 0;
        while (done < destination.byteSize()) {
            int number = imageAt(offset + done);
            BlockBackend image = images.get(number);
            long local = offset + done - starts[number];
            long wanted = Math.min(destination.byteSize() - done, starts[number + 1] - offset - done);
            long readable = Math.clamp(image.lengthBytes() - local, 0, wanted);
            if (readable > 0) {
                read(image, local, destination.asSlice(done, readable));
            }
            if (readable < wanted) {
                destination.asSlice(done + readable, wanted - readable).fill((byte) 0);
            }
            done += wanted;
        }
    }

    private void read(BlockBackend image, long local, MemorySegment destination) throws BlockException {
        if (salvage != null) {
            salvage.read(image, local, destination);
        } else {
            image.read(local, destination);
        }
    }

    /** The unit in which the image at an offset keeps its data, at least 512. */
    long alignmentAt(long offset) throws BlockException {
        BlockBackend image = images.get(imageAt(offset));
        return Math.max(
                SECTOR,
                image.formatInfo().isPresent() ? image.formatInfo().get().clusterSizeBytes() : 0);
    }

    /** Offset within the image that lies there. */
    long localOffset(long offset) {
        return offset - starts[imageAt(offset)];
    }

    private int imageAt(long offset) {
        int number = 0;
        while (offset >= starts[number + 1]) {
            number++;
        }
        return number;
    }

    private static long roundUp(long bytes) {
        return (bytes + SECTOR - 1) / SECTOR * SECTOR;
    }

    /**
     * A run of one kind.
     *
     * @param zero reads as zeros
     * @param data has bytes of its own; neither flag: comes from a backing file
     */
    record Extent(long lengthBytes, boolean zero, boolean data) {}
}
