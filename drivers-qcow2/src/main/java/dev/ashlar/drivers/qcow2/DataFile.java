package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.ChildRole;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.ImageReference;
import dev.ashlar.core.spi.OpenRequest;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.drivers.qcow2.format.Feature;
import dev.ashlar.drivers.qcow2.format.Qcow2Header;
import dev.ashlar.drivers.qcow2.metadata.UnopenedData;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The external file with an image's guest data, every cluster at its guest offset. Whatever makes guest data read as zeros happens here as far as the tables alone
 * would not do. Since no other cluster can ever lie at a place of this file, a place may be zeroed before the tables say so durably.
 *
 * @param raw the file alone reads as the disk
 * @param unmap space is given back to the host
 */
record DataFile(ChildAccess child, boolean raw, boolean unmap) {
    static final String CHILD = "data-file";

    /** Opens the data file of an image that has one, or null: the one that the options describe, or the one that the image names. */
    static @Nullable DataFile open(OpenRequest request, Qcow2Header header, boolean unmap) throws BlockException {
        boolean described = request.describesChild(CHILD);
        if (!header.has(Feature.DATA_FILE)) {
            if (described) {
                throw new BlockException(
                        Kind.INVALID, "'data-file' can only be set for images with an external data file");
            }
            if (header.dataFileIsRaw()) {
                throw new BlockException(Kind.CORRUPT, "data-file-raw requires a data file");
            }
            return null;
        }
        return new DataFile(openChild(request, header, described), header.dataFileIsRaw(), unmap);
    }

    private static ChildAccess openChild(OpenRequest request, Qcow2Header header, boolean described)
            throws BlockException {
        String name = header.dataFileName();
        Set<ChildRole> roles = Set.of(ChildRole.DATA);
        if (request.has(Flag.NO_IO)) {
            return new UnopenedData(name == null ? "" : name);
        }
        if (described) {
            return request.openChild(CHILD, roles);
        }
        if (name == null) {
            throw new BlockException(Kind.INVALID, "'data-file' is required for this image");
        }
        return request.openReference(CHILD, roles, new ImageReference(name, null));
    }

    /**
     * Before the tables make a range read as zeros. Space is given back by zeroing, not by a discard, after which the place could hold anything while a durable
     * entry still names it; and not at all where zeros in the file are noise on the disk.
     *
     * @param data the way to this file on which the disk's bytes go
     */
    void beforeZeroes(ChildAccess data, long guestOffset, long lengthBytes, boolean mayUnmap) throws BlockException {
        if (raw || (unmap && mayUnmap && !data.transformsData())) {
            data.writeZeroes(guestOffset, lengthBytes, mayUnmap);
        }
    }

    /**
     * Before the disk grows: the file gets its new length, and whatever it holds behind the disk's old end becomes zeros.
     *
     * @param plain zero bytes are zeros of the disk; where they are not, tables say what lies behind the old end
     */
    void grow(long oldBytes, long newBytes, boolean plain, Preallocation preallocation) throws BlockException {
        boolean sparse = preallocation == Preallocation.OFF || preallocation == Preallocation.METADATA;
        long fileBytes = child.lengthBytes();
        long present = Math.min(fileBytes, newBytes);
        if (plain && present > oldBytes) {
            child.writeZeroes(oldBytes, present - oldBytes, sparse);
        }
        // a last cluster that was written whole may reach behind the new end, too: then there is no space left to claim
        child.truncate(newBytes, sparse || fileBytes > newBytes ? Preallocation.OFF : preallocation);
    }

    /** When nothing names what lies behind the disk's end any more, durably. */
    void cut(long lengthBytes) throws BlockException {
        child.truncate(lengthBytes, Preallocation.OFF);
    }
}
