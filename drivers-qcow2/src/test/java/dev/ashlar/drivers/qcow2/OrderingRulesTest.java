package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.core.spi.MetadataAccess;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.core.spi.SnapshotRenamable;
import dev.ashlar.drivers.qcow2.OrderingAuditor.Violation;
import dev.ashlar.drivers.qcow2.Qcow2Picture.Use;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.crash.CrashStates;
import dev.ashlar.testkit.crash.DiskOperation;
import dev.ashlar.testkit.crash.WriteLog;
import dev.ashlar.testkit.crash.WriteLog.Event;
import dev.ashlar.testkit.protocol.DirectFormat;
import dev.ashlar.testkit.protocol.FaultProtocol;
import dev.ashlar.testkit.protocol.FaultProtocol.Damage;
import dev.ashlar.testkit.protocol.FaultProtocol.Duration;
import dev.ashlar.testkit.protocol.ForwardingProtocol;
import dev.ashlar.testkit.protocol.MemoryDriver;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import dev.ashlar.testkit.protocol.RecordingProtocol;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

/**
 * The rules of the write order, R1 to R10 (RELIABILITY.md), one test or more each: what the driver does keeps the rule, and the same changes in an order that
 * breaks it are found out, so that the auditor which looks at all random work is known to see.
 */
class OrderingRulesTest {
    private static final Qcow2Driver DRIVER = new Qcow2Driver();
    private static final int CLUSTER = 4096;
    private static final int OLD = 16;

    private interface Work {
        void on(DirectFormat image) throws BlockException;
    }

    /** What went to the disk, each operation ended before the next began. */
    private record Recorded(SparseBytes initial, List<DiskOperation> operations) {
        static Recorded of(SparseBytes initial, Work work) throws BlockException {
            WriteLog log = new WriteLog();
            MemoryFile file = MemoryFile.of("disk", initial.fork());
            try (DirectFormat image =
                    DirectFormat.open(DRIVER, new RecordingProtocol(new MemoryProtocol(file), log), Flag.UNMAP)) {
                work.on(image);
            }
            return of(initial, log);
        }

        static Recorded of(SparseBytes initial, WriteLog log) {
            List<DiskOperation> operations = new ArrayList<>();
            for (Event event : log.events()) {
                if (event instanceof Event.Started started) {
                    operations.add(started.operation());
                }
            }
            return new Recorded(initial, operations);
        }

        /** The first operation from a place on that writes to a cluster which is then used so. */
        int find(int from, Use use) {
            SparseBytes image = initial.fork();
            for (int i = 0; i < operations.size(); i++) {
                operations.get(i).apply(image);
                if (i >= from && operations.get(i) instanceof DiskOperation.Ranged ranged) {
                    Qcow2Picture picture = new Qcow2Picture(image);
                    long cluster = ranged.offset() >> picture.clusterBits();
                    if (picture.references(cluster).stream().anyMatch(each -> each.use() == use)) {
                        return i;
                    }
                }
            }
            throw new AssertionError("no " + use + " in " + operations);
        }

        int find(int from, Class<? extends DiskOperation> type) {
            for (int i = from; i < operations.size(); i++) {
                if (type.isInstance(operations.get(i))) {
                    return i;
                }
            }
            throw new AssertionError("no " + type + " in " + operations);
        }

        /** The first data of a guest. */
        int findData(int from) {
            int i = from;
            while (!(operations.get(i) instanceof DiskOperation.Write write && !write.metadata())) {
                i++;
            }
            return i;
        }

        /** One operation happens at another place: before the one that stood there, or behind all for the end. */
        Recorded moved(int from, int to) {
            List<DiskOperation> order = new ArrayList<>(operations);
            DiskOperation operation = order.get(from);
            order.add(to, operation);
            order.remove(to <= from ? from + 1 : from);
            return new Recorded(initial, order);
        }

        Recorded inserted(int at, DiskOperation... more) {
            List<DiskOperation> order = new ArrayList<>(operations);
            order.addAll(at, List.of(more));
            return new Recorded(initial, order);
        }

        Violation violation() {
            List<Event> events = new ArrayList<>();
            for (int i = 0; i < operations.size(); i++) {
                events.add(new Event.Started(i, operations.get(i)));
                events.add(new Event.Ended(i, true));
            }
            return OrderingAuditor.firstViolation(events, initial);
        }

