package dev.ashlar.cli.interop;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.snapshot.SnapshotRequest;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.core.spi.SecretSource;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.model.DiskExpectation;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** An image opened by Ashlar with all its drivers. */
public final class AshlarDisk implements AutoCloseable {
    private final Path image;
    private final OpenOptions options;
    private final SecretSource secrets;
    private BlockGraph graph;
    private BlockBackend backend;

    AshlarDisk(Path image, OpenOptions options) throws BlockException {
        this(image, options, SecretSource.NONE);
    }

    public AshlarDisk(Path image, OpenOptions options, SecretSource secrets) throws BlockException {
        this.image = image;
        this.options = options;
        this.secrets = secrets;
        open();
    }

    static AshlarDisk readWrite(Path image, boolean direct) throws BlockException {
        return new AshlarDisk(
                image, OpenOptions.readWrite().format("qcow2").unmap(true).direct(direct));
    }

    static void create(Path image, long sizeBytes, Map<String, String> options) throws BlockException {
        try (BlockGraph graph = BlockGraph.create()) {
            Map<String, String> all = new LinkedHashMap<>(options);
            all.put("size", Long.toString(sizeBytes));
            graph.createImage(image.toString(), "qcow2", all);
        }
    }

    private void open() throws BlockException {
        graph = BlockGraph.create();
        graph.useSecrets(secrets);
        try {
            backend = graph.open(image.toString(), options);
        } catch (BlockException | RuntimeException e) {
            graph.close();
            throw e;
        }
    }

    BlockBackend backend() {
        return backend;
    }

    void run(Step step) throws BlockException {
        switch (step) {
            case Step.Write write -> {
                try (Arena arena = Arena.ofConfined()) {
                    MemorySegment buffer = arena.allocate(write.lengthBytes(), 4096);
                    buffer.fill((byte) write.pattern());
                    backend.write(write.offset(), buffer);
                }
            }
            case Step.WriteCompressed write -> {
                try (Arena arena = Arena.ofConfined()) {
                    MemorySegment buffer = arena.allocate(write.lengthBytes(), 4096);
                    buffer.fill((byte) write.pattern());
                    backend.writeCompressed(write.offset(), buffer);
                }
            }
            case Step.Zero zero -> backend.writeZeroes(zero.offset(), zero.lengthBytes(), true);
            case Step.Discard discard -> backend.discard(discard.offset(), discard.lengthBytes());
            case Step.Flush flush -> backend.flush();
            case Step.Reopen reopen -> {
                close();
                open();
            }
            case Step.Create create -> backend.snapshots().create(SnapshotRequest.named(create.name()));
            case Step.Apply apply -> backend.snapshots().apply(named(apply.name()));
            case Step.Delete delete -> backend.snapshots().delete(named(delete.name()));
            case Step.Grow grow -> backend.resize(grow.lengthBytes(), Preallocation.OFF);
        }
    }

    private SnapshotInfo named(String name) throws BlockException {
        return backend.snapshots().findByName(name).orElseThrow(() -> new AssertionError("no snapshot " + name));
    }

    public DiskExpectation.Found found() throws BlockException {
        Map<String, SparseBytes> snapshots = new LinkedHashMap<>();
        for (SnapshotInfo each : backend.snapshots().list()) {
            try (BlockBackend view = backend.snapshots().open(each)) {
                snapshots.put(each.name(), content(view));
            }
        }
        return new DiskExpectation.Found(content(backend), snapshots);
    }

    static SparseBytes content(BlockBackend backend) throws BlockException {
        SparseBytes result = new SparseBytes(backend.lengthBytes());
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(1 << 20, 4096);
            for (long offset = 0; offset < result.lengthBytes(); offset += buffer.byteSize()) {
                MemorySegment part = buffer.asSlice(0, Math.min(buffer.byteSize(), result.lengthBytes() - offset));
                backend.read(offset, part);
                if (!isZero(part)) {
                    result.write(offset, part);
                }
            }
        }
        return result;
    }

    private static boolean isZero(MemorySegment part) {
        long words = part.byteSize() / 8;
        for (long i = 0; i < words; i++) {
            if (part.get(ValueLayout.JAVA_LONG_UNALIGNED, i * 8) != 0) {
                return false;
            }
        }
        for (long at = words * 8; at < part.byteSize(); at++) {
            if (part.get(ValueLayout.JAVA_BYTE, at) != 0) {
                return false;
            }
        }
        return true;
    }

    @Override
    public void close() throws BlockException {
        try {
            backend.close();
        } finally {
            graph.close();
        }
    }
}
