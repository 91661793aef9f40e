package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.ImageLimits;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.CreateRequest;
import dev.ashlar.core.spi.DriverKind;
import dev.ashlar.core.spi.MeasureRequest;
import dev.ashlar.core.spi.MeasuredSize;
import dev.ashlar.core.spi.OpenRequest;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.core.spi.OptionDescriptor;
import dev.ashlar.core.spi.SizeMeasurable;
import dev.ashlar.drivers.qcow2.alloc.PassedDiscards;
import dev.ashlar.drivers.qcow2.amend.AmendRequest;
import dev.ashlar.drivers.qcow2.crypt.ImageEncryption;
import dev.ashlar.drivers.qcow2.crypt.KeySlotChange;
import dev.ashlar.drivers.qcow2.format.BitmapExtension;
import dev.ashlar.drivers.qcow2.format.Bits;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.Feature;
import dev.ashlar.drivers.qcow2.format.Qcow2Header;
import dev.ashlar.drivers.qcow2.metadata.HeaderSector;
import dev.ashlar.drivers.qcow2.metadata.ImageFile;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The driver of qcow2 images, versions 2 and 3. */
public final class Qcow2Driver implements BlockDriver, SizeMeasurable {
    /** For the service loader. */
    public Qcow2Driver() {}

    @Override
    public String name() {
        return "qcow2";
    }

    @Override
    public DriverKind kind() {
        return DriverKind.FORMAT;
    }

    @Override
    public int probe(MemorySegment head) {
        return head.byteSize() >= 8 && (int) Bits.u32(head, 0) == Qcow2Header.MAGIC && Bits.u32(head, 4) >= 2 ? 100 : 0;
    }

    @Override
    public Qcow2Instance open(OpenRequest request) throws BlockException {
        ChildAccess child = request.file();
        boolean checking = request.has(Flag.CHECK);
        boolean readOnly = request.has(Flag.READ_ONLY);
        MemorySegment head = readHead(child);
        Qcow2Header header = Qcow2Header.parse(head, child.lengthBytes(), checking);
        requireWithin(request.limits(), header);
        if (BitmapExtension.isOutdated(header)) {
            request.notices()
                    .accept("warning: "
                            + (header.version() < 3
                                    ? "This qcow2 v2 image contains bitmaps, but they may have been modified by a"
                                            + " program without persistent bitmap support; so now they must all be"
                                            + " considered inconsistent"
                                    : "a program lacking bitmap support modified this file, so all bitmaps are now"
                                            + " considered inconsistent"));
            request.notices().accept("Some clusters may be leaked, run 'qemu-img check -r' on the image file to fix.");
        }
        boolean damaged = header.has(Feature.CORRUPT) || header.has(Feature.DIRTY);
        if (damaged && request.has(Flag.UNTRUSTED)) {
            throw new BlockException(Kind.CORRUPT, "Image is marked dirty or corrupt; an untrusted one is refused");
        }
        if (header.has(Feature.CORRUPT) && !readOnly && !checking) {
            throw new BlockException(
                    Kind.CORRUPT, "qcow2: Image is corrupt; cannot be opened read/write", "Permission denied", null);
        }
        Qcow2OpenOptions options = Qcow2OpenOptions.of(request.options(), header);
        PassedDiscards passed = options.passedDiscards(request.has(Flag.UNMAP));
        DataFile dataFile = DataFile.open(request, header, passed.request());
        ImageFile file = ImageFile.open(child, header.layout(), dataFile == null ? null : dataFile.child());
        try {
            ImageEncryption encryption = ImageEncryption.open(
                    header,
                    child,
                    options.encryptionFormat(),
                    options.keySecret(),
                    request::secret,
                    !request.has(Flag.NO_IO));
            if (encryption != null) {
                file.encrypt(encryption);
                requireWritable(encryption, readOnly);
            }
            HeaderSector sector = new HeaderSector(head);
            MetadataContext context = new MetadataContext(file, sector, header);
            context.overlaps().select(options.overlapClasses());
            context.corruption().setNotices(request.notices());
            boolean hasBacking = header.backingFile() != null || request.describesChild("backing");
            Qcow2Instance instance =
                    new Qcow2Instance(header, context, dataFile, readOnly, passed, hasBacking, checking);
            request.limits().requireTable("snapshot table", instance.snapshotTableBytes());
            if (!readOnly && !checking) {
                instance.prepareForWriting();
            }
            return instance;
        } catch (BlockException | RuntimeException e) {
            file.close();
            throw e;
        } catch (InternalError e) {
            file.close();
            throw new BlockException(Kind.IO, "A page of the image's metadata can't be read", e);
        }
    }

