package dev.ashlar.testkit.protocol;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.MetadataAccess;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.core.spi.ProtocolInstance;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Predicate;

/**
 * Makes calls fail: a fault is armed with a predicate over calls and strikes once or for ever. Several can be armed; the first
 * that matches strikes. Any thread.
 */
public final class FaultProtocol extends ForwardingProtocol {
    /** What a call does. */
    public enum Operation {
        READ,
        WRITE,
        WRITE_ZEROES,
        DISCARD,
        TRUNCATE,
        FLUSH,
        METADATA_READ,
        METADATA_WRITE,
        MAP;

        /** The operations that change the disk or make changes durable. */
        public static final Set<Operation> CHANGES =
                Set.of(WRITE, WRITE_ZEROES, DISCARD, TRUNCATE, FLUSH, METADATA_WRITE);
    }

    /**
     * A call that is about to be made.
     *
     * @param number counts all calls of the protocol from 1
     * @param changeNumber counts calls of {@link Operation#CHANGES} from 1; of others, the count so far
     */
    public record Call(Operation operation, long offset, long lengthBytes, long number, long changeNumber) {}

    /** How often a fault strikes. */
    public enum Duration {
        ONCE,
        FOR_EVER
    }

    /** What a failing write leaves behind. */
    public enum Damage {
        /** The old content. */
        NONE,
        /** The first half of its sectors is written. */
        TORN
    }

    private record Fault(Predicate<Call> when, Kind kind, Duration duration, Damage damage) {}

    @FunctionalInterface
    private interface Action {
        void run() throws BlockException;
    }

    private static final int SECTOR_BYTES = 512;

    private final CopyOnWriteArrayList<Fault> faults = new CopyOnWriteArrayList<>();
    private long calls;
    private long changes;
    private long struck;

    public FaultProtocol(ProtocolInstance delegate) {
        super(delegate);
    }

    /** Arms a fault. */
    public void failWhen(Predicate<Call> when, Kind kind, Duration duration, Damage damage) {
        faults.add(new Fault(when, kind, duration, damage));
    }

    /** Arms a fault on the n-th change or flush from now, n from 1; with FOR_EVER all later changes fail, too. */
    public synchronized void failChange(long n, Kind kind, Duration duration, Damage damage) {
        long target = changes + n;
        failWhen(
                call -> Operation.CHANGES.contains(call.operation())
                        && (duration == Duration.ONCE ? call.changeNumber() == target : call.changeNumber() >= target),
                kind,
                duration,
                damage);
    }

    /** Arms a fault on the n-th call of any kind from now, n from 1; with FOR_EVER all later calls fail, too. */
    public synchronized void failCall(long n, Kind kind, Duration duration, Damage damage) {
        long target = calls + n;
        failWhen(
                call -> duration == Duration.ONCE ? call.number() == target : call.number() >= target,
                kind,
                duration,
                damage);
    }

    /** Disarms all faults. */
    public void heal() {
        faults.clear();
    }

    /** Changes and flushes asked for so far, those that failed included. */
    public synchronized long changeCount() {
        return changes;
    }

    /** Calls that were made to fail. */
    public synchronized long struckCount() {
        return struck;
    }

    @Override
    public void read(long offset, MemorySegment destination) throws BlockException {
        guard(Operation.READ, offset, destination.byteSize(), () -> super.read(offset, destination));
    }

    @Override
    public void write(long offset, MemorySegment source) throws BlockException {
        Fault fault = next(Operation.WRITE, offset, source.byteSize());
        if (fault == null) {
            super.write(offset, source);
        } else {
            if (fault.damage() == Damage.TORN) {
                super.write(offset, firstHalf(offset, source));
            }
            throw failure(fault, Operation.WRITE);
        }
    }

    @Override
    public void writeZeroes(long offset, long lengthBytes, boolean mayUnmap) throws BlockException {
        guard(Operation.WRITE_ZEROES, offset, lengthBytes, () -> super.writeZeroes(offset, lengthBytes, mayUnmap));
    }

    @Override
    public void discard(long offset, long lengthBytes) throws BlockException {
        guard(Operation.DISCARD, offset, lengthBytes, () -> super.discard(offset, lengthBytes));
    }

    @Override
    public void truncate(long lengthBytes, Preallocation preallocation) throws BlockException {
        guard(Operation.TRUNCATE, 0, lengthBytes, () -> super.truncate(lengthBytes, preallocation));
    }

    @Override
    public void flush() throws BlockException {
        guard(Operation.FLUSH, 0, 0, super::flush);
    }

    @Override
    public MetadataAccess metadata() {
        MetadataAccess access = super.metadata();
        return new MetadataAccess() {
            @Override
            public void read(long offset, MemorySegment destination) throws BlockException {
                guard(Operation.METADATA_READ, offset, destination.byteSize(), () -> access.read(offset, destination));
            }

            @Override
            public void write(long offset, MemorySegment source) throws BlockException {
                Fault fault = next(Operation.METADATA_WRITE, offset, source.byteSize());
                if (fault == null) {
                    access.write(offset, source);
                } else {
                    if (fault.damage() == Damage.TORN) {
                        access.write(offset, firstHalf(offset, source));
                    }
                    throw failure(fault, Operation.METADATA_WRITE);
                }
            }

            @Override
            public Optional<MappedView> map(long reserveBytes) throws BlockException {
                Fault fault = next(Operation.MAP, 0, reserveBytes);
                return fault == null ? access.map(reserveBytes) : Optional.empty();
            }
        };
    }

    private void guard(Operation operation, long offset, long lengthBytes, Action action) throws BlockException {
        Fault fault = next(operation, offset, lengthBytes);
        if (fault != null) {
            throw failure(fault, operation);
        }
        action.run();
    }

    private synchronized @org.jspecify.annotations.Nullable Fault next(
            Operation operation, long offset, long lengthBytes) {
        calls++;
        if (Operation.CHANGES.contains(operation)) {
            changes++;
        }
        Call call = new Call(operation, offset, lengthBytes, calls, changes);
        for (Fault fault : faults) {
            if (fault.when().test(call)) {
                struck++;
                if (fault.duration() == Duration.ONCE) {
                    faults.remove(fault);
                }
                return fault;
            }
        }
        return null;
    }

    private static BlockException failure(Fault fault, Operation operation) {
        return new BlockException(
                fault.kind(), "injected: " + operation + ": " + fault.kind().reason());
    }

    /** Up to a boundary of sectors of the disk, wherever the write begins. */
    private static MemorySegment firstHalf(long offset, MemorySegment source) {
        long end = (offset + source.byteSize() / 2) / SECTOR_BYTES * SECTOR_BYTES;
        return source.asSlice(0, Math.max(0, end - offset));
    }
}
