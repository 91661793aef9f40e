package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.MetadataAccess;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.core.spi.SecretSource;
import dev.ashlar.drivers.qcow2.alloc.IdentityTables;
import dev.ashlar.drivers.qcow2.crypt.NewEncryption;
import dev.ashlar.drivers.qcow2.format.Bits;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.CryptoHeader;
import dev.ashlar.drivers.qcow2.format.HeaderWriter;
import dev.ashlar.drivers.qcow2.format.L2Layout;
import dev.ashlar.drivers.qcow2.format.Qcow2Header;
import dev.ashlar.drivers.qcow2.format.RefcountWidth;
import dev.ashlar.drivers.qcow2.format.TableEntry;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Lays out an empty image: header, refcount table, refcount blocks, L1 table, and L2 tables where an external data file is to be allocated from the start, in the
 * first clusters and in this order. The sector with the magic is written
 * last, when all it names is durable (rule R8).
 */
final class Qcow2Creator {
    private final ChildAccess file;
    private final Qcow2CreateOptions options;
    private final ClusterGeometry geometry;
    private final long l1Entries;
    private final long l1Clusters;
    private final long cryptoClusters;
    private long tableClusters = 1;
    private long blocks = 1;

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
            throw new BlockException(e.kind(), "Could not write qcow2 header: " + e.reason(), e);
        } finally {
            Arrays.fill(passphrase, (byte) 0);
        }
    }

    private long totalClusters() {
        return l2Start() + (options.allocatesAll() ? l1Entries : 0) + cryptoClusters;
    }

    private long l1Start() {
        return 1 + tableClusters + blocks;
    }

    private long l2Start() {
        return l1Start() + l1Clusters;
    }

    /** Where the LUKS header comes to lie; null where there is none. */
    private @Nullable CryptoHeader cryptoHeader() {
        NewEncryption encryption = options.encryption();
        return encryption == null
                ? null
                : new CryptoHeader(geometry.clusterOffset(totalClusters() - cryptoClusters), encryption.headerBytes());
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
                l1Entries == 0 ? 0 : geometry.clusterOffset(l1Start()),
                geometry.clusterOffset(1),
                tableClusters);
        MetadataAccess metadata = file.metadata();
        MemorySegment head = MemorySegment.ofArray(header);
        long sector = Qcow2Header.SECTOR_BYTES;
        // an image of which creation was cut short must not be mistaken for one, whatever was in the file before
        metadata.write(0, MemorySegment.ofArray(new byte[Qcow2Header.SECTOR_BYTES]));
        file.truncate(Math.max(file.lengthBytes(), geometry.clusterOffset(totalClusters())), Preallocation.OFF);
        writeRefcounts(metadata);
        zeroL1(metadata);
        if (options.allocatesAll()) {
            writeL2(metadata);
        }
        CryptoHeader crypto = cryptoHeader();
        if (crypto != null && options.encryption() != null) {
            options.encryption().write(file, crypto.hostOffset(), passphrase);
        }
        if (header.length > sector) {
            metadata.write(sector, head.asSlice(sector));
        }
        file.flush();
        metadata.write(0, head.asSlice(0, Math.min(sector, header.length)));
        file.flush();
    }

    private void writeRefcounts(MetadataAccess metadata) throws BlockException {
        MemorySegment table = MemorySegment.ofArray(new byte[(int) tableClusters * geometry.clusterBytes()]);
        for (int i = 0; i < blocks; i++) {
            Bits.putU64(table, 8L * i, geometry.clusterOffset(1 + tableClusters + i));
        }
        metadata.write(geometry.clusterOffset(1), table);
        long counted = totalClusters();
        for (int i = 0; i < blocks; i++) {
            MemorySegment block = MemorySegment.ofArray(new byte[geometry.clusterBytes()]);
            long here = Math.min(counted - ((long) i << geometry.refcountBlockBits()), geometry.refcountBlockEntries());
            for (int j = 0; j < here; j++) {
                RefcountWidth.set(block, geometry.refcountOrder(), j, 1);
            }
            metadata.write(geometry.clusterOffset(1 + tableClusters + i), block);
        }
    }

    private void zeroL1(MetadataAccess metadata) throws BlockException {
        long at = geometry.clusterOffset(l1Start());
        long end = at + l1Clusters * geometry.clusterBytes();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment zeros = arena.allocate(64 << 10, 4096);
            for (; at < end; at += zeros.byteSize()) {
                metadata.write(at, zeros.asSlice(0, Math.min(zeros.byteSize(), end - at)));
            }
        }
    }

    private void writeL2(MetadataAccess metadata) throws BlockException {
        L2Layout layout = new L2Layout(geometry, true);
        // where sub-clusters have a state of their own, space alone makes no data of them
        long bitmap = options.dataFileRaw() || !geometry.extendedL2() ? layout.wholeCluster() : 0;
        MemorySegment l1 = MemorySegment.ofArray(new byte[(int) l1Entries * 8]);
        for (int i = 0; i < l1Entries; i++) {
            MemorySegment table = MemorySegment.ofArray(new byte[geometry.clusterBytes()]);
            IdentityTables.fill(layout, table, i * geometry.l1EntryCoverageBytes(), options.sizeBytes(), bitmap);
            long offset = geometry.clusterOffset(l2Start() + i);
            metadata.write(offset, table);
            Bits.putU64(l1, 8L * i, offset | TableEntry.COPIED);
        }
        metadata.write(geometry.clusterOffset(l1Start()), l1);
    }
}
