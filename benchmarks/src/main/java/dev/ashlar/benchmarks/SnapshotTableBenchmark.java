package dev.ashlar.benchmarks;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.snapshot.Snapshots;
import dev.ashlar.drivers.qcow2.format.SnapshotEntry;
import dev.ashlar.drivers.qcow2.format.SnapshotTable;
import dev.ashlar.nativeio.LinuxFile;
import dev.ashlar.nativeio.OpenFlag;
import dev.ashlar.nativeio.ReadOnlyMapping;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * An image with many snapshots: reading the table where it is mapped, opening the image, and finding one snapshot among them. The
 * limit is a copy of the table's bytes out of the mapping.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class SnapshotTableBenchmark {
    private static final long DISK_BYTES = 1L << 30;
    private static final long HEADER_SNAPSHOT_COUNT = 60;

    /** Snapshots in the table; the largest number is the format's limit. */
    @Param({"100", "10000", "65536"})
    public int snapshotCount;

    private Path path;
    private LinuxFile file;
    private ReadOnlyMapping mapping;
    private MemorySegment table;
    private MemorySegment copy;
    private BlockGraph graph;
    private BlockBackend backend;
    private Snapshots snapshots;
    private String lastId;
    private String lastName;

    /** Creates the image and puts a table behind its end. */
    @Setup
    public void open() throws IOException {
        path = Scratch.file(".qcow2");
        graph = BlockGraph.create();
        graph.createImage(path.toString(), "qcow2", Map.of("size", Long.toString(DISK_BYTES)));
        byte[] bytes = SnapshotTable.encode(entries());
        long offset;
        try (RandomAccessFile image = new RandomAccessFile(path.toFile(), "rw")) {
            offset = (image.length() + 65_535) & -65_536L;
            image.seek(offset);
            image.write(bytes);
            image.seek(HEADER_SNAPSHOT_COUNT);
            image.writeInt(snapshotCount);
            image.writeLong(offset);
        }
        file = LinuxFile.open(path.toString(), OpenFlag.READ_ONLY);
        mapping = ReadOnlyMapping.map(file, offset + bytes.length);
        table = mapping.segment().asSlice(offset);
        copy = MemorySegment.ofArray(new byte[bytes.length]);
        backend = openImage();
        snapshots = backend.snapshots();
        lastId = Integer.toString(snapshotCount);
        lastName = name(snapshotCount);
    }

    private List<SnapshotEntry> entries() {
        List<SnapshotEntry> entries = new ArrayList<>();
        for (int i = 1; i <= snapshotCount; i++) {
            String id = Integer.toString(i);
            var info = new SnapshotInfo(
                    id, name(i), 0, 1_700_000_000L + i, 500_000_000, 0, OptionalLong.empty(), DISK_BYTES);
            byte[] idBytes = id.getBytes(StandardCharsets.UTF_8);
            byte[] nameBytes = name(i).getBytes(StandardCharsets.UTF_8);
            entries.add(new SnapshotEntry(info, 0, 0, new byte[0], idBytes, nameBytes));
        }
        return entries;
    }

    private static String name(int number) {
        return "nightly-2026-" + number;
    }

    private BlockBackend openImage() throws IOException {
        return graph.open(path.toString(), OpenOptions.readOnly().format("qcow2"));
    }

    /** Removes the image. */
    @TearDown
    public void close() throws IOException {
        backend.close();
        graph.close();
        mapping.close();
        file.close();
        Files.delete(path);
    }

    /** Turns the bytes of the table into entries. */
    @Benchmark
    public SnapshotTable.Parsed parse() throws IOException {
        return SnapshotTable.parse(table, snapshotCount, DISK_BYTES);
    }

    /** The limit for {@link #parse}. */
    @Benchmark
    public MemorySegment copyTable() {
        MemorySegment.copy(table, 0, copy, 0, copy.byteSize());
        return copy;
    }

    /** Opens the image, lists and closes. */
    @Benchmark
    public int openAndList() throws IOException {
        try (BlockBackend opened = openImage()) {
            int count = opened.snapshots().list().size();
            if (count != snapshotCount) {
                throw new IOException("listed " + count);
            }
            return count;
        }
    }

    /** The last entry by its name. */
    @Benchmark
    public Optional<SnapshotInfo> findByName() throws IOException {
        return found(snapshots.findByName(lastName));
    }

    /** The last entry by its id. */
    @Benchmark
    public Optional<SnapshotInfo> findById() throws IOException {
        return found(snapshots.find(lastId, null));
    }

    /** A name that is there, asked for as what may be an id. */
    @Benchmark
    public Optional<SnapshotInfo> findByIdOrName() throws IOException {
        return found(snapshots.findByIdOrName(lastName));
    }

    private static Optional<SnapshotInfo> found(Optional<SnapshotInfo> snapshot) throws IOException {
        if (snapshot.isEmpty()) {
            throw new IOException("snapshot not found");
        }
        return snapshot;
    }
}
