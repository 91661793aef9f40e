package dev.ashlar.drivers.qcow2.metadata;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.BlockEvent;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.drivers.qcow2.crypt.ImageEncryption;
import dev.ashlar.drivers.qcow2.format.Bits;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.L2Layout;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * The file under an image, and its health. The first metadata write or flush that fails makes the image unusable for writing until it
 * is opened again (rule R9): every later write and flush reports that first failure.
 */
public final class ImageFile implements AutoCloseable {
    private final ChildAccess child;
    /** The image file as far as its own space is concerned. */
    private final ChildAccess ownSpace;

    private final ChildAccess dataChild;
    private final MetadataStore store;
    private final L2Layout layout;
    private @Nullable ImageEncryption encryption;
    private ChildAccess guestData;
    private volatile @Nullable BlockException failure;
    private volatile boolean corrupt;
    private final UnflushedWrites unflushed = new UnflushedWrites();

    private ImageFile(
            ChildAccess child, ChildAccess ownSpace, ChildAccess dataChild, MetadataStore store, L2Layout layout) {
        this.child = child;
        this.ownSpace = ownSpace;
        this.dataChild = dataChild;
        this.guestData = dataChild;
        this.store = store;
        this.layout = layout;
    }

    /**
     * Maps the file if whole pages belong to metadata and it can be mapped; else caches.
     *
     * @param dataFile the external data file, or null where guest data is in the image file
     */
    public static ImageFile open(ChildAccess child, L2Layout layout, @Nullable ChildAccess dataFile)
            throws BlockException {
        boolean wholePages = layout.geometry().clusterBytes() >= ClusterGeometry.PAGE_BYTES;
        MappedStore mapped = wholePages ? MappedStore.open(child) : null;
        ChildAccess own = wholePages ? child : new BufferedData(child);
        ChildAccess data = dataFile != null ? dataFile : own;
        return new ImageFile(child, own, data, mapped != null ? mapped : new CachedStore(child), layout);
    }

    public ClusterGeometry geometry() {
        return layout.geometry();
    }

    /** How the entries of L2 tables are laid out. */
    public L2Layout layout() {
        return layout;
    }

    public MetadataStore store() {
        return store;
    }

    /** Sets how guest data is encrypted, before anybody asks for {@link #data}. It is closed with the file. */
    public void encrypt(ImageEncryption how) {
        encryption = how;
        guestData = how.wrap(dataChild);
    }

    /** How guest data is encrypted; null where it is not. */
    public @Nullable ImageEncryption encryption() {
        return encryption;
    }

    /** Where guest data goes: the external data file, or the child, or a buffered way to it where pages are shared with metadata, or one that encrypts. */
    public ChildAccess data() {
        return guestData;
    }

    /** Where bytes go as they are: compressed clusters are never encrypted. */
    public ChildAccess plainData() {
        return dataChild;
    }

    public long lengthBytes() throws BlockException {
        return child.lengthBytes();
    }

    /** Clusters that the file takes on the host; -1 where that is not known. */
    public long allocatedClusters() throws BlockException {
        long bytes = child.allocatedBytes();
        return bytes < 0 ? -1 : bytes >>> geometry().clusterBits();
    }

    public boolean isFailed() {
        return failure != null;
    }

    /** @throws BlockException CLOSED after a failure, until the image is opened again */
    public void requireHealthy() throws BlockException {
        BlockException first = failure;
        if (first != null) {
            if (corrupt) {
                throw new BlockException(
                        Kind.NO_MEDIUM,
                        "Image is not used any more: " + first.getMessage(),
                        Kind.NO_MEDIUM.reason(),
                        first);
            }
            throw new BlockException(Kind.IO, "Image is unusable after an earlier error: " + first.getMessage(), first);
        }
    }

    /** Remembers the first failure; called with anything that leaves memory and disk apart. */
    public void fail(BlockException cause) {
        if (failure == null) {
            failure = cause;
        }
    }

    /** A page of a mapped table could not be read. @return what to tell */
    public BlockException pageFailed(InternalError cause) {
        BlockException unreadable = new BlockException(Kind.IO, "A page of the image's metadata can't be read", cause);
        fail(unreadable);
        return unreadable;
    }