        void requireKept() {
            Violation violation = violation();
            assertNull(violation, () -> violation + " in " + operations);
        }

        void requireBroken(String rule) {
            Violation violation = violation();
            assertNotNull(violation, () -> rule + " is not seen in " + operations);
            assertEquals(rule, violation.rule(), violation::toString);
        }
    }

    /** Bytes that say of which sector of the guest they are, as {@link ImageMachine} writes them. */
    private static byte[] cluster(int guestCluster, int stamp) {
        byte[] bytes = new byte[CLUSTER];
        for (int i = 0; i < bytes.length; i++) {
            long sector = ((long) guestCluster * CLUSTER + i) / 512;
            bytes[i] = (byte) (i % 4 == 0 ? stamp : i % 4 == 1 ? 77 : sector + stamp);
        }
        return bytes;
    }

    private static void write(DirectFormat image, int guestCluster, int stamp) throws BlockException {
        image.write((long) guestCluster * CLUSTER, cluster(guestCluster, stamp));
    }

    private static MemoryFile created(String size, String clusterBytes) throws BlockException {
        MemoryFile file = MemoryFile.empty("disk");
        MemoryProtocol protocol = new MemoryProtocol(file);
        DirectFormat.create(DRIVER, protocol, Map.of("size", size, "cluster_size", clusterBytes));
        protocol.close();
        return file;
    }

    /** Clusters 0 to 15 are written, and behind them the file has room that nothing uses. */
    private static SparseBytes base() throws BlockException {
        MemoryFile file = created(Integer.toString(16 << 20), Integer.toString(CLUSTER));
        try (DirectFormat image = DirectFormat.open(DRIVER, new MemoryProtocol(file))) {
            for (int i = 0; i < 2 * OLD; i++) {
                write(image, i, 1);
            }
            image.flush();
            image.discard((long) OLD * CLUSTER, (long) OLD * CLUSTER);
            image.flush();
        }
        return file.snapshot();
    }

    private static Recorded newCluster() throws BlockException {
        return Recorded.of(base(), image -> {
            write(image, 40, 2);
            image.flush();
        });
    }

    @Test
    void r1_countBeforeReference() throws Exception {
        Recorded good = newCluster();
        good.requireKept();
        good.moved(good.find(0, Use.REFCOUNT_BLOCK), good.operations().size()).requireBroken("R1");
    }

    /** The snapshot's references are counted before the header names it. */
    @Test
    void r1_countBeforeSnapshot() throws Exception {
        Recorded good = Recorded.of(base(), image -> image.createSnapshot("s"));
        good.requireKept();
        good.moved(good.find(0, Use.REFCOUNT_BLOCK), good.operations().size()).requireBroken("R1");
    }

    @Test
    void r2_fillBeforeReference() throws Exception {
        Recorded good = newCluster();
        good.moved(good.findData(0), good.find(0, DiskOperation.Flush.class) + 1)
                .requireBroken("R2");
    }

    @Test
    void r2_fillBeforeReferenceOfATable() throws Exception {
        Recorded good = Recorded.of(base(), image -> {
            // in the part of a second L2 table
            write(image, 1000, 2);
            image.flush();
        });
        good.requireKept();
        int flush = good.find(0, DiskOperation.Flush.class);
        good.moved(flush - 1, flush + 1).requireBroken("R2");
    }

    @Test
    void r3_lengthBeforeReference() throws Exception {
        MemoryFile file = created(Integer.toString(16 << 20), Integer.toString(CLUSTER));
        try (DirectFormat image = DirectFormat.open(DRIVER, new MemoryProtocol(file))) {
            write(image, 0, 1);
        }
        Recorded good = Recorded.of(file.snapshot(), image -> {
            write(image, 1, 2);
            image.flush();
        });
        good.requireKept();
        good.moved(good.findData(0), good.find(0, DiskOperation.Flush.class) + 1)
                .requireBroken("R3");
    }

    private static Recorded discarded() throws BlockException {
        return Recorded.of(base(), image -> {
            image.discard(0, CLUSTER);
            image.flush();
            write(image, 40, 2);
            image.flush();
        });
    }

