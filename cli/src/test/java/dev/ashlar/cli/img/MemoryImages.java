package dev.ashlar.cli.img;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.ProgramExit;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.core.spi.ProtocolInstance;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.protocol.MemoryDriver;
import dev.ashlar.testkit.protocol.MemoryFile;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/** Files in memory, and the program's commands on them: with the drivers of formats that are installed, and with no other files. */
final class MemoryImages {
    private final MemoryDriver memory;
    private final List<BlockDriver> drivers;

    /** @param wrapper goes around each file that is opened */
    MemoryImages(Map<String, SparseBytes> files, UnaryOperator<ProtocolInstance> wrapper) throws BlockException {
        memory = new MemoryDriver(MemoryFile::empty, wrapper);
        files.forEach((name, content) -> memory.put(MemoryFile.of(name, content.fork())));
        try (BlockGraph installed = BlockGraph.create()) {
            drivers = List.of(
                    memory,
                    installed.driver("qcow2").orElseThrow(),
                    installed.driver("raw").orElseThrow());
        }
    }

    BlockGraph graph() {
        return BlockGraph.create(drivers);
    }

    /** A command that must succeed. */
    void run(String... words) {
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        Console console =
                new Console("ashlar", InputStream.nullInputStream(), OutputStream.nullOutputStream(), err, drivers);
        String[] all = new String[words.length + 1];
        all[0] = "ashlar";
        System.arraycopy(words, 0, all, 1, words.length);
        int status;
        try {
            status = new ImgProgram(console).run(all);
        } catch (ProgramExit exit) {
            status = exit.status();
        } catch (BlockException e) {
            throw new AssertionError(String.join(" ", words) + ": " + e.getMessage(), e);
        }
        console.flush();
        if (status != 0) {
            throw new AssertionError(
                    String.join(" ", words) + ": status " + status + ", " + err.toString(StandardCharsets.UTF_8));
        }
    }

    /** What the files hold. */
    Map<String, SparseBytes> files(Iterable<String> names) {
        Map<String, SparseBytes> all = new LinkedHashMap<>();
        for (String name : names) {
            all.put(name, memory.file(name).snapshot());
        }
        return all;
    }

    /** What a guest reads, the whole chain below included. */
    SparseBytes content(String name, String format) throws BlockException {
        try (BlockGraph graph = graph();
                BlockBackend disk = graph.open(name, OpenOptions.readOnly().format(format))) {
            byte[] bytes = new byte[Math.toIntExact(disk.lengthBytes())];
            disk.read(0, MemorySegment.ofArray(bytes));
            SparseBytes content = new SparseBytes(bytes.length);
            content.write(0, bytes, 0, bytes.length);
            return content;
        }
    }

    /** Checks a qcow2 image, or repairs it. */
    CheckReport check(String name, Repair repair) throws BlockException {
        OpenOptions how = repair == Repair.NONE ? OpenOptions.readOnly() : OpenOptions.readWrite();
        try (BlockGraph graph = graph();
                BlockBackend disk =
                        graph.open(name, how.format("qcow2").checking(true).backing(false))) {
            return disk.check(repair, finding -> {});
        }
    }
}
