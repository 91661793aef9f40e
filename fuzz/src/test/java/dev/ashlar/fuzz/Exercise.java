package dev.ashlar.fuzz;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.core.spi.FormatInstance;
import dev.ashlar.core.spi.Mapping;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.core.spi.SnapshotComparable;
import dev.ashlar.drivers.qcow2.Qcow2Driver;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.protocol.DirectFormat;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import java.lang.management.ManagementFactory;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Does to one image what a program would, within bounds, and watches what it costs. */
final class Exercise {
    private static final int PIECE_BYTES = 64 << 10;
    private static final int MAX_MAPPINGS = 300;
    private static final int MAX_SNAPSHOTS = 5;

    /** What any image may cost, and what it may cost for each byte that it really has. */
    private static final long MAX_ALLOCATED_BYTES = 256L << 20;

    private static final long MAX_ALLOCATED_PER_FILE_BYTE = 512;
    private static final long MAX_CPU_NANOS = 5_000_000_000L;

    private Exercise() {}

    /** Opens for reading, in each way, and looks at everything; the image stays as it is. */
    static void read(SparseBytes image) {
        for (Flag[] flags : List.of(new Flag[] {Flag.READ_ONLY}, new Flag[] {Flag.READ_ONLY, Flag.UNTRUSTED})) {
            MemoryFile file = MemoryFile.of("hostile", image.fork());
            bounded(file, () -> {
                try (DirectFormat open = DirectFormat.open(new Qcow2Driver(), new MemoryProtocol(file, true), flags)) {
                    lookAround(open);
                }
            });
            require(file.snapshot().firstDifference(image) < 0, "a reader changed the image");
        }
    }

    /**
     * Checks without repair, which changes nothing; repairs; checks again, and finds no more than the repair said it left; and repairs again, which changes not a byte.
     */
    static void repair(SparseBytes image) {
        MemoryFile file = MemoryFile.of("hostile", image.fork());
        check(file, Repair.NONE);
        require(file.snapshot().firstDifference(image) < 0, "a check without repair changed the image");
        CheckReport repaired = check(file, Repair.ALL);
        SparseBytes once = file.snapshot();
        CheckReport left = check(file, Repair.NONE);
        if (repaired != null) {
            require(left != null, "a check after a repair does not come to its end");
            requireNoMore(repaired.corruptions(), left.corruptions(), "corruptions");
            requireNoMore(repaired.leaks(), left.leaks(), "leaks");
            requireNoMore(repaired.checkErrors(), left.checkErrors(), "errors");
        }
        check(file, Repair.ALL);
        long changed = once.firstDifference(file.snapshot());
        require(changed < 0, "another repair changes byte " + changed);
    }

    private static void requireNoMore(long told, long found, String what) {
        require(found <= told, "a repair leaves " + found + " " + what + " and tells of " + told);
    }

    /** @return null where the image is refused, or the check does not come to its end */
    private static @Nullable CheckReport check(MemoryFile file, Repair repair) {
        CheckReport[] report = new CheckReport[1];
        Flag[] flags = repair == Repair.NONE ? new Flag[] {Flag.READ_ONLY, Flag.CHECK} : new Flag[] {Flag.CHECK};
        bounded(file, () -> {
            try (DirectFormat open = DirectFormat.open(new Qcow2Driver(), new MemoryProtocol(file), flags)) {
                report[0] = open.check(repair);
            }
        });
        return report[0];
    }

    /** Opens for writing and changes what there is to change. */
    static void write(SparseBytes image) {
        MemoryFile file = MemoryFile.of("hostile", image.fork());
        bounded(file, () -> {
            try (DirectFormat open = DirectFormat.open(new Qcow2Driver(), new MemoryProtocol(file), Flag.UNMAP)) {
                byte[] content = new byte[1000];
                long end = open.lengthBytes();
                for (long offset : new long[] {0, 5000, end / 2, end - content.length}) {
                    if (offset >= 0 && offset <= end - content.length) {
                        open.write(offset, content);
                    }
                }
                open.createSnapshot("new");
                open.discard(0, Math.min(end, 16 << 10));
                open.flush();
                List<SnapshotInfo> snapshots = open.snapshots().snapshots();
                open.snapshots().applySnapshot(snapshots.getFirst());
                open.snapshots().deleteSnapshot(snapshots.getLast());
                lookAround(open);
            }
        });
    }

    private static void lookAround(DirectFormat open) throws BlockException {
        FormatInstance format = open.format();
        format.info();
        format.backing();
        long end = open.lengthBytes();
        for (long offset : new long[] {0, end / 3, end - PIECE_BYTES}) {
            if (offset >= 0 && offset < end) {
                open.read(offset, (int) Math.min(PIECE_BYTES, end - offset));
            }
        }
        walk(format, end);
        List<SnapshotInfo> snapshots = open.snapshots().snapshots();
        SnapshotComparable comparable =
                format.capability(SnapshotComparable.class).orElseThrow();
        for (SnapshotInfo snapshot : snapshots.subList(0, Math.min(MAX_SNAPSHOTS, snapshots.size()))) {
            FormatInstance view = open.snapshots().openSnapshot(snapshot);
            walk(view, view.lengthBytes());
            view.close();
            comparable.usage(snapshot);
            comparable.difference(snapshot, null, (offset, lengthBytes) -> require(lengthBytes > 0, "an empty range"));
        }
    }

    private static void walk(FormatInstance format, long end) throws BlockException {
        long at = 0;
        for (int i = 0; i < MAX_MAPPINGS && at < end; i++) {
            Mapping mapping = format.map(at, end - at);
            require(mapping.lengthBytes() > 0, "an empty mapping inside the disk, at " + at);
            at += mapping.lengthBytes();
        }
    }

    private interface Work {
        void run() throws BlockException;
    }

    /** Nothing but a {@link BlockException} with a message of one line; and the work costs what the image's size explains. */
    private static void bounded(MemoryFile file, Work work) {
        var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        long cpu = threads.getCurrentThreadCpuTime();
        long allocated = threads.getCurrentThreadAllocatedBytes();
        try {
            work.run();
        } catch (BlockException refused) {
            String message = String.valueOf(refused.getMessage());
            require(
                    message.chars().noneMatch(c -> c < ' ' || (c >= 0x7f && c < 0xa0)),
                    "a message with control characters");
        }
        long bytes = threads.getCurrentThreadAllocatedBytes() - allocated;
        // a repair may make it longer, by a table that ends behind it
        long lengthBytes = file.snapshot().lengthBytes();
        require(
                bytes < MAX_ALLOCATED_BYTES + MAX_ALLOCATED_PER_FILE_BYTE * lengthBytes,
                bytes + " bytes allocated for an image of " + lengthBytes);
        require(threads.getCurrentThreadCpuTime() - cpu < MAX_CPU_NANOS, "seconds of work for one small image");
    }

    private static void require(boolean condition, String complaint) {
        if (!condition) {
            throw new AssertionError(complaint);
        }
    }
}
