package dev.ashlar.drivers.qcow2.snapshot;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.core.spi.WritePlan;
import dev.ashlar.drivers.qcow2.Qcow2Driver;
import dev.ashlar.drivers.qcow2.alloc.Discard;
import dev.ashlar.drivers.qcow2.alloc.OwnedTables;
import dev.ashlar.drivers.qcow2.alloc.PassedDiscards;
import dev.ashlar.drivers.qcow2.alloc.WritePlanner;
import dev.ashlar.drivers.qcow2.format.Qcow2Header;
import dev.ashlar.drivers.qcow2.metadata.HeaderSector;
import dev.ashlar.drivers.qcow2.metadata.ImageFile;
import dev.ashlar.drivers.qcow2.metadata.L1Table;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import dev.ashlar.drivers.qcow2.metadata.WriteBack;
import dev.ashlar.testkit.protocol.DirectChild;
import dev.ashlar.testkit.protocol.DirectFormat;
import dev.ashlar.testkit.protocol.FaultProtocol;
import dev.ashlar.testkit.protocol.FaultProtocol.Damage;
import dev.ashlar.testkit.protocol.FaultProtocol.Duration;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/**
 * What the code asserts of the rules R1 to R10 (RELIABILITY.md), planted: the parts of an open image are used in a wrong order, and the assertion that cites the
 * rule fails.
 */
class AssertedRulesTest {
    private static final int CLUSTER = 4096;

    private final MemoryFile disk = MemoryFile.empty("disk");
    private final FaultProtocol faults;
    private final MetadataContext context;
    private final ImageFile file;
    private final WriteBack writeBack;

    AssertedRulesTest() throws BlockException {
        MemoryProtocol empty = new MemoryProtocol(disk);
        DirectFormat.create(
                new Qcow2Driver(), empty, Map.of("size", "1048576", "cluster_size", Integer.toString(CLUSTER)));
        empty.close();
        faults = new FaultProtocol(new MemoryProtocol(disk));
        DirectChild child = new DirectChild("file", faults);
        MemorySegment head = MemorySegment.ofArray(new byte[CLUSTER]);
        child.metadata().read(0, head);
        Qcow2Header header = Qcow2Header.parse(head, child.lengthBytes(), false);
        file = ImageFile.open(child, header.layout(), null);
        context = new MetadataContext(file, new HeaderSector(head), header);
        writeBack = new WriteBack(context, new PassedDiscards(true, true, true));
    }

    private static void broken(String rules, Executable step) {
        AssertionError error = assertThrows(AssertionError.class, step);
        assertTrue(String.valueOf(error.getMessage()).startsWith(rules + ":"), () -> "not " + rules + ": " + error);
    }

    /** A metadata write that no flush covers. */
    private void writeSomething() throws BlockException {
        file.write(file.lengthBytes(), MemorySegment.ofArray(new byte[CLUSTER]));
    }

    /** The header names another table while something is on its way. */
    @Test
    void r1_r2_r7_theHeaderNamesWhatIsDurable() throws Exception {
        HeaderSector header = context.header();
        header.setL1(8L * CLUSTER, 1);
        writeSomething();
        broken("R1, R2, R7", () -> header.write(file));
        file.flush();
        header.write(file);
    }

    private WritePlan planned() throws BlockException {
        WritePlan plan =
                new WritePlanner(context, new OwnedTables(context, writeBack)).plan(0, CLUSTER, Long.MAX_VALUE);
        plan.child().write(plan.hostOffset(), MemorySegment.ofArray(new byte[CLUSTER]));
        return plan;
    }

    private void count(WritePlan plan, int delta) throws BlockException {
        long stamp = context.lock().writeLock();
        try {
            context.refcounts().add(context.geometry().clusterIndex(plan.hostOffset()), 1, delta);
        } finally {
            context.lock().unlockWrite(stamp);
        }
    }

    @Test
    void r1_whatIsLinkedIsCounted() throws Exception {
        WritePlan plan = planned();
        count(plan, -1);
        broken("R1, R3, R6", plan::commit);
    }

