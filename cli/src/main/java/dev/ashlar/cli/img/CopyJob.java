package dev.ashlar.cli.img;

import dev.ashlar.cli.output.ProgressLine;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Copies sources to a target with several workers. Each takes the next piece, reads it and writes it; unless told otherwise,
 * pieces are written one at a time and in order, so that the target's clusters lie in the order of the disk.
 */
final class CopyJob {
    private static final int SECTOR = 512;
    private static final int BUFFER_BYTES = 2 << 20;
    private static final long MAXIMUM_STATUS_BYTES = 1L << 30;
    private static final int BUFFER_ALIGNMENT = 4096;

    /**
     * @param sparseBytes so many zeros in a row are not written, 0 to write all
     * @param scanned zeros are looked for in data; else only what the source calls zeros is not written
     * @param targetZeroed the target reads as zeros before anything is written
     * @param targetBacked the target has a backing file, which shows what the sources' top layer does not have
     * @param backingEnd length of the target's backing file, -1 for unknown or none
     * @param compressedClusterBytes data is compressed, in clusters of this size; 0 for data as it is
     * @param pace how fast
     */
    record Parameters(
            int sparseBytes,
            boolean scanned,
            int workers,
            boolean inOrder,
            boolean targetZeroed,
            boolean targetBacked,
            long backingEnd,
            int compressedClusterBytes,
            Pace pace) {}

    private enum Kind {
        DATA,
        ZERO,
        BACKING
    }

    private record Piece(long number, long offset, long lengthBytes, Kind kind) {}

    private final CopySources sources;
    private final BlockBackend target;
    private final Parameters parameters;
    private final ProgressLine progress;
    private long totalBytes = 1;

    // Guarded by this: where the next piece starts, the run it is in, whose turn it is to write, the first failure.
    private long position;
    private long runEnd;
    private Kind runKind = Kind.DATA;
    private long nextNumber;
    private long turn;
    private long doneBytes;
    private @Nullable BlockException failure;

    CopyJob(CopySources sources, BlockBackend target, Parameters parameters, ProgressLine progress) {
        this.sources = sources;
        this.target = target;
        this.parameters = parameters;
        this.progress = progress;
    }

    /** @param counted look at all of the sources first, so that the progress is one of the bytes to copy */
    void run(boolean counted) throws BlockException {
        if (counted) {
            count();
        }
        int workers = Math.clamp(sources.lengthBytes() / BUFFER_BYTES, 1, parameters.workers());
        List<Thread> threads = new ArrayList<>();
        for (int i = 1; i < workers; i++) {
            Thread thread = new Thread(new Worker(this), "copy-" + i);
            thread.start();
            threads.add(thread);
        }
        work();
        for (Thread thread : threads) {
            join(thread);
        }
        BlockException failed = failure();
        if (failed != null) {
            throw failed;
        }
    }

    private void count() throws BlockException {
        long bytes = 0;
        for (Piece piece = next(); piece != null; piece = next()) {
            bytes += cost(piece);
        }
        totalBytes = Math.max(1, bytes);
        position = 0;
        runEnd = 0;
        nextNumber = 0;
    }

    private long cost(Piece piece) {
        boolean written = piece.kind == Kind.DATA || piece.kind == Kind.ZERO && parameters.sparseBytes == 0;
        return written ? piece.lengthBytes : 0;
    }

    private void work() {
        MemorySegment buffer = null;
        try {
            for (Piece piece = next(); piece != null; piece = next()) {
                if (buffer == null && cost(piece) > 0) {
                    // Collected, not closed: a request that failed may still own it.
                    buffer = Arena.ofAuto().allocate(BUFFER_BYTES, BUFFER_ALIGNMENT);
                }
                copy(piece, buffer);
            }
        } catch (BlockException e) {
            fail(e);
        } catch (RuntimeException | Error e) {
            fail(new BlockException(BlockException.Kind.IO, "internal error while copying: " + e, e));
        }
    }

    private synchronized @Nullable Piece next() throws BlockException {
        if (failure != null || position >= sources.lengthBytes()) {
            return null;
        }
        if (runEnd <= position) {
            findRun();
        }
        long length = runEnd - position;
        if (runKind == Kind.DATA || runKind == Kind.ZERO && parameters.sparseBytes == 0) {
            length = Math.min(length, BUFFER_BYTES);
        }
        Piece piece = new Piece(nextNumber++, position, length, runKind);
        position += length;
        return piece;
    }

