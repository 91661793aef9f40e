package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockException;
import dev.ashlar.testkit.HeapMeter;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.protocol.CountingProtocol;
import dev.ashlar.testkit.protocol.CountingProtocol.Counts;
import dev.ashlar.testkit.protocol.DirectFormat;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;

/** What an operation on an image costs: I/O below the driver, and memory that is allocated. */
final class Growth {
    /** An image with so many of what is to count, closed. */
    interface Source {
        SparseBytes image(int count) throws BlockException;
    }

    interface Work {
        void on(DirectFormat disk, int count) throws BlockException;
    }

    /**
     * An operation with a name.
     *
     * @param before what is done before it counts
     * @param measured what counts
     */
    record Operation(String name, Source source, Work before, Work measured) {
        Operation(String name, Source source, Work measured) {
            this(name, source, (disk, count) -> {}, measured);
        }

        @Override
        public String toString() {
            return name;
        }
    }

    /** @param heapBytes of the calling thread alone */
    record Cost(long calls, long ioBytes, long heapBytes) {
        /** Whether it is no more than so many times another one, but for what comes once whatever the number. */
        boolean isWithin(double factor, Cost other) {
            return calls <= factor * other.calls + 64
                    && ioBytes <= factor * other.ioBytes + (64 << 10)
                    && heapBytes <= factor * other.heapBytes + (512 << 10);
        }
    }

    private Growth() {}

    static Cost cost(Operation operation, int count) throws BlockException {
        MemoryFile file = MemoryFile.of("disk", operation.source.image(count).fork());
        CountingProtocol protocol = new CountingProtocol(new MemoryProtocol(file));
        try (DirectFormat disk = DirectFormat.open(new Qcow2Driver(), protocol)) {
            operation.before.on(disk, count);
            disk.flush();
            Counts before = protocol.counts();
            long heap = HeapMeter.allocatedBytes();
            operation.measured.on(disk, count);
            disk.flush();
            heap = HeapMeter.allocatedBytes() - heap;
            Counts counts = protocol.counts().minus(before);
            return new Cost(counts.calls(), counts.bytes(), heap);
        }
    }

    /** Opening, and closing without a change. */
    static Cost costOfOpening(Source source, int count) throws BlockException {
        MemoryFile file = MemoryFile.of("disk", source.image(count).fork());
        CountingProtocol protocol = new CountingProtocol(new MemoryProtocol(file));
        long heap = HeapMeter.allocatedBytes();
        DirectFormat.open(new Qcow2Driver(), protocol).close();
        heap = HeapMeter.allocatedBytes() - heap;
        return new Cost(protocol.counts().calls(), protocol.counts().bytes(), heap);
    }
}