    private static void requireWritable(ImageEncryption encryption, boolean readOnly) throws BlockException {
        if (!readOnly && encryption.isByGuestOffset()) {
            throw new BlockException(
                    Kind.UNSUPPORTED, "Images with the legacy AES encryption can be read only; convert them to LUKS");
        }
    }

    private static void requireWithin(ImageLimits limits, Qcow2Header header) throws BlockException {
        limits.requireDisk(header.sizeBytes());
        limits.requireSnapshots(header.snapshotCount());
        limits.requireTable("active L1 table", header.l1Entries() * 8);
        limits.requireTable(
                "reference count table",
                header.refcountTableClusters() * header.geometry().clusterBytes());
    }

    private static MemorySegment readHead(ChildAccess child) throws BlockException {
        long lengthBytes = child.lengthBytes();
        MemorySegment start = Arena.ofAuto().allocate(Math.min(lengthBytes, Qcow2Header.V2_BYTES));
        child.metadata().read(0, start);
        if (probeMagic(start)) {
            long clusterBits = Bits.u32(start, 20);
            if (clusterBits >= ClusterGeometry.MIN_CLUSTER_BITS && clusterBits <= ClusterGeometry.MAX_CLUSTER_BITS) {
                MemorySegment head = Arena.ofAuto().allocate(Math.min(lengthBytes, 1L << clusterBits));
                child.metadata().read(0, head);
                if (head.byteSize() < Qcow2Header.SECTOR_BYTES) {
                    throw new BlockException(Kind.CORRUPT, "qcow2 header too short");
                }
                return head;
            }
        }
        return start;
    }

    private static boolean probeMagic(MemorySegment start) {
        return start.byteSize() >= Qcow2Header.V2_BYTES && (int) Bits.u32(start, 0) == Qcow2Header.MAGIC;
    }

    @Override
    public List<OptionDescriptor> openOptions() {
        return Qcow2OpenOptions.DESCRIPTORS;
    }

    @Override
    public List<String> strongOptions() {
        return List.of("encrypt.key-secret");
    }

    @Override
    public Map<String, String> joinOptions(Map<String, String> before, Map<String, String> changed) {
        return Qcow2OpenOptions.join(before, changed);
    }

    @Override
    public boolean canCompress() {
        return true;
    }

    @Override
    public List<OptionDescriptor> createOptions() {
        return Qcow2CreateOptions.DESCRIPTORS;
    }

    @Override
    public List<OptionDescriptor> amendOptions() {
        List<OptionDescriptor> options = new ArrayList<>(AmendRequest.DESCRIPTORS);
        options.addAll(KeySlotChange.DESCRIPTORS);
        return options;
    }

    @Override
    public void validateCreate(Map<String, String> options) throws BlockException {
        Qcow2Creator.validate(Qcow2CreateOptions.parse(options));
    }

    @Override
    public MeasuredSize measure(MeasureRequest request) throws BlockException {
        return MeasuredLayout.of(request);
    }

    @Override
    public void create(CreateRequest request) throws BlockException {
        Qcow2CreateOptions options = Qcow2CreateOptions.parse(request.options());
        if (options.dataFile() != null) {
            ChildAccess data = request.createFile(options.dataFile(), 0);
            data.truncate(options.sizeBytes(), options.dataPreallocation());
            data.flush();
        }
        Qcow2Creator.create(request.file(), options, request::secret);
    }
}
