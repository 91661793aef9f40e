package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.core.spi.SecretSource;
import dev.ashlar.drivers.qcow2.crypt.NewEncryption;
import dev.ashlar.drivers.qcow2.format.Bits;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.CryptoHeader;
import dev.ashlar.drivers.qcow2.format.HeaderWriter;
import dev.ashlar.drivers.qcow2.format.L2Layout;
import dev.ashlar.drivers.qcow2.format.Qcow2Header;
import dev.ashlar.drivers.qcow2.format.RefcountWidth;
import dev.ashlar.drivers.qcow2.format.SubclusterBitmap;
import dev.ashlar.drivers.qcow2.format.TableEntry;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Lays out an empty image: header, refcount table, refcount blocks, L1 table, and with preallocation L2 tables and data, in the first clusters and in this
 * order. Tables are streamed through one buffer. The sector with the magic is written
 * last, when all it names is durable (rule R8).
 */
final class Qcow2Creator {
    private static final int STREAM_BYTES = 1 << 20;

    private static final String HEADER = "Could not write qcow2 header";
    private static final String CLAIM = "Could not resize image: Failed to resize underlying file";
    private static final String TABLES = "Could not resize image: Allocating clusters failed";

    private final ChildAccess file;
    private final Qcow2CreateOptions options;
    private final ClusterGeometry geometry;
    private final long l1Entries;
    private final long l1Clusters;
    private final long cryptoClusters;
    private final long dataClusters;
    private long tableClusters = 1;
    private long blocks = 1;
    /** For assertions: whether all metadata that was written is. */
    private boolean isDurable = true;
    /** What fails, should something fail now. */
    private String step = HEADER;

    private Qcow2Creator(ChildAccess file, Qcow2CreateOptions options) throws BlockException {
        this.file = file;
        this.options = options;
        this.geometry = options.geometry();
        this.l1Entries = geometry.l1EntriesFor(options.sizeBytes());
        validate(options);
        this.l1Clusters = geometry.clustersFor(l1Entries * 8);
        this.cryptoClusters = options.encryption() == null
                ? 0
                : geometry.clustersFor(options.encryption().headerBytes());
        this.dataClusters =
                options.preallocation() == Preallocation.OFF ? 0 : geometry.clustersFor(options.sizeBytes());
        while (true) {
            long neededBlocks =
                    (totalClusters() + geometry.refcountBlockEntries() - 1) >>> geometry.refcountBlockBits();
            long neededTable = geometry.clustersFor(neededBlocks * 8);
            if (neededBlocks <= blocks && neededTable <= tableClusters) {
                break;
            }
            blocks = Math.max(blocks, neededBlocks);
            tableClusters = Math.max(tableClusters, neededTable);
        }
    }

    /** @throws BlockException for a size that clusters of this size can't map */
    static void validate(Qcow2CreateOptions options) throws BlockException {
        if (options.geometry().l1EntriesFor(options.sizeBytes()) * 8 > Qcow2Header.MAX_L1_BYTES) {
            throw new BlockException(
                    Kind.TOO_LARGE,
                    "The image size is too large for file format 'qcow2' (try using a larger cluster size)");
        }
    }

    /** @param file an empty file */
    static void create(ChildAccess file, Qcow2CreateOptions options, SecretSource secrets) throws BlockException {
        NewEncryption encryption = options.encryption();
        // a secret that is not there is found out before anything is written
        byte[] passphrase = encryption == null ? new byte[0] : secrets.secret(encryption.secretId());
        Qcow2Creator creator = new Qcow2Creator(file, options);
        try {
            creator.write(passphrase);
        } catch (BlockException e) {
            throw new BlockException(e.kind(), creator.step + ": " + creator.reasonOf(e), e.reason(), e);
        } finally {
            Arrays.fill(passphrase, (byte) 0);
        }
    }

    /** The file says itself what it could not do with its space. */
    private String reasonOf(BlockException e) {
        return step.equals(CLAIM) ? String.valueOf(e.getMessage()) : e.reason();
    }

    private long totalClusters() {
        return firstDataCluster() + dataClusters;
    }

