package dev.ashlar.testkit.protocol;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockLimits;
import dev.ashlar.core.Permission;
import dev.ashlar.core.spi.HostExtent;
import dev.ashlar.core.spi.IoQueue;
import dev.ashlar.core.spi.MetadataAccess;
import dev.ashlar.testkit.SparseBytes;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

class MemoryProtocolTest {
    private static MemorySegment bytes(int count, int seed) {
        byte[] content = new byte[count];
        new Random(seed).nextBytes(content);
        return MemorySegment.ofArray(content);
    }

    @Test
    void mappedViewFollowsGrowthAndWrites() throws BlockException {
        MemoryProtocol protocol = new MemoryProtocol(MemoryFile.mappable("disk"));
        protocol.write(0, bytes(8192, 1));
        try (MetadataAccess.MappedView view = protocol.metadata().map(1L << 30).orElseThrow()) {
            assertEquals(8192, protocol.lengthBytes());
            assertEquals(-1, view.segment().asSlice(0, 8192).mismatch(bytes(8192, 1)));
            protocol.write(1 << 20, bytes(4096, 2));
            protocol.metadata().write(100, bytes(50, 3));
            assertEquals(-1, view.segment().asSlice(1 << 20, 4096).mismatch(bytes(4096, 2)));
            assertEquals(-1, view.segment().asSlice(100, 50).mismatch(bytes(50, 3)));
            assertThrows(IllegalArgumentException.class, () -> view.segment().set(ValueLayout.JAVA_BYTE, 0, (byte) 1));
        }
    }

    @Test
    void plainMemoryCannotBeMapped() throws BlockException {
        assertTrue(new MemoryProtocol(MemoryFile.empty("disk"))
                .metadata()
                .map(4096)
                .isEmpty());
    }

    @Test
    void bothStoragesAgree() throws BlockException {
        MemoryProtocol heap = new MemoryProtocol(MemoryFile.empty("heap"));
        MemoryProtocol mapped = new MemoryProtocol(MemoryFile.mappable("mapped"));
        Random random = new Random(7);
        for (int i = 0; i < 200; i++) {
            long offset = random.nextInt(200_000);
            int count = 1 + random.nextInt(30_000);
            int kind = random.nextInt(4);
            for (MemoryProtocol protocol : List.of(heap, mapped)) {
                switch (kind) {
                    case 0 -> protocol.write(offset, bytes(count, i));
                    case 1 -> protocol.writeZeroes(offset, count, true);
                    case 2 -> protocol.discard(offset, count);
                    default -> protocol.truncate(offset, dev.ashlar.core.spi.Preallocation.OFF);
                }
            }
            if (heap.lengthBytes() > 0) {
                long at = random.nextLong(heap.lengthBytes());
                HostExtent extent = heap.extentAt(at, 100_000);
                assertEquals(extent, mapped.extentAt(at, 100_000));
            }
        }
        assertEquals(-1, heap.file().snapshot().firstDifference(mapped.file().snapshot()));
    }

    @Test
    void limitsAreEnforced() {
        MemoryFile file = MemoryFile.empty("disk").limits(new BlockLimits(512, 1, 1 << 20, 512, 512));
        MemoryProtocol protocol = new MemoryProtocol(file);
        assertThrows(IllegalArgumentException.class, () -> protocol.write(1, bytes(512, 1)));
        assertThrows(IllegalArgumentException.class, () -> protocol.read(0, bytes(511, 1)));
        assertThrows(IllegalArgumentException.class, () -> protocol.write(0, bytes(2 << 20, 1)));
    }

    @Test
    void fullDiskRefusesGrowthOnly() throws BlockException {
        MemoryProtocol protocol = new MemoryProtocol(MemoryFile.empty("disk").capacityBytes(8192));
        protocol.write(0, bytes(8192, 1));
        protocol.write(4096, bytes(4096, 2));
        BlockException refused = assertThrows(BlockException.class, () -> protocol.write(8192, bytes(1, 3)));
        assertEquals(Kind.NO_SPACE, refused.kind());
    }

