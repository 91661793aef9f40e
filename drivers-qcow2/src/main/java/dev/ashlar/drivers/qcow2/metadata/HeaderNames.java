package dev.ashlar.drivers.qcow2.metadata;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.ImageReference;
import dev.ashlar.drivers.qcow2.format.Bits;
import dev.ashlar.drivers.qcow2.format.Feature;
import dev.ashlar.drivers.qcow2.format.HeaderExtension;
import dev.ashlar.drivers.qcow2.format.Qcow2Header;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Writes other names of the backing file and of the data file into the header cluster.
 *
 * <pre>
 *   sector 0: header, first extensions | later sectors: rest of the extensions, end mark | name of the backing file
 * </pre>
 *
 * <p>The first sector decides which names, extensions and flags count, and cannot tear (rule R7). What lies behind it is written first and
 * flushed; where that would overwrite what the old first sector still names, the old name moves out of the way before.
 */
public final class HeaderNames {
    private static final int OFFSET_FIELD = 8;
    private static final int LENGTH_FIELD = 16;
    private static final int AUTOCLEAR_FIELD = 88;

    private final ImageFile file;
    private final HeaderSector sector;
    private final Qcow2Header header;
    private final int sectorBytes = Qcow2Header.SECTOR_BYTES;
    private final Wanted wanted;
    /** The header cluster as it is, or as far as the file reaches. */
    private final byte[] cluster;

    /**
     * What the header is to say.
     *
     * @param backing name and format of the backing file, or null
     * @param extensions but for the backing file's format
     * @param autoclear the feature bits; of version 3 only
     */
    private record Wanted(@Nullable ImageReference backing, List<HeaderExtension> extensions, long autoclear) {
        byte[] nameBytes() {
            return backing == null ? new byte[0] : backing.fileName().getBytes(StandardCharsets.UTF_8);
        }
    }

    private HeaderNames(ImageFile file, HeaderSector sector, byte[] cluster, Qcow2Header header, Wanted wanted) {
        this.file = file;
        this.sector = sector;
        this.cluster = cluster;
        this.header = header;
        this.wanted = wanted;
    }

    /** @param reference null for none */
    public static void changeBacking(ImageFile file, HeaderSector sector, @Nullable ImageReference reference)
            throws BlockException {
        if (reference != null
                && reference.fileName().getBytes(StandardCharsets.UTF_8).length > Qcow2Header.MAX_BACKING_NAME_BYTES) {
            throw new BlockException(Kind.INVALID, "Backing file name too long");
        }
        byte[] cluster = readCluster(file);
        Qcow2Header header = parse(file, cluster);
        change(
                file,
                sector,
                cluster,
                header,
                new Wanted(reference, header.extensions(), header.autoclearFeatures()),
                "backing file");
    }

    /**
     * Of an image that has its data in a file of its own.
     *
     * @param name the file's; an empty one for none
     * @param raw the file alone is to read as the disk
     */
    public static void changeDataFile(ImageFile file, HeaderSector sector, String name, boolean raw)
            throws BlockException {
        byte[] cluster = readCluster(file);
        Qcow2Header header = parse(file, cluster);
        List<HeaderExtension> extensions = new ArrayList<>();
        if (!name.isEmpty()) {
            extensions.add(new HeaderExtension(HeaderExtension.DATA_FILE, name.getBytes(StandardCharsets.UTF_8)));
        }
        for (HeaderExtension extension : header.extensions()) {
            if (extension.type() != HeaderExtension.DATA_FILE) {
                extensions.add(extension);
            }
        }
        long others = header.autoclearFeatures() & ~Feature.DATA_FILE_RAW;
        String backing = header.backingFile();
        change(
                file,
                sector,
                cluster,
                header,
                new Wanted(
                        backing == null ? null : new ImageReference(backing, header.backingFormat()),
                        extensions,
                        raw ? others | Feature.DATA_FILE_RAW : others),
                "data file");
    }

    private static void change(
            ImageFile file, HeaderSector sector, byte[] cluster, Qcow2Header header, Wanted wanted, String what)
            throws BlockException {
        HeaderNames names = new HeaderNames(file, sector, cluster, header, wanted);
        // Names of features are a courtesy: where there is no room, or no safe way, the image goes without.
        if (names.tryChange(names.encode(true))) {
            return;
        }
        if (!names.tryChange(names.encode(false))) {
            throw new BlockException(Kind.NO_SPACE, "No space for the " + what + "'s name in the header");
        }
        // Without them there may be a safe way to where they have room again.
        byte[] fresh = readCluster(file);
        HeaderNames again = new HeaderNames(file, sector, fresh, parse(file, fresh), wanted);
        again.tryChange(again.encode(true));
    }

    private static byte[] readCluster(ImageFile file) throws BlockException {
        int length = (int) Math.min(file.geometry().clusterBytes(), file.lengthBytes());
        byte[] cluster = new byte[file.geometry().clusterBytes()];
        MemorySegment.copy(file.store().view(0, length), 0, MemorySegment.ofArray(cluster), 0, length);
        return cluster;
    }