    @Test
    void r3_whatIsLinkedIsWithinTheFile() throws Exception {
        WritePlan plan = planned();
        new MemoryProtocol(disk).truncate(plan.hostOffset(), Preallocation.OFF);
        broken("R1, R3, R6", plan::commit);
    }

    @Test
    void r6_whatIsLinkedAsOwnHasOneReference() throws Exception {
        WritePlan plan = planned();
        count(plan, 1);
        broken("R1, R3, R6", plan::commit);
        count(plan, -1);
        plan.commit();
    }

    @Test
    void r3_theFileIsCutLast() throws Exception {
        writeSomething();
        broken("R3", () -> file.cut(file.lengthBytes() - CLUSTER));
        file.flush();
        file.cut(file.lengthBytes() - CLUSTER);
    }

    @Test
    void r4_whatATableReachedIsUncountedWhenItIsGone() throws Exception {
        try (ExclusiveMetadata exclusive = new ExclusiveMetadata(context, writeBack)) {
            writeSomething();
            L1Table gone = L1Table.of(file, context.active().hostOffset(), new long[1]);
            broken("R4", () -> exclusive.uncount(gone, Discard.ALWAYS, Discard.OTHER));
            file.flush();
        }
    }

    @Test
    void r5_spaceIsGivenBackWhenNothingNamesIt() throws Exception {
        writeSomething();
        broken("R5", () -> file.punch(8L * CLUSTER, CLUSTER));
        file.flush();
        file.punch(8L * CLUSTER, CLUSTER);
    }

    @Test
    void r6_clustersAreClaimedWhenTheirCountsAreDurable() throws Exception {
        writeSomething();
        broken("R6", () -> CopiedFlags.restore(context));
        file.flush();
        CopiedFlags.restore(context);
    }

    /** Always, with assertions or without: what comes after a failure is refused, whatever it is. */
    @Test
    void r9_failStop() throws Exception {
        for (FaultProtocol.Operation operation :
                new FaultProtocol.Operation[] {FaultProtocol.Operation.FLUSH, FaultProtocol.Operation.METADATA_WRITE}) {
            AssertedRulesTest other = new AssertedRulesTest();
            other.faults.failWhen(call -> call.operation() == operation, Kind.IO, Duration.ONCE, Damage.NONE);
            assertThrows(BlockException.class, () -> {
                other.writeSomething();
                other.file.flush();
            });
            assertTrue(other.file.isFailed());
            long changes = other.faults.changeCount();
            assertThrows(BlockException.class, other::writeSomething);
            assertThrows(BlockException.class, other.file::flush);
            assertThrows(BlockException.class, other.writeBack::flush);
            assertThrows(BlockException.class, () -> other.file.cut(CLUSTER));
            assertThrows(BlockException.class, () -> other.file.claim(0, CLUSTER));
            assertThrows(BlockException.class, () -> other.context.header().write(other.file));
            assertThrows(BlockException.class, () -> new ExclusiveMetadata(other.context, other.writeBack));
            assertEquals(changes, other.faults.changeCount());
        }
    }

    /** Opened to be checked an image is not prepared for writing: its marks stand. */
    @Test
    void r10_autoclearBitsAreClearedFirst() throws Exception {
        file.write(88, MemorySegment.ofArray(new byte[] {0, 0, 0, 0, 0, 0, 0, (byte) 0x80}));
        file.flush();
        try (DirectFormat image = DirectFormat.open(new Qcow2Driver(), new MemoryProtocol(disk), Flag.CHECK)) {
            image.write(0, new byte[CLUSTER]);
            broken("R10", image::flush);
        } catch (AssertionError e) {
            // the close writes, too
            assertTrue(String.valueOf(e.getMessage()).startsWith("R10:"), e::toString);
        }
        try (DirectFormat image = DirectFormat.open(new Qcow2Driver(), new MemoryProtocol(disk))) {
            image.write(0, new byte[CLUSTER]);
            image.flush();
        }
    }
}