    private void findRun() throws BlockException {
        long length = Math.min(sources.lengthBytes() - position, MAXIMUM_STATUS_BYTES);
        boolean behindBacking = false;
        if (parameters.backingEnd >= 0) {
            // a last part of a sector shows bytes of the backing file too
            long untilEnd = (parameters.backingEnd + SECTOR - 1) / SECTOR * SECTOR - position;
            behindBacking = untilEnd <= 0;
            length = behindBacking ? length : Math.min(length, untilEnd);
        }
        CopySources.Extent extent;
        try {
            extent = sources.look(position, length, parameters.targetBacked);
        } catch (BlockException e) {
            throw new BlockException(
                    e.kind(),
                    "error while reading block status at offset " + sources.localOffset(position) + ": " + e.reason(),
                    e);
        }
        long found = Math.max(extent.lengthBytes(), SECTOR);
        long alignment = sources.alignmentAt(position);
        long tail = (sources.localOffset(position) + found) % alignment;
        if (found > tail && position + found < sources.lengthBytes()) {
            found -= tail;
        }
        if (extent.zero()) {
            // Where the backing file has ended, the target reads as zeros by itself.
            runKind = behindBacking ? Kind.BACKING : Kind.ZERO;
        } else if (extent.data()) {
            runKind = Kind.DATA;
        } else {
            runKind = parameters.targetBacked ? Kind.BACKING : Kind.DATA;
        }
        if (parameters.compressedClusterBytes > 0) {
            found = wholeClusters(found);
        }
        runEnd = position + found;
    }

    /** Compressed data is written in whole clusters: what fills only a part of one is data with whatever follows it. */
    private long wholeClusters(long found) {
        int cluster = parameters.compressedClusterBytes;
        long rest = sources.lengthBytes() - position;
        if (found == rest) {
            return found;
        }
        if (found < cluster) {
            runKind = Kind.DATA;
            return Math.min(cluster, rest);
        }
        return found - found % cluster;
    }

    private void copy(Piece piece, @Nullable MemorySegment buffer) throws BlockException {
        MemorySegment data = null;
        if (cost(piece) > 0 && buffer != null) {
            data = buffer.asSlice(0, piece.lengthBytes);
            read(piece, data);
        }
        if (data == null || parameters.compressedClusterBytes == 0) {
            writeInTurn(piece, data, null);
            return;
        }
        // the work is done by all threads at once, before the turn
        try (CompressedPiece compressed = compress(piece, data)) {
            writeInTurn(piece, data, compressed);
        }
    }

    private CompressedPiece compress(Piece piece, MemorySegment data) throws BlockException {
        try {
            return CompressedPiece.of(
                    target, piece.offset, data, parameters.compressedClusterBytes, parameters.sparseBytes == 0);
        } catch (BlockException e) {
            throw writeFailed(piece, e);
        }
    }

    private void writeInTurn(Piece piece, @Nullable MemorySegment data, @Nullable CompressedPiece compressed)
            throws BlockException {
        if (parameters.inOrder && !awaitTurn(piece.number)) {
            return;
        }
        try {
            if (compressed != null) {
                compressed.write(parameters.targetZeroed);
            } else {
                write(piece, data);
            }
            parameters.pace.moved(cost(piece));
        } catch (BlockException e) {
            throw writeFailed(piece, e);
        } finally {
            finished(piece);
        }
    }

    private static BlockException writeFailed(Piece piece, BlockException e) {
        return new BlockException(e.kind(), "error while writing at byte " + piece.offset + ": " + e.reason(), e);
    }

    private void read(Piece piece, MemorySegment data) throws BlockException {
        if (piece.kind == Kind.ZERO) {
            data.fill((byte) 0);
            return;
        }
        try {
            sources.read(piece.offset, data);
        } catch (BlockException e) {
            throw new BlockException(e.kind(), "error while reading at byte " + piece.offset + ": " + e.reason(), e);
        }
    }

    private void write(Piece piece, @Nullable MemorySegment data) throws BlockException {
        if (data != null) {
            writeData(piece, data);
        } else if (piece.kind == Kind.ZERO && !parameters.targetZeroed) {
            target.writeZeroes(piece.offset, piece.lengthBytes, true);
        }
    }

    private void writeData(Piece piece, MemorySegment data) throws BlockException {
        if (parameters.sparseBytes == 0 || !parameters.scanned) {
            target.write(piece.offset, data);
            return;
        }
        SparseScan scan = new SparseScan(data, piece.offset, parameters.sparseBytes);
        while (scan.next()) {
            long offset = piece.offset + scan.start();
            if (scan.isData()) {
                target.write(offset, data.asSlice(scan.start(), scan.lengthBytes()));
            } else if (!parameters.targetZeroed) {
                target.writeZeroes(offset, scan.lengthBytes(), true);
            }
        }
    }

    private synchronized boolean awaitTurn(long number) {
        while (turn != number && failure == null) {
            try {
                wait();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return false;
            }
        }
        return failure == null;
    }

    private synchronized void finished(Piece piece) {
        turn = piece.number + 1;
        long step = parameters.compressedClusterBytes > 0 ? parameters.compressedClusterBytes : BUFFER_BYTES;
        for (long rest = cost(piece); rest > 0; rest -= step) {
            doneBytes += Math.min(rest, step);
            progress.at(100.0 * doneBytes / Math.max(totalBytes, doneBytes));
        }
        notifyAll();
    }

    private synchronized void fail(BlockException e) {
        if (failure == null) {
            failure = e;
        }
        notifyAll();
    }

    private synchronized @Nullable BlockException failure() {
        return failure;
    }

    private static void join(Thread thread) {
        boolean interrupted = false;
        while (true) {
            try {
                thread.join();
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private static final class Worker implements Runnable {
        private final CopyJob job;

        Worker(CopyJob job) {
            this.job = job;
        }

        @Override
        public void run() {
            job.work();
        }
    }
}