    @Test
    void r4_unreferenceBeforeUncount() throws Exception {
        Recorded good = Recorded.of(base(), image -> {
            image.discard(0, CLUSTER);
            image.flush();
        });
        good.requireKept();
        good.moved(good.find(0, Use.REFCOUNT_BLOCK), 0).requireBroken("R4");
    }

    @Test
    void r4_unreferenceBeforeUncountOfASnapshot() throws Exception {
        MemoryFile file = MemoryFile.of("disk", base());
        try (DirectFormat image = DirectFormat.open(DRIVER, new MemoryProtocol(file))) {
            image.createSnapshot("s");
        }
        Recorded good = Recorded.of(file.snapshot(), image -> image.deleteSnapshot("s"));
        good.requireKept();
        int header = good.find(0, Use.HEADER);
        good.moved(good.find(header, Use.REFCOUNT_BLOCK), header).requireBroken("R4");
    }

    @Test
    void r5_unreferenceBeforeReuse() throws Exception {
        Recorded good = discarded();
        good.requireKept();
        good.moved(good.findData(0), 0).requireBroken("R5");
    }

    @Test
    void r5_unreferenceBeforePunch() throws Exception {
        Recorded good = discarded();
        good.moved(good.find(0, DiskOperation.Discard.class), 0).requireBroken("R5");
    }

    @Test
    void r6_flagsAreClearedBeforeASecondReference() throws Exception {
        Recorded good = Recorded.of(base(), image -> image.createSnapshot("s"));
        good.moved(good.find(0, Use.L2), good.operations().size()).requireBroken("R6");
    }

    @Test
    void r6_flagsAreSetAfterTheCountIsOne() throws Exception {
        MemoryFile file = MemoryFile.of("disk", base());
        try (DirectFormat image = DirectFormat.open(DRIVER, new MemoryProtocol(file))) {
            image.createSnapshot("s");
        }
        Recorded good = Recorded.of(file.snapshot(), image -> image.deleteSnapshot("s"));
        int flags = good.find(0, Use.L2);
        good.moved(flags, good.find(0, Use.HEADER)).requireBroken("R6");
    }

    @Test
    void r6_sharedClustersAreCopied() throws Exception {
        MemoryFile file = MemoryFile.of("disk", base());
        try (DirectFormat image = DirectFormat.open(DRIVER, new MemoryProtocol(file))) {
            image.createSnapshot("s");
        }
        Recorded good = Recorded.of(file.snapshot(), image -> {
            write(image, 3, 2);
            image.flush();
        });
        good.requireKept();
        Qcow2Picture picture = new Qcow2Picture(good.initial());
        for (long cluster : picture.referencedClusters()) {
            if (picture.references(cluster).stream()
                    .anyMatch(each -> each.use() == Use.DATA && each.guestCluster() == 3)) {
                good.inserted(0, new DiskOperation.Write(cluster * CLUSTER, cluster(3, 9), false))
                        .requireBroken("R6");
            }
        }
    }

    /** Size and L1 table change with one sector: neither is ever seen without the other. */
    @Test
    void r7_switchByOneSector() throws Exception {
        MemoryFile file = created("65536", "512");
        Recorded good = Recorded.of(file.snapshot(), image -> image.resize(8 << 20));
        good.requireKept();
        int header = good.find(0, Use.HEADER);
        DiskOperation.Write whole = (DiskOperation.Write) good.operations().get(header);
        byte[] size = java.util.Arrays.copyOfRange(whole.content(), 24, 32);
        good.inserted(header, new DiskOperation.Write(24, size, true)).requireBroken("R7");
    }