    /** The image contradicts itself in a way that makes using it dangerous: not even reads are answered any more. */
    void failCorrupt(BlockException cause) {
        fail(cause);
        corrupt = true;
    }

    /** Whether the image is not used any more, not even for reads. */
    public boolean isCorrupt() {
        return corrupt;
    }

    /** The words of a table; what lies behind the end of the file reads as zeros. Only for a table that was validated, or is being checked. */
    public long[] tableWords(long hostOffset, int count) throws BlockException {
        long[] words = new long[count];
        int there = Math.clamp((lengthBytes() - hostOffset) / 8, 0, count);
        if (there > 0) {
            MemorySegment bytes = store.view(hostOffset, 8L * there);
            for (int i = 0; i < there; i++) {
                words[i] = Bits.u64(bytes, 8L * i);
            }
        }
        return words;
    }

    /** A metadata write: durable after the next {@link #flush}. */
    public void write(long hostOffset, MemorySegment source) throws BlockException {
        requireHealthy();
        assert unflushed.written();
        try {
            store.write(hostOffset, source);
        } catch (BlockException e) {
            fail(e);
            throw e;
        }
    }

    /** As {@link #write(long, MemorySegment)}, announced as what it is. */
    public void write(TableBuffer.PendingWrite pending) throws BlockException {
        child.event(pending.event());
        write(pending.hostOffset(), pending.bytes());
    }

    /** Announces a point in the life of a request to filters below; free where there are none. */
    public void event(BlockEvent event) throws BlockException {
        child.event(event);
    }

    /** Announces that table bytes are about to be read, unless they are at hand. */
    public void loading(BlockEvent event, long hostOffset) throws BlockException {
        if (!store.isAtHand(hostOffset)) {
            child.event(event);
        }
    }

    /** The flush F of the ordering rules. An external data file comes first: what metadata will name is there before it is named. */
    public void flush() throws BlockException {
        requireHealthy();
        try {
            if (layout.externalData()) {
                dataChild.flush();
            }
            child.flush();
            assert unflushed.flushed();
        } catch (BlockException e) {
            fail(e);
            throw e;
        }
    }

    /** For assertions: whether all metadata that the calling thread has written is durable. True where assertions are off. */
    public boolean isSettled() {
        return unflushed.isNoneOfMine();
    }

    /**
     * Claims host space for a table that nothing refers to yet, by writing zeros: a full disk shows here, where everything can still be
     * undone, and not when references wait to be written. A failure here fails nothing else.
     */
    public void claim(long hostOffset, long lengthBytes) throws BlockException {
        requireHealthy();
        child.metadata().claim(hostOffset, lengthBytes);
        store.forget(hostOffset, lengthBytes);
    }

    /** Makes the file longer; nothing refers to the new part yet. A failure here fails nothing else. */
    public void grow(long lengthBytes, Preallocation preallocation) throws BlockException {
        requireHealthy();
        try {
            child.truncate(lengthBytes, preallocation);
        } catch (BlockException e) {
            throw new BlockException(e.kind(), "Failed to resize underlying file: " + e.getMessage(), e.reason(), e);
        }
    }

    /** Cuts off what nobody durably refers to; failures do not matter. */
    public void cut(long lengthBytes) throws BlockException {
        requireHealthy();
        assert isSettled() : "R3: what named the end of the file is not durably gone";
        store.cut(lengthBytes);
        try {
            child.truncate(lengthBytes, Preallocation.OFF);
        } catch (BlockException e) {
            // the space stays allocated, nothing else is lost
            return;
        }
    }

    /** Gives host space of clusters nobody refers to back; failures do not matter. */
    public void punch(long hostOffset, long lengthBytes) {
        assert isFailed() || isSettled() : "R5: what named the clusters is not durably gone";
        try {
            ownSpace.discard(hostOffset, lengthBytes);
        } catch (BlockException e) {
            // the space stays allocated, nothing else is lost
            return;
        }
    }

    @Override
    public void close() {
        if (encryption != null) {
            encryption.close();
        }
        store.close();
    }
}
