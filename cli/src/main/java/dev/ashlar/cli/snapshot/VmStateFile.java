package dev.ashlar.cli.snapshot;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockNode;
import dev.ashlar.core.VmState;
import dev.ashlar.core.snapshot.Snapshots;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;

/** The state of a machine in a file of the host, on its way into an image and out of it. */
final class VmStateFile {
    private static final int PIECE_BYTES = 1 << 20;

    private final String fileName;

    VmStateFile(String fileName) {
        this.fileName = fileName;
    }

    /** @throws BlockException INVALID if the file is one that a disk lies in: reading it would not end, writing would destroy it */
    void requireApartFrom(Collection<BlockNode> nodes) throws BlockException {
        Path path = Path.of(fileName);
        for (BlockNode node : nodes) {
            if (node.fileName().indexOf('\0') < 0 && isSameFile(path, Path.of(node.fileName()))) {
                throw new BlockException(
                        Kind.INVALID,
                        "The machine's state cannot be in '" + fileName + "', where '" + node.fileName() + "' lies");
            }
        }
    }

    private static boolean isSameFile(Path path, Path other) {
        try {
            return Files.isSameFile(path, other);
        } catch (IOException e) {
            // One of them is not there, or has no name in the file system.
            return false;
        }
    }

    /** @throws BlockException IO if the file cannot be written; what it holds stays */
    void requireWritable() throws BlockException {
        try (FileOutputStream out = new FileOutputStream(fileName, true)) {
            out.flush();
        } catch (IOException e) {
            throw failed("write", e);
        }
    }

    /** Stores the file with the live disk. @return its length in bytes */
    long store(Snapshots snapshots) throws BlockException {
        byte[] piece = new byte[PIECE_BYTES];
        long at = 0;
        boolean done = false;
        try (FileInputStream in = new FileInputStream(fileName);
                VmState state = snapshots.openVmState()) {
            for (int count = in.readNBytes(piece, 0, PIECE_BYTES);
                    count > 0;
                    count = in.readNBytes(piece, 0, PIECE_BYTES)) {
                state.write(at, MemorySegment.ofArray(piece).asSlice(0, count));
                at += count;
            }
            done = true;
        } catch (IOException e) {
            throw failed("read", e);
        } finally {
            if (!done) {
                drop(snapshots);
            }
        }
        return at;
    }

    /** Writes what goes with the live disk into the file. */
    void load(Snapshots snapshots, long lengthBytes) throws BlockException {
        byte[] piece = new byte[PIECE_BYTES];
        try (FileOutputStream out = new FileOutputStream(fileName);
                VmState state = snapshots.openVmState()) {
            for (long at = 0; at < lengthBytes; at += PIECE_BYTES) {
                int count = (int) Math.min(PIECE_BYTES, lengthBytes - at);
                state.read(at, MemorySegment.ofArray(piece).asSlice(0, count));
                out.write(piece, 0, count);
            }
            out.getFD().sync();
        } catch (IOException e) {
            throw failed("write", e);
        }
    }

    /** Gives up what was stored for a snapshot that was not taken. */
    static void drop(Snapshots snapshots) {
        try (VmState state = snapshots.openVmState()) {
            state.drop();
        } catch (BlockException e) {
            // What led here is reported; the state is out of the guest's sight, and the next one takes its place.
        }
    }

    private BlockException failed(String verb, IOException e) {
        return e instanceof BlockException block
                ? block
                : new BlockException(
                        Kind.IO,
                        "Could not " + verb + " the machine's state in '" + fileName + "': " + e.getMessage(),
                        e);
    }
}
