package dev.ashlar.drivers.qcow2.format;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.snapshot.SnapshotInfo;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/**
 * Codec of the snapshot table.
 *
 * <pre>
 *   0 L1 table offset   8 L1 entries (4)  12 id length (2)  14 name length (2)
 *  16 date s (4)       20 date ns (4)     24 guest clock ns (8)
 *  32 VM state size (4)                   36 extra data length (4)
 *  40 extra data: VM state size (8), disk size (8), instruction count (8; all ones: none), unknown
 *     id, name, padding to 8
 * </pre>
 *
 * Source: qcow2 specification, "Snapshots".
 */
public final class SnapshotTable {
    public static final int MAX_SNAPSHOTS = 65_536;
    public static final long MAX_BYTES = 64L << 20;
    public static final int MAX_EXTRA_BYTES = 1024;

    public static final int HEAD_BYTES = 40;
    public static final int KNOWN_EXTRA_BYTES = 24;

    private SnapshotTable() {}

    /**
     * @param table from the start of the table to the end of the file, or 64 MiB of it
     * @param count entries, at most {@link #MAX_SNAPSHOTS}
     * @param diskBytes the size of snapshots that do not record one
     */
    public static Parsed parse(MemorySegment table, int count, long diskBytes) throws BlockException {
        List<SnapshotEntry> entries = new ArrayList<>(Math.min(count, 1024));
        long at = 0;
        for (int i = 0; i < count; i++) {
            at = (at + 7) & ~7L;
            require(at + HEAD_BYTES <= table.byteSize(), i, "reaches behind the end of the file");
            int idBytes = Bits.u16(table, at + 12);
            int nameBytes = Bits.u16(table, at + 14);
            long extraBytes = Bits.u32(table, at + 36);
            if (extraBytes > MAX_EXTRA_BYTES) {
                throw new BlockException(Kind.TOO_LARGE, "Too much extra metadata in snapshot table entry " + i);
            }
            long end = at + HEAD_BYTES + extraBytes + idBytes + nameBytes;
            if (end > MAX_BYTES) {
                throw new BlockException(Kind.TOO_LARGE, "Snapshot table is too big");
            }
            require(end <= table.byteSize(), i, "reaches behind the end of the file");
            require(Bits.u32(table, at + 8) * 8 <= Qcow2Header.MAX_L1_BYTES, i, "has an L1 table that is too large");
            SnapshotEntry entry = decode(table.asSlice(at, end - at), diskBytes);
            require(entry.info().diskSizeBytes() >= 0, i, "has an invalid disk size");
            entries.add(entry);
            at = end;
        }
        return new Parsed(entries, at);
    }

    /**
     * A table as it was found.
     *
     * @param lengthBytes bytes that it takes on disk
     */
    public record Parsed(List<SnapshotEntry> entries, long lengthBytes) {
        public Parsed {
            entries = List.copyOf(entries);
        }
    }

    /**
     * One entry, whatever its L1 table and its sizes are like; see {@link SnapshotEntry#l1Entries}.
     *
     * @param entry with all the extra data, the id and the name that its head tells of
     */
    public static SnapshotEntry decode(MemorySegment entry, long diskBytes) {
        int idBytes = Bits.u16(entry, 12);
        int nameBytes = Bits.u16(entry, 14);
        int extraBytes = (int) Bits.u32(entry, 36);
        long l1Entries = Bits.u32(entry, 8);
        long dateNanos = Bits.u32(entry, 20);
        long vmStateBytes = extraBytes >= 8 ? Bits.u64(entry, 40) : Bits.u32(entry, 32);
        long diskSizeBytes = extraBytes >= 16 ? Bits.u64(entry, 48) : diskBytes;
        long instructions = extraBytes >= KNOWN_EXTRA_BYTES ? Bits.u64(entry, 56) : -1;
        long idAt = HEAD_BYTES + (long) extraBytes;
        byte[] id = entry.asSlice(idAt, idBytes).toArray(ValueLayout.JAVA_BYTE);
        byte[] name = entry.asSlice(idAt + idBytes, nameBytes).toArray(ValueLayout.JAVA_BYTE);
        SnapshotInfo info = new SnapshotInfo(
                new String(id, StandardCharsets.UTF_8),
                new String(name, StandardCharsets.UTF_8),
                vmStateBytes,
                Bits.u32(entry, 16),
                (int) Math.min(dateNanos, 999_999_999),
                Bits.u64(entry, 24),
                instructions == -1 ? OptionalLong.empty() : OptionalLong.of(instructions),
                diskSizeBytes);
        int unknown = Math.max(0, extraBytes - KNOWN_EXTRA_BYTES);
        byte[] unknownExtra = entry.asSlice(idAt - unknown, unknown).toArray(ValueLayout.JAVA_BYTE);
        return new SnapshotEntry(info, Bits.u64(entry, 0), (int) l1Entries, unknownExtra, id, name);
    }

