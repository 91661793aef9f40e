package dev.ashlar.drivers.qcow2.crypt;

import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Arrays;

/** Encrypts and decrypts sectors for any number of threads. {@link #close} wipes the key. */
final class DataCipher implements AutoCloseable {
    /** Bytes that are encrypted at a time: they stay in the processor's cache. */
    static final int BATCH_BYTES = 128 << 10;
    /** Bytes that are written at a time. */
    static final int PIECE_BYTES = 1 << 20;

    private static final int MOST_SPARES = 16;

    private final CipherSpec spec;
    private final byte[] key;
    private final ArrayDeque<Worker> spares = new ArrayDeque<>();
    private boolean closed;

    /** @param key taken over */
    DataCipher(CipherSpec spec, byte[] key) {
        this.spec = spec;
        this.key = key;
    }

    /** For one request; to be given back. @throws IllegalStateException after the end */
    Worker take() {
        synchronized (this) {
            if (closed) {
                throw new IllegalStateException("the key is gone");
            }
            Worker spare = spares.pollLast();
            return spare != null ? spare : new Worker(new SectorCipher(spec, key));
        }
    }

    void giveBack(Worker worker) {
        synchronized (this) {
            if (!closed && spares.size() < MOST_SPARES) {
                spares.addLast(worker);
            }
        }
        worker.wipe();
    }

    /** A copy of the key; the caller wipes it. */
    synchronized byte[] copyOfKey() {
        if (closed) {
            throw new IllegalStateException("the key is gone");
        }
        return key.clone();
    }

    /** Decrypts whole sectors where they are. */
    void decrypt(MemorySegment data, long firstSector) {
        Worker worker = take();
        try {
            worker.decrypt(data, firstSector);
        } finally {
            giveBack(worker);
        }
    }

    @Override
    public synchronized void close() {
        closed = true;
        spares.clear();
        Arrays.fill(key, (byte) 0);
    }

    /** Buffers and ciphers of one request at a time. */
    static final class Worker {
        private final SectorCipher cipher;
        private final byte[] batch = new byte[BATCH_BYTES];
        private final MemorySegment heap = MemorySegment.ofArray(batch);
        private final MemorySegment piece = Arena.ofAuto().allocate(PIECE_BYTES, ClusterGeometry.PAGE_BYTES);

        private Worker(SectorCipher cipher) {
            this.cipher = cipher;
        }

        /** @param data at most {@link #PIECE_BYTES}, whole sectors; it is not changed. @return it, encrypted, good until the next call */
        MemorySegment encrypted(MemorySegment data, long firstSector) {
            long length = data.byteSize();
            for (long done = 0; done < length; done += BATCH_BYTES) {
                int count = (int) Math.min(BATCH_BYTES, length - done);
                MemorySegment.copy(data, done, heap, 0, count);
                cipher.encrypt(batch, count, firstSector + done / SectorCipher.SECTOR_BYTES);
                MemorySegment.copy(heap, 0, piece, done, count);
            }
            return piece.asSlice(0, length);
        }

        void decrypt(MemorySegment data, long firstSector) {
            long length = data.byteSize();
            for (long done = 0; done < length; done += BATCH_BYTES) {
                int count = (int) Math.min(BATCH_BYTES, length - done);
                MemorySegment.copy(data, done, heap, 0, count);
                cipher.decrypt(batch, count, firstSector + done / SectorCipher.SECTOR_BYTES);
                MemorySegment.copy(heap, 0, data, done, count);
            }
        }

        private void wipe() {
            // what was decrypted last is nobody's business any more; the piece holds encrypted bytes
            Arrays.fill(batch, 0, SectorCipher.SECTOR_BYTES, (byte) 0);
        }
    }
}