    /** A table of several sectors that stays where it is may be torn. */
    @Test
    void r7_tablesAreWrittenAnew() throws Exception {
        MemoryFile file = created("65536", "512");
        try (DirectFormat image = DirectFormat.open(DRIVER, new MemoryProtocol(file))) {
            for (int i = 0; i < 12; i++) {
                image.createSnapshot("snapshot with quite a long name, number " + i);
            }
        }
        SparseBytes initial = file.snapshot();
        Recorded good = Recorded.of(initial, image -> {
            SnapshotRenamable renamable =
                    image.format().capability(SnapshotRenamable.class).orElseThrow();
            renamable.renameSnapshot(image.snapshots().snapshots().get(3), "short");
        });
        good.requireKept();
        // the new table, a flush, the header
        int table = good.find(0, Use.HEADER) - 2;
        DiskOperation.Write moved = (DiskOperation.Write) good.operations().get(table);
        Qcow2Picture picture = new Qcow2Picture(initial);
        long old = Long.MAX_VALUE;
        for (long cluster : picture.referencedClusters()) {
            if (picture.references(cluster).get(0).use() == Use.SNAPSHOT_TABLE) {
                old = Math.min(old, cluster);
            }
        }
        good.inserted(0, new DiskOperation.Write(old * 512, moved.content(), true))
                .requireBroken("R7");
    }

    /** A new image is none until all of it is there. */
    @Test
    void r8_aNameIsCreatedLast() throws Exception {
        WriteLog log = new WriteLog();
        MemoryFile file = MemoryFile.empty("disk");
        RecordingProtocol protocol = new RecordingProtocol(new MemoryProtocol(file), log);
        DirectFormat.create(DRIVER, protocol, Map.of("size", "1048576", "cluster_size", "512"));
        protocol.close();
        int[] whole = new int[1];
        long states = CrashStates.forEachState(log, new SparseBytes(), 5, 400, state -> {
            if (isWholeOrNone(state.image())) {
                whole[0]++;
            }
        });
        assertTrue(whole[0] > 0 && whole[0] < states, whole[0] + " of " + states);
        // the header's sector before the flush that covers the tables
        Recorded bad = Recorded.of(new SparseBytes(), log);
        int header = bad.operations().size() - 1;
        while (!(bad.operations().get(header) instanceof DiskOperation.Ranged)) {
            header--;
        }
        WriteLog wrong = new WriteLog();
        for (DiskOperation operation : bad.moved(header, 2).operations()) {
            wrong.end(wrong.start(operation), true);
        }
        assertThrows(
                AssertionError.class,
                () -> CrashStates.forEachState(
                        wrong, new SparseBytes(), 5, 400, state -> isWholeOrNone(state.image())));
    }

    /** The name of the data file is durable before an image that names it is one, and the image's own name comes last of all. */
    @Test
    void r8_theDataFileComesFirst() throws Exception {
        List<String> calls = new ArrayList<>();
        MemoryDriver memory = new MemoryDriver(MemoryFile::empty, protocol -> new ForwardingProtocol(protocol) {
            @Override
            public void syncName() throws BlockException {
                calls.add("name of " + fileName());
                super.syncName();
            }

            @Override
            public MetadataAccess metadata() {
                MetadataAccess access = super.metadata();
                return new MetadataAccess() {
                    @Override
                    public void read(long offset, MemorySegment destination) throws BlockException {
                        access.read(offset, destination);
                    }

                    @Override
                    public void write(long offset, MemorySegment source) throws BlockException {
                        if (offset == 0 && source.get(ValueLayout.JAVA_BYTE, 0) == 'Q') {
                            calls.add("header of " + fileName());
                        }
                        access.write(offset, source);
                    }

                    @Override
                    public Optional<MappedView> map(long reserveBytes) throws BlockException {
                        return access.map(reserveBytes);
                    }
                };
            }
        });
        try (BlockGraph graph = BlockGraph.create(List.of(memory, DRIVER))) {
            graph.createImage("disk", "qcow2", Map.of("size", "1048576", "data_file", "data"));
        }
        assertEquals(List.of("name of data", "header of disk"), calls.subList(0, 2), calls::toString);
        assertEquals("name of disk", calls.get(calls.size() - 1));
    }

    /** @return whether it opens; then it is without a fault */
    private static boolean isWholeOrNone(SparseBytes image) throws BlockException {
        MemoryFile file = MemoryFile.of("created", image);
        DirectFormat format;
        try {
            format = DirectFormat.open(DRIVER, new MemoryProtocol(file), Flag.READ_ONLY, Flag.CHECK);
        } catch (BlockException e) {
            return false;
        }
        try (format) {
            CheckReport report = format.check(Repair.NONE);
            assertEquals(0, report.corruptions() + report.leaks() + report.checkErrors(), report::toString);
            assertEquals(1 << 20, format.lengthBytes());
        }
        return true;
    }

