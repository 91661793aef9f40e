package dev.ashlar.testkit.protocol;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.MetadataAccess;
import dev.ashlar.core.spi.ProtocolInstance;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.concurrent.atomic.LongAdder;

/** Counts calls and bytes on their way to another protocol, so that tests can ask how work grows without a clock. Nothing is mapped: each read of metadata is seen. Any thread. */
public final class CountingProtocol extends ForwardingProtocol {
    private final LongAdder reads = new LongAdder();
    private final LongAdder readBytes = new LongAdder();
    private final LongAdder writes = new LongAdder();
    private final LongAdder writtenBytes = new LongAdder();
    private final LongAdder flushes = new LongAdder();

    /** What was counted. */
    public record Counts(long reads, long readBytes, long writes, long writtenBytes, long flushes) {
        public Counts minus(Counts earlier) {
            return new Counts(
                    reads - earlier.reads,
                    readBytes - earlier.readBytes,
                    writes - earlier.writes,
                    writtenBytes - earlier.writtenBytes,
                    flushes - earlier.flushes);
        }

        public long calls() {
            return reads + writes + flushes;
        }

        public long bytes() {
            return readBytes + writtenBytes;
        }
    }

    public CountingProtocol(ProtocolInstance delegate) {
        super(delegate);
    }

    /** All until now. */
    public Counts counts() {
        return new Counts(reads.sum(), readBytes.sum(), writes.sum(), writtenBytes.sum(), flushes.sum());
    }

    private void readBytes(long bytes) {
        reads.increment();
        readBytes.add(bytes);
    }

    private void writtenBytes(long bytes) {
        writes.increment();
        writtenBytes.add(bytes);
    }

    @Override
    public void read(long offset, MemorySegment destination) throws BlockException {
        readBytes(destination.byteSize());
        super.read(offset, destination);
    }

    @Override
    public void write(long offset, MemorySegment source) throws BlockException {
        writtenBytes(source.byteSize());
        super.write(offset, source);
    }

    @Override
    public void writeZeroes(long offset, long lengthBytes, boolean mayUnmap) throws BlockException {
        writtenBytes(0);
        super.writeZeroes(offset, lengthBytes, mayUnmap);
    }

    @Override
    public void discard(long offset, long lengthBytes) throws BlockException {
        writtenBytes(0);
        super.discard(offset, lengthBytes);
    }

    @Override
    public void flush() throws BlockException {
        flushes.increment();
        super.flush();
    }

    @Override
    public MetadataAccess metadata() {
        MetadataAccess under = super.metadata();
        return new MetadataAccess() {
            @Override
            public void read(long offset, MemorySegment destination) throws BlockException {
                readBytes(destination.byteSize());
                under.read(offset, destination);
            }

            @Override
            public void write(long offset, MemorySegment source) throws BlockException {
                writtenBytes(source.byteSize());
                under.write(offset, source);
            }

            @Override
            public Optional<MappedView> map(long reserveBytes) {
                return Optional.empty();
            }
        };
    }
}