    private static void require(boolean condition, int number, String what) throws BlockException {
        if (!condition) {
            throw new BlockException(Kind.CORRUPT, "Snapshot table entry " + number + " " + what);
        }
    }

    /** @throws BlockException TOO_LARGE when the table would be larger than the format allows */
    public static byte[] encode(List<SnapshotEntry> entries) throws BlockException {
        if (entries.size() > MAX_SNAPSHOTS) {
            throw new BlockException(Kind.TOO_LARGE, "Too many snapshots: the limit is " + MAX_SNAPSHOTS);
        }
        long total = encodedBytes(entries);
        if (total > MAX_BYTES) {
            throw new BlockException(Kind.TOO_LARGE, "Snapshot table too large: the limit is 64 MiB");
        }
        byte[] table = new byte[(int) total];
        MemorySegment segment = MemorySegment.ofArray(table);
        long at = 0;
        for (SnapshotEntry entry : entries) {
            at = (at + 7) & ~7L;
            encode(entry, segment, table, (int) at);
            at += encodedBytes(entry);
        }
        return table;
    }

    /** Bytes that {@link #encode} gives. */
    public static long encodedBytes(List<SnapshotEntry> entries) {
        long total = 0;
        for (SnapshotEntry entry : entries) {
            total = ((total + 7) & ~7L) + encodedBytes(entry);
        }
        return total;
    }

    private static long encodedBytes(SnapshotEntry entry) {
        return HEAD_BYTES
                + KNOWN_EXTRA_BYTES
                + entry.unknownExtra().length
                + (long) entry.id().length
                + entry.name().length;
    }

    private static void encode(SnapshotEntry entry, MemorySegment table, byte[] bytes, int at) throws BlockException {
        SnapshotInfo info = entry.info();
        byte[] id = entry.id();
        byte[] name = entry.name();
        if (id.length > 0xffff || name.length > 0xffff) {
            throw new BlockException(Kind.INVALID, "Snapshot name too long: the limit is 65535 bytes");
        }
        int extraBytes = KNOWN_EXTRA_BYTES + entry.unknownExtra().length;
        Bits.putU64(table, at, entry.l1TableOffset());
        Bits.putU32(table, at + 8L, entry.l1Entries());
        Bits.putU16(table, at + 12L, id.length);
        Bits.putU16(table, at + 14L, name.length);
        Bits.putU32(table, at + 16L, info.dateSeconds());
        Bits.putU32(table, at + 20L, info.dateNanos());
        Bits.putU64(table, at + 24L, info.vmClockNanos());
        Bits.putU32(table, at + 32L, info.vmStateSizeBytes() > 0xffff_ffffL ? 0 : info.vmStateSizeBytes());
        Bits.putU32(table, at + 36L, extraBytes);
        Bits.putU64(table, at + 40L, info.vmStateSizeBytes());
        Bits.putU64(table, at + 48L, info.diskSizeBytes());
        Bits.putU64(table, at + 56L, info.instructionCount().orElse(-1));
        int next = at + HEAD_BYTES + KNOWN_EXTRA_BYTES;
        System.arraycopy(entry.unknownExtra(), 0, bytes, next, entry.unknownExtra().length);
        next += entry.unknownExtra().length;
        System.arraycopy(id, 0, bytes, next, id.length);
        System.arraycopy(name, 0, bytes, next + id.length, name.length);
    }
}