    @Test
    void permissionsExcludeOtherInstances() throws BlockException {
        MemoryFile file = MemoryFile.empty("disk");
        MemoryProtocol writer = new MemoryProtocol(file);
        MemoryProtocol other = new MemoryProtocol(file);
        Set<Permission> read = Set.of(Permission.CONSISTENT_READ);
        Set<Permission> write = Set.of(Permission.CONSISTENT_READ, Permission.WRITE);
        writer.updatePermissions(write, read);
        BlockException refused = assertThrows(BlockException.class, () -> other.updatePermissions(write, read));
        assertEquals(Kind.LOCKED, refused.kind());
        writer.close();
        other.updatePermissions(write, read);
    }

    @Test
    void directChildPadsWhatTheProtocolRefuses() throws BlockException {
        MemoryFile file = MemoryFile.empty("disk").limits(new BlockLimits(512, 512, 1 << 20, 512, 512));
        DirectChild child = new DirectChild("file", new MemoryProtocol(file));
        SparseBytes model = new SparseBytes();
        Random random = new Random(5);
        for (int i = 0; i < 200; i++) {
            int offset = random.nextInt(10_000);
            MemorySegment content = bytes(1 + random.nextInt(3_000), i);
            if (random.nextBoolean()) {
                child.write(offset, content);
                model.write(offset, content);
            } else {
                child.writeZeroes(offset, content.byteSize(), true);
                model.fill(offset, content.byteSize(), (byte) 0);
            }
            byte[] back = new byte[700];
            child.read(offset, MemorySegment.ofArray(back));
            assertArrayEquals(model.read(offset, 700), back);
        }
    }

    @Test
    void queueCompletesEverythingOutOfOrder() throws BlockException {
        MemoryProtocol protocol = new MemoryProtocol(MemoryFile.empty("disk"));
        protocol.write(0, bytes(64 * 512, 1));
        List<Long> tokens = new ArrayList<>();
        try (IoQueue queue = protocol.openQueue(16)) {
            for (int i = 0; i < 16; i++) {
                assertTrue(queue.read(i * 512L, MemorySegment.ofArray(new byte[512]), i));
            }
            assertFalse(queue.flush(99));
            while (queue.inFlight() > 0) {
                queue.await(1, (token, result) -> {
                    assertEquals(512, result);
                    tokens.add(token);
                });
            }
        }
        assertEquals(16, Set.copyOf(tokens).size());
        assertFalse(tokens.equals(tokens.stream().sorted().toList()));
    }

    @Test
    void faultStrikesTheCallItWasArmedFor() throws BlockException {
        MemoryFile file = MemoryFile.of("disk", new SparseBytes(4096));
        FaultProtocol protocol = new FaultProtocol(new MemoryProtocol(file));
        protocol.failChange(3, Kind.IO, FaultProtocol.Duration.ONCE, FaultProtocol.Damage.TORN);
        protocol.write(0, bytes(512, 1));
        protocol.metadata().write(512, bytes(512, 2));
        BlockException struck = assertThrows(BlockException.class, () -> protocol.write(1024, bytes(1024, 3)));
        assertEquals(Kind.IO, struck.kind());
        assertFalse(file.snapshot().isZero(1024, 512));
        assertTrue(file.snapshot().isZero(1536, 512));
        protocol.flush();
        assertEquals(4, protocol.changeCount());
        assertEquals(1, protocol.struckCount());
        protocol.failChange(1, Kind.NO_SPACE, FaultProtocol.Duration.FOR_EVER, FaultProtocol.Damage.NONE);
        assertThrows(BlockException.class, protocol::flush);
        assertThrows(BlockException.class, () -> protocol.discard(0, 512));
        protocol.read(0, bytes(512, 4));
        protocol.heal();
        protocol.flush();
    }
}