    /** After a failed metadata write or flush not one more change goes to the disk. */
    @Test
    void r9_failStop() throws Exception {
        for (Set<FaultProtocol.Operation> operations :
                List.of(Set.of(FaultProtocol.Operation.FLUSH), Set.of(FaultProtocol.Operation.METADATA_WRITE))) {
            MemoryFile file = MemoryFile.of("disk", base());
            WriteLog log = new WriteLog();
            FaultProtocol faults = new FaultProtocol(new RecordingProtocol(new MemoryProtocol(file), log));
            DirectFormat image = DirectFormat.open(DRIVER, faults, Flag.UNMAP);
            write(image, 40, 2);
            image.discard(0, CLUSTER);
            faults.failWhen(call -> operations.contains(call.operation()), Kind.IO, Duration.ONCE, Damage.NONE);
            assertThrows(BlockException.class, image::flush);
            int size = log.size();
            assertThrows(BlockException.class, image::flush);
            assertThrows(BlockException.class, () -> write(image, 41, 2));
            assertThrows(BlockException.class, () -> write(image, 1, 2), "in place");
            assertThrows(BlockException.class, () -> image.discard(CLUSTER, CLUSTER));
            assertThrows(BlockException.class, () -> image.createSnapshot("s"));
            assertThrows(BlockException.class, () -> image.resize(32 << 20));
            image.close();
            assertEquals(size, log.size(), () -> log.tail(log.size(), 10));
        }
    }

    /** The same fault, and somebody who goes on all the same. */
    @Test
    void r9_whatFollowsAFailureIsSeen() throws Exception {
        Recorded good = newCluster();
        int flush = good.find(0, DiskOperation.Flush.class);
        int count = good.find(0, Use.REFCOUNT_BLOCK);
        for (int failing : new int[] {flush, count}) {
            for (int last : new int[] {failing, failing + 1}) {
                List<Event> events = new ArrayList<>();
                for (int i = 0; i <= last; i++) {
                    events.add(new Event.Started(i, good.operations().get(i)));
                    events.add(new Event.Ended(i, i != failing));
                }
                Violation violation = OrderingAuditor.firstViolation(events, good.initial());
                if (last == failing) {
                    assertNull(violation);
                } else {
                    assertNotNull(violation, () -> "R9 is not seen in " + events);
                    assertEquals("R9", violation.rule(), violation::toString);
                }
            }
        }
    }

    /** A feature that nobody here knows would become untrue: its mark goes first. */
    @Test
    void r10_autoclearBitsAreClearedFirst() throws Exception {
        SparseBytes initial = base();
        byte[] bits = {0, 0, 0, 0, 0, 0, 0, (byte) 0x80};
        initial.write(88, bits, 0, 8);
        Recorded good = Recorded.of(initial, image -> {
            write(image, 40, 2);
            image.flush();
        });
        good.requireKept();
        good.moved(good.find(0, Use.HEADER), good.operations().size()).requireBroken("R10");
    }

    /** An overlap is met: the mark is durable, and nothing else is written. */
    @Test
    void r10_corruptBitIsDurable() throws Exception {
        SparseBytes initial = base();
        Qcow2Picture picture = new Qcow2Picture(initial);
        for (long cluster : picture.referencedClusters()) {
            if (picture.references(cluster).get(0).use() == Use.L1) {
                uncount(initial, cluster);
            }
        }
        MemoryFile file = MemoryFile.of("disk", initial.fork());
        WriteLog log = new WriteLog();
        DirectFormat image =
                DirectFormat.open(DRIVER, new RecordingProtocol(new MemoryProtocol(file), log), Flag.UNMAP);
        assertThrows(BlockException.class, () -> write(image, 40, 2));
        image.close();
        Recorded recorded = Recorded.of(initial, log);
        assertEquals(
                2, recorded.operations().size(), () -> recorded.operations().toString());
        assertTrue(recorded.operations().get(1) instanceof DiskOperation.Flush);
        assertTrue(new Qcow2Picture(file.snapshot()).isCorrupt());
    }

    private static void uncount(SparseBytes image, long cluster) {
        // counts of 16 bits; the one block is the third cluster
        image.write(2 * CLUSTER + 2 * cluster, new byte[2], 0, 2);
    }
}