    /** As it is by now: others write to the header as well. */
    private static Qcow2Header parse(ImageFile file, byte[] cluster) throws BlockException {
        return Qcow2Header.parse(MemorySegment.ofArray(cluster), file.lengthBytes(), true);
    }

    private boolean tryChange(byte[] extensions) throws BlockException {
        byte[] name = wanted.nameBytes();
        int end = placeForName(extensions);
        if (end + name.length > cluster.length || !keepsTail(extensions) || !moveOldName(end + name.length)) {
            return false;
        }
        write(extensions, end, name);
        return true;
    }

    /** Behind the extensions, and behind an end mark that counts until the first sector changes. */
    private int placeForName(byte[] extensions) {
        int end = header.headerLengthBytes() + extensions.length;
        int oldEnd = oldExtensionsEnd();
        return oldEnd > sectorBytes ? Math.max(end, oldEnd) : end;
    }

    private int oldExtensionsEnd() {
        int end = header.headerLengthBytes() + 8;
        for (HeaderExtension extension : header.extensions()) {
            end += extension.encodedBytes();
        }
        return end;
    }

    /** The extensions with the backing file's format; the end mark included. */
    private byte[] encode(boolean featureNames) {
        String format = wanted.backing() == null ? null : wanted.backing().format();
        List<HeaderExtension> all = new ArrayList<>();
        if (format != null) {
            all.add(new HeaderExtension(HeaderExtension.BACKING_FORMAT, format.getBytes(StandardCharsets.UTF_8)));
        }
        int bytes = 8;
        for (HeaderExtension extension : wanted.extensions()) {
            boolean dropped = !featureNames && extension.type() == HeaderExtension.FEATURE_NAMES;
            if (extension.type() != HeaderExtension.BACKING_FORMAT && !dropped) {
                all.add(extension);
            }
        }
        for (HeaderExtension extension : all) {
            bytes += extension.encodedBytes();
        }
        MemorySegment encoded = MemorySegment.ofArray(new byte[bytes]);
        long at = 0;
        for (HeaderExtension extension : all) {
            Bits.putU32(encoded, at, extension.type());
            Bits.putU32(encoded, at + 4, extension.data().length);
            MemorySegment.copy(MemorySegment.ofArray(extension.data()), 0, encoded, at + 8, extension.data().length);
            at += extension.encodedBytes();
        }
        return encoded.toArray(java.lang.foreign.ValueLayout.JAVA_BYTE);
    }

    /**
     * Takes the present name to where nothing of the new layout will be, if it is in the way behind the first sector.
     *
     * @return false if there is no room for two names
     */
    private boolean moveOldName(int newEnd) throws BlockException {
        MemorySegment now = MemorySegment.ofArray(cluster);
        int offset = (int) Bits.u64(now, OFFSET_FIELD);
        int length = (int) Bits.u32(now, LENGTH_FIELD);
        if (offset == 0 || length == 0 || offset + length <= sectorBytes || newEnd <= offset) {
            return true;
        }
        int place = (Math.max(newEnd, offset + length) + 7) & -8;
        if (place + length > cluster.length) {
            return false;
        }
        System.arraycopy(cluster, offset, cluster, place, length);
        file.write(place, now.asSlice(place, length));
        file.flush();
        Bits.putU64(now, OFFSET_FIELD, place);
        writeSector();
        return true;
    }

    private void write(byte[] extensions, int end, byte[] name) throws BlockException {
        byte[] fresh = cluster.clone();
        System.arraycopy(extensions, 0, fresh, header.headerLengthBytes(), extensions.length);
        System.arraycopy(name, 0, fresh, end, name.length);
        int later = end + name.length - sectorBytes;
        if (later > 0) {
            file.write(sectorBytes, MemorySegment.ofArray(fresh).asSlice(sectorBytes, later));
            file.flush();
        }
        System.arraycopy(fresh, 0, cluster, 0, sectorBytes);
        MemorySegment now = MemorySegment.ofArray(cluster);
        Bits.putU64(now, OFFSET_FIELD, name.length == 0 ? 0 : end);
        Bits.putU32(now, LENGTH_FIELD, name.length);
        if (header.version() >= 3) {
            Bits.putU64(now, AUTOCLEAR_FIELD, wanted.autoclear());
        }
        writeSector();
    }

    /** Whether what the old first sector still reads behind itself stays as it is until that sector changes. */
    private boolean keepsTail(byte[] extensions) {
        int first = header.headerLengthBytes();
        int stop = Math.min(oldExtensionsEnd(), first + extensions.length);
        for (int i = sectorBytes; i < stop; i++) {
            if (extensions[i - first] != cluster[i]) {
                return false;
            }
        }
        return true;
    }

    private void writeSector() throws BlockException {
        sector.replace(MemorySegment.ofArray(cluster));
        sector.write(file);
        file.flush();
    }
}
