package dev.ashlar.drivers.qcow2.crypt;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockLimits;
import dev.ashlar.core.spi.BlockEvent;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.HostExtent;
import dev.ashlar.core.spi.MetadataAccess;
import dev.ashlar.core.spi.Preallocation;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * The way to a file on which guest data is encrypted, by the number of the host sector. Ranges are whole sectors. Everything but data passes through.
 */
final class EncryptedData implements ChildAccess {
    private static final int SECTOR_BYTES = SectorCipher.SECTOR_BYTES;

    private final ChildAccess file;
    private final @Nullable DataCipher cipher;

    /** @param cipher null where the key is not known: then no data can be had */
    EncryptedData(ChildAccess file, @Nullable DataCipher cipher) {
        this.file = file;
        this.cipher = cipher;
    }

    private DataCipher cipher(long offset, long lengthBytes) throws BlockException {
        if (((offset | lengthBytes) & (SECTOR_BYTES - 1)) != 0) {
            throw new IllegalArgumentException("no whole sectors: " + offset + "+" + lengthBytes);
        }
        if (cipher == null) {
            throw new BlockException(Kind.PERMISSION, "The image was opened without its key");
        }
        return cipher;
    }

    @Override
    public void read(long offset, MemorySegment destination) throws BlockException {
        DataCipher key = cipher(offset, destination.byteSize());
        file.read(offset, destination);
        key.decrypt(destination, offset / SECTOR_BYTES);
    }

    @Override
    public void write(long offset, MemorySegment source) throws BlockException {
        long length = source.byteSize();
        DataCipher key = cipher(offset, length);
        DataCipher.Worker worker = key.take();
        try {
            for (long done = 0; done < length; done += DataCipher.PIECE_BYTES) {
                MemorySegment piece = source.asSlice(done, Math.min(DataCipher.PIECE_BYTES, length - done));
                file.write(offset + done, worker.encrypted(piece, (offset + done) / SECTOR_BYTES));
            }
        } finally {
            key.giveBack(worker);
        }
    }

    /** Zeros of the guest are no zeros in the file. */
    @Override
    public void writeZeroes(long offset, long lengthBytes, boolean mayUnmap) throws BlockException {
        MemorySegment zeros = MemorySegment.ofArray(new byte[(int) Math.min(lengthBytes, DataCipher.BATCH_BYTES)]);
        for (long done = 0; done < lengthBytes; done += zeros.byteSize()) {
            write(offset + done, zeros.asSlice(0, Math.min(zeros.byteSize(), lengthBytes - done)));
        }
    }

    @Override
    public boolean transformsData() {
        return true;
    }

    @Override
    public String nodeName() {
        return file.nodeName();
    }

    @Override
    public String fileName() {
        return file.fileName();
    }

    @Override
    public BlockLimits limits() {
        return file.limits();
    }

    @Override
    public long lengthBytes() throws BlockException {
        return file.lengthBytes();
    }

    @Override
    public void discard(long offset, long lengthBytes) throws BlockException {
        file.discard(offset, lengthBytes);
    }

    @Override
    public void flush() throws BlockException {
        file.flush();
    }

    @Override
    public void truncate(long lengthBytes, Preallocation preallocation) throws BlockException {
        file.truncate(lengthBytes, preallocation);
    }

    @Override
    public HostExtent extentAt(long offset, long lengthBytes) {
        return new HostExtent(false, lengthBytes);
    }

    @Override
    public MetadataAccess metadata() {
        return file.metadata();
    }

    @Override
    public void event(BlockEvent event) throws BlockException {
        file.event(event);
    }
}