    private long l1Cluster() {
        return 1 + tableClusters + blocks;
    }

    private long firstL2Cluster() {
        return l1Cluster() + l1Clusters + cryptoClusters;
    }

    private boolean hasL2Tables() {
        return dataClusters > 0 || options.allocatesAll();
    }

    private long firstDataCluster() {
        return firstL2Cluster() + (hasL2Tables() ? l1Entries : 0);
    }

    /** Where the LUKS header comes to lie; null where there is none. */
    private @Nullable CryptoHeader cryptoHeader() {
        NewEncryption encryption = options.encryption();
        return encryption == null
                ? null
                : new CryptoHeader(geometry.clusterOffset(l1Cluster() + l1Clusters), encryption.headerBytes());
    }

    private void write(byte[] passphrase) throws BlockException {
        byte[] header = HeaderWriter.encode(
                options.version(),
                options.sizeBytes(),
                geometry,
                options.lazyRefcounts(),
                options.compressionType(),
                cryptoHeader(),
                options.backingFile(),
                options.backingFormat(),
                options.dataFile(),
                options.dataFileRaw(),
                l1Entries,
                l1Entries == 0 ? 0 : geometry.clusterOffset(l1Cluster()),
                geometry.clusterOffset(1),
                tableClusters);
        MemorySegment head = MemorySegment.ofArray(header);
        long sector = Qcow2Header.SECTOR_BYTES;
        // an image of which creation was cut short must not be mistaken for one, whatever was in the file before
        boolean heldSomething = file.lengthBytes() > 0;
        write(0, MemorySegment.ofArray(new byte[Qcow2Header.SECTOR_BYTES]));
        if (heldSomething) {
            // durably: the former image's header must not name what is overwritten next
            flush();
        }
        claimSpace();
        step = options.preallocation() == Preallocation.METADATA ? TABLES : HEADER;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(Math.max(STREAM_BYTES, geometry.clusterBytes()), 4096);
            writeRefcountTable(buffer);
            writeRefcountBlocks(buffer);
            writeL1(buffer);
            writeL2(buffer);
        }
        step = HEADER;
        CryptoHeader crypto = cryptoHeader();
        if (crypto != null && options.encryption() != null) {
            options.encryption().write(file, crypto.hostOffset(), passphrase, this::writeZeros);
        }
        if (header.length > sector) {
            write(sector, head.asSlice(sector));
        }
        flush();
        assert isDurable : "R8: what the header is to name is not durable";
        write(0, head.asSlice(0, Math.min(sector, header.length)));
        flush();
    }

    private void write(long hostOffset, MemorySegment bytes) throws BlockException {
        isDurable = false;
        file.metadata().write(hostOffset, bytes);
    }

    private void flush() throws BlockException {
        file.flush();
        isDurable = true;
    }

    private void claimSpace() throws BlockException {
        long end = geometry.clusterOffset(totalClusters());
        long there = file.lengthBytes();
        long data = geometry.clusterOffset(firstDataCluster());
        Preallocation mode = options.preallocation();
        if (there < end) {
            boolean tablesOnly = mode == Preallocation.METADATA;
            step = tablesOnly || mode == Preallocation.OFF ? HEADER : CLAIM;
            file.truncate(end, tablesOnly ? Preallocation.OFF : mode);
        }
        if (data < Math.min(there, end)) {
            // a device: what it held before must not become the disk's content
            file.writeZeroes(data, Math.min(there, end) - data, mode == Preallocation.METADATA);
        }
    }

    /** Version 2 has no word for zeros: on an encrypted disk they are written. @param encrypted the way to the file on which data is encrypted */
    private void writeZeros(ChildAccess encrypted) throws BlockException {
        if (options.version() < 3 && dataClusters > 0) {
            encrypted.writeZeroes(
                    geometry.clusterOffset(firstDataCluster()), geometry.clusterOffset(dataClusters), false);
        }
    }

    /** Writes contiguous 64-bit words through a buffer. */
    private void stream(MemorySegment buffer, long hostOffset, long words, Words content) throws BlockException {
        long capacity = buffer.byteSize() / 8;
        for (long done = 0; done < words; done += capacity) {
            int count = (int) Math.min(capacity, words - done);
            for (int i = 0; i < count; i++) {
                Bits.putU64(buffer, 8L * i, content.at(done + i));
            }
            write(hostOffset + done * 8, buffer.asSlice(0, 8L * count));
        }
    }

    /** What a table holds. */
    private interface Words {
        long at(long index);
    }

    private void writeRefcountTable(MemorySegment buffer) throws BlockException {
        long words = tableClusters * geometry.clusterBytes() / 8;
        stream(
                buffer,
                geometry.clusterOffset(1),
                words,
                index -> index < blocks ? geometry.clusterOffset(1 + tableClusters + index) : 0);
    }

    /** All clusters up to the end have a count of 1: blocks are alike, but for the last ones. */
    private void writeRefcountBlocks(MemorySegment buffer) throws BlockException {
        int order = geometry.refcountOrder();
        int entries = geometry.refcountBlockEntries();
        long full = totalClusters() >>> geometry.refcountBlockBits();
        long perWrite = buffer.byteSize() >>> geometry.clusterBits();
        buffer.fill((byte) 0);
        for (int i = 0; i < entries; i++) {
            RefcountWidth.set(buffer, order, i, 1);
        }
        for (long i = 1; i < Math.min(perWrite, full); i++) {
            MemorySegment.copy(buffer, 0, buffer, i << geometry.clusterBits(), geometry.clusterBytes());
        }
        long at = geometry.clusterOffset(1 + tableClusters);
        for (long done = 0; done < full; done += perWrite) {
            long bytes = Math.min(perWrite, full - done) << geometry.clusterBits();
            write(at + geometry.clusterOffset(done), buffer.asSlice(0, bytes));
        }
        MemorySegment block = buffer.asSlice(0, geometry.clusterBytes());
        for (long index = full; index < blocks; index++) {
            block.fill((byte) 0);
            long here = Math.max(0, totalClusters() - (index << geometry.refcountBlockBits()));
            for (int i = 0; i < here; i++) {
                RefcountWidth.set(block, order, i, 1);
            }
            write(at + geometry.clusterOffset(index), block);
        }
    }

    private void writeL1(MemorySegment buffer) throws BlockException {
        boolean mapped = hasL2Tables();
        stream(
                buffer,
                geometry.clusterOffset(l1Cluster()),
                l1Clusters * geometry.clusterBytes() / 8,
                index -> mapped && index < l1Entries
                        ? geometry.clusterOffset(firstL2Cluster() + index) | TableEntry.COPIED
                        : 0);
    }

    /**
     * Contiguous clusters, in the order of the disk; those of an external data file lie there as on the disk. Sub-clusters are left to be written: they show a backing
     * file, or zeros. In a raw data file they are data. On an encrypted disk, where zero bytes are none, clusters have their place and read as zeros.
     */
    private void writeL2(MemorySegment buffer) throws BlockException {
        boolean external = options.allocatesAll();
        long first = external ? 0 : firstDataCluster();
        long mapped = external ? geometry.clustersFor(options.sizeBytes()) : dataClusters;
        L2Layout layout = new L2Layout(geometry, external);
        boolean zero = options.encryption() != null && options.version() >= 3;
        long whole = zero ? SubclusterBitmap.withZeros(0, layout.wholeCluster()) : layout.wholeCluster();
        long bitmap = geometry.extendedL2() && !options.dataFileRaw() ? 0 : whole;
        int wordsEach = geometry.l2EntryBytes() / 8;
        long words = hasL2Tables() ? l1Entries * geometry.clusterBytes() / 8 : 0;
        stream(buffer, geometry.clusterOffset(firstL2Cluster()), words, index -> {
            long cluster = index / wordsEach;
            if (cluster >= mapped) {
                return 0;
            }
            long word = geometry.clusterOffset(first + cluster) | TableEntry.COPIED;
            return index % wordsEach == 0 ? layout.encodeWord(word, bitmap) : bitmap;
        });
    }
}
