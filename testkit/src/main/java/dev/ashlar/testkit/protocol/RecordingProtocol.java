package dev.ashlar.testkit.protocol;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.MetadataAccess;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.core.spi.ProtocolInstance;
import dev.ashlar.testkit.crash.DiskOperation;
import dev.ashlar.testkit.crash.WriteLog;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;
import java.util.Optional;

/** Logs every change that passes, with its content, and every flush, when it starts and when it has ended. */
public final class RecordingProtocol extends ForwardingProtocol {
    @FunctionalInterface
    private interface Action {
        void run() throws BlockException;
    }

    private final WriteLog log;

    public RecordingProtocol(ProtocolInstance delegate, WriteLog log) {
        super(delegate);
        this.log = Objects.requireNonNull(log, "log");
    }

    public WriteLog log() {
        return log;
    }

    @Override
    public void write(long offset, MemorySegment source) throws BlockException {
        logged(new DiskOperation.Write(offset, bytes(source), false), () -> super.write(offset, source));
    }

    @Override
    public void writeZeroes(long offset, long lengthBytes, boolean mayUnmap) throws BlockException {
        logged(new DiskOperation.Zero(offset, lengthBytes), () -> super.writeZeroes(offset, lengthBytes, mayUnmap));
    }

    @Override
    public void discard(long offset, long lengthBytes) throws BlockException {
        logged(new DiskOperation.Discard(offset, lengthBytes), () -> super.discard(offset, lengthBytes));
    }

    @Override
    public void truncate(long lengthBytes, Preallocation preallocation) throws BlockException {
        logged(new DiskOperation.Truncate(lengthBytes), () -> super.truncate(lengthBytes, preallocation));
    }

    @Override
    public void flush() throws BlockException {
        logged(new DiskOperation.Flush(), super::flush);
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
                logged(new DiskOperation.Write(offset, bytes(source), true), () -> access.write(offset, source));
            }

            @Override
            public Optional<MappedView> map(long reserveBytes) throws BlockException {
                return access.map(reserveBytes);
            }
        };
    }

    private void logged(DiskOperation operation, Action action) throws BlockException {
        int id = log.start(operation);
        boolean succeeded = false;
        try {
            action.run();
            succeeded = true;
        } finally {
            log.end(id, succeeded);
        }
    }

    private static byte[] bytes(MemorySegment source) {
        return source.toArray(ValueLayout.JAVA_BYTE);
    }
}
