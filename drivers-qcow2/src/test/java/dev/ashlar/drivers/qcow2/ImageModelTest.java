package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockException;
import dev.ashlar.testkit.crash.WriteLog;
import dev.ashlar.testkit.model.ByteModel;
import dev.ashlar.testkit.protocol.MemoryFile;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.From;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.Size;

/** Any sequence of operations leaves the image and a plain model of it equal, snapshots included, and the image consistent. */
class ImageModelTest {
    @Property(tries = 150)
    void smallClustersOverTheCachedStore(
            @ForAll @Size(min = 1, max = 60) List<@From("operations") Operation> operations) throws BlockException {
        run(MemoryFile.empty("disk"), 512, "16", "1.1", operations);
    }

    @Property(tries = 60)
    void wideRefcountsOverTheCachedStore(
            @ForAll @Size(min = 1, max = 60) List<@From("operations") Operation> operations) throws BlockException {
        run(MemoryFile.empty("disk"), 512, "64", "1.1", operations);
    }

    @Property(tries = 60)
    void narrowRefcountsAndZstd(@ForAll @Size(min = 1, max = 60) List<@From("operations") Operation> operations)
            throws BlockException {
        // a host cluster of 512 bytes holds more compressed clusters than 2 bits can count
        List<Operation> withoutSnapshots = operations.stream()
                .filter(each -> each.kind() != Operation.Kind.SNAPSHOT_CREATE)
                .toList();
        run(MemoryFile.empty("disk"), 512, "2", "1.1", false, "zstd", withoutSnapshots);
    }

    @Property(tries = 60)
    void version2(@ForAll @Size(min = 1, max = 60) List<@From("operations") Operation> operations)
            throws BlockException {
        List<Operation> withoutGrowth = operations.stream()
                .filter(each -> each.kind() != Operation.Kind.GROW && each.kind() != Operation.Kind.GROW_PREALLOCATED)
                .toList();
        run(MemoryFile.empty("disk"), 1024, "16", "0.10", withoutGrowth);
    }

    @Property(tries = 80)
    void pagesOverTheMappedStore(@ForAll @Size(min = 1, max = 60) List<@From("operations") Operation> operations)
            throws BlockException {
        run(MemoryFile.mappable("disk"), 4096, "16", "1.1", operations);
    }

    @Property(tries = 40)
    void pagesOverTheCachedStore(@ForAll @Size(min = 1, max = 60) List<@From("operations") Operation> operations)
            throws BlockException {
        run(MemoryFile.empty("disk"), 4096, "16", "1.1", operations);
    }

    @Property(tries = 15)
    void usualClustersOverTheMappedStore(
            @ForAll @Size(min = 1, max = 40) List<@From("operations") Operation> operations) throws BlockException {
        run(MemoryFile.mappable("disk"), 65536, "16", "1.1", operations);
    }

    @Property(tries = 120)
    void subClustersOverTheMappedStore(@ForAll @Size(min = 1, max = 60) List<@From("operations") Operation> operations)
            throws BlockException {
        run(MemoryFile.mappable("disk"), 16384, "16", "1.1", true, "zlib", operations);
    }

    @Property(tries = 40)
    void subClustersOverTheCachedStore(@ForAll @Size(min = 1, max = 60) List<@From("operations") Operation> operations)
            throws BlockException {
        run(MemoryFile.empty("disk"), 32768, "8", "1.1", true, "zstd", operations);
    }

    @Property(tries = 15)
    void encryptedClusters(@ForAll @Size(min = 1, max = 60) List<@From("operations") Operation> operations)
            throws BlockException {
        MemoryFile file = MemoryFile.mappable("disk");
        long size = 4096 * 90L + 512 * 3;
        Map<String, String> options = new java.util.LinkedHashMap<>(ImageMachine.ENCRYPTION);
        options.put("cluster_size", "4096");
        run(file, size, options, true, operations);
    }

    private static void run(
            MemoryFile file, int clusterBytes, String refcountBits, String compat, List<Operation> operations)
            throws BlockException {
        run(file, clusterBytes, refcountBits, compat, false, "zlib", operations);
    }

    private static void run(
            MemoryFile file,
            int clusterBytes,
            String refcountBits,
            String compat,
            boolean extendedL2,
            String compression,
            List<Operation> operations)
            throws BlockException {
        long size = clusterBytes * 90L + 512 * 3;
        run(
                file,
                size,
                Map.of(
                        "cluster_size",
                        Integer.toString(clusterBytes),
                        "refcount_bits",
                        refcountBits,
                        "compat",
                        compat,
                        "extended_l2",
                        extendedL2 ? "on" : "off",
                        "compression_type",
                        compression),
                clusterBytes % 1024 == 0,
                operations);
    }

    private static void run(
            MemoryFile file, long size, Map<String, String> options, boolean unmap, List<Operation> operations)
            throws BlockException {
        ImageMachine.create(file, size, options);
        ImageMachine machine =
                new ImageMachine(file, UnaryOperator.identity(), new WriteLog(), new ByteModel(size), 3 * size, unmap);
        for (Operation operation : operations) {
            machine.run(operation);
            if (operation.amount() % 8 == 0) {
                machine.requireEqual();
            }
        }
        machine.requireEqual();
        machine.reopen();
        machine.requireEqual();
        machine.requireClean();
        machine.close();
    }

    @Provide
    Arbitrary<Operation> operations() {
        List<Operation.Kind> kinds = Stream.of(Operation.Kind.values())
                .flatMap(kind -> Collections.nCopies(kind.weight, kind).stream())
                .toList();
        return Combinators.combine(
                        Arbitraries.of(kinds),
                        Arbitraries.integers().between(0, Operation.PLACES - 1),
                        Arbitraries.integers().between(0, Operation.AMOUNTS - 1))
                .as(Operation::new);
    }
}
