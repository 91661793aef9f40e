package dev.ashlar.testkit.protocol;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.ChildRole;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.snapshot.SnapshotRequest;
import dev.ashlar.core.spi.Amendable;
import dev.ashlar.core.spi.BackingContent;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.CompressionCapable;
import dev.ashlar.core.spi.CreateRequest;
import dev.ashlar.core.spi.FormatInstance;
import dev.ashlar.core.spi.ImageReference;
import dev.ashlar.core.spi.Mapping;
import dev.ashlar.core.spi.OpenRequest;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.core.spi.ProtocolInstance;
import dev.ashlar.core.spi.Resizable;
import dev.ashlar.core.spi.SnapshotCapable;
import dev.ashlar.core.spi.WritePlan;
import dev.ashlar.testkit.SparseBytes;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A format driver used without a graph: does by hand, one request after the other, what core does for it, so that its tests depend on
 * nothing but the driver interface. For one thread.
 */
public final class DirectFormat implements AutoCloseable {
    private final FormatInstance format;
    private final ProtocolInstance protocol;
    private final @Nullable ProtocolInstance dataProtocol;
    private final SparseBytes backing;

    private DirectFormat(
            FormatInstance format,
            ProtocolInstance protocol,
            @Nullable ProtocolInstance dataProtocol,
            SparseBytes backing) {
        this.format = format;
        this.protocol = protocol;
        this.dataProtocol = dataProtocol;
        this.backing = backing;
    }

    /** Makes the content of an empty protocol an image. The protocol stays open. */
    public static void create(BlockDriver driver, ProtocolInstance protocol, Map<String, String> options)
            throws BlockException {
        create(driver, protocol, null, options);
    }

    /** @param dataProtocol the further file that the driver makes, where it makes one */
    public static void create(
            BlockDriver driver,
            ProtocolInstance protocol,
            @Nullable ProtocolInstance dataProtocol,
            Map<String, String> options)
            throws BlockException {
        ChildAccess child = new DirectChild("file", protocol);
        driver.create(new CreateRequest() {
            @Override
            public Map<String, String> options() {
                return options;
            }

            @Override
            public ChildAccess file() {
                return child;
            }

            @Override
            public byte[] secret(String id) {
                return DirectFormat.secret(id);
            }

            @Override
            public ChildAccess createFile(String name, long sizeBytes) throws BlockException {
                ChildAccess further = furtherChild(name, dataProtocol);
                further.truncate(sizeBytes, Preallocation.OFF);
                return further;
            }
        });
    }

    /** Opens an image without a backing file. If that fails the protocol is closed. */
    public static DirectFormat open(BlockDriver driver, ProtocolInstance protocol, OpenRequest.Flag... flags)
            throws BlockException {
        return open(driver, protocol, new SparseBytes(), flags);
    }

    /** @param backing what unallocated ranges show */
    public static DirectFormat open(
            BlockDriver driver, ProtocolInstance protocol, SparseBytes backing, OpenRequest.Flag... flags)
            throws BlockException {
        return open(driver, protocol, null, backing, Map.of(), flags);
    }

    /**
     * @param dataProtocol the file that the image names, where it names one
     * @param backing what unallocated ranges show
     * @param options of the driver; the secret of any id is the id itself
     */
    public static DirectFormat open(
            BlockDriver driver,
            ProtocolInstance protocol,
            @Nullable ProtocolInstance dataProtocol,
            SparseBytes backing,
            Map<String, String> options,
            OpenRequest.Flag... flags)
            throws BlockException {
        try {
            Request request = new Request(new DirectChild("file", protocol), dataProtocol, options, Set.of(flags));
            return new DirectFormat((FormatInstance) driver.open(request), protocol, dataProtocol, backing);
        } catch (BlockException | RuntimeException | Error e) {
            protocol.close();
            if (dataProtocol != null) {
                dataProtocol.close();
            }
            throw e;
        }
    }

    private static ChildAccess furtherChild(String name, @Nullable ProtocolInstance dataProtocol)
            throws BlockException {
        if (dataProtocol == null) {
            throw new BlockException(Kind.PERMISSION, "no further file is opened here: " + name);
        }
        return new DirectChild(name, dataProtocol);
    }

    private record Request(
            ChildAccess file, @Nullable ProtocolInstance dataProtocol, Map<String, String> options, Set<Flag> flags)
            implements OpenRequest {
        @Override
        public byte[] secret(String id) {
            return DirectFormat.secret(id);
        }

        @Override
        public String nodeName() {
            return "image";
        }

        @Override
        public boolean has(Flag flag) {
            return flags.contains(flag);
        }

        @Override
        public ChildAccess openReference(String childName, Set<ChildRole> roles, ImageReference reference)
                throws BlockException {
            return furtherChild(childName, dataProtocol);
        }

        /** A further file that is at hand is used whatever the image calls it. */
        @Override
        public boolean describesChild(String childName) {
            return dataProtocol != null && !childName.equals("backing");
        }

        @Override
        public ChildAccess openChild(String childName, Set<ChildRole> roles) throws BlockException {
            return furtherChild(childName, dataProtocol);
        }
    }

    private static byte[] secret(String id) {
        return id.getBytes(java.nio.charset.StandardCharsets.UTF_8);
    }

    public FormatInstance format() {
        return format;
    }

    public long lengthBytes() throws BlockException {
        return format.lengthBytes();
    }

    /** Content of a range; behind the end an exception. */
    public byte[] read(long offset, int lengthBytes) throws BlockException {
        return read(format, offset, lengthBytes);
    }

    /** Content of a range of a snapshot. */
    public byte[] read(SnapshotInfo snapshot, long offset, int lengthBytes) throws BlockException {
        FormatInstance view = snapshots().openSnapshot(snapshot);
        try {
            return read(view, offset, lengthBytes);
        } finally {
            view.close();
        }
    }

    private byte[] read(FormatInstance source, long offset, int lengthBytes) throws BlockException {
        int unit = source.limits().requestAlignmentBytes();
        if (offset % unit == 0 && lengthBytes % unit == 0) {
            return readAligned(source, offset, lengthBytes);
        }
        long from = offset / unit * unit;
        long to = Math.ceilDiv(offset + lengthBytes, unit) * unit;
        byte[] wider = readAligned(source, from, (int) (to - from));
        return java.util.Arrays.copyOfRange(wider, (int) (offset - from), (int) (offset - from) + lengthBytes);
    }

    private byte[] readAligned(FormatInstance source, long offset, int lengthBytes) throws BlockException {
        byte[] result = new byte[lengthBytes];
        int done = 0;
        while (done < lengthBytes) {
            Mapping mapping = source.map(offset + done, lengthBytes - done);
            int count = Math.toIntExact(mapping.lengthBytes());
            MemorySegment part = MemorySegment.ofArray(result).asSlice(done, count);
            switch (mapping) {
                case Mapping.Data data -> data.child().read(data.hostOffset(), part);
                case Mapping.Zero zero -> {}
                case Mapping.Backing unallocated -> backing.read(offset + done, part);
                case Mapping.Encoded encoded -> source.decode(encoded, offset + done, part);
                case Mapping.EndOfImage end ->
                    throw new BlockException(Kind.OUT_OF_BOUNDS, "read behind the end at " + (offset + done));
            }
            requireHit(source, mapping, offset + done);
            done += count;
        }
        return result;
    }

    /** The hit path may decline, but not contradict. */
    private static void requireHit(FormatInstance source, Mapping mapping, long offset) {
        long direct = source.mapDirect(offset, mapping.lengthBytes());
        if (direct >= 0 && !(mapping instanceof Mapping.Data data && data.hostOffset() == direct)) {
            throw new IllegalStateException("mapDirect answers " + direct + " at " + offset + ", map " + mapping);
        }
    }

    /** All of the disk. */
    public SparseBytes content() throws BlockException {
        return content(format);
    }

    /** All of a snapshot. */
    public SparseBytes content(SnapshotInfo snapshot) throws BlockException {
        FormatInstance view = snapshots().openSnapshot(snapshot);
        try {
            return content(view);
        } finally {
            view.close();
        }
    }

    private SparseBytes content(FormatInstance source) throws BlockException {
        SparseBytes result = new SparseBytes(source.lengthBytes());
        int step = 1 << 16;
        for (long offset = 0; offset < result.lengthBytes(); offset += step) {
            byte[] piece = read(source, offset, (int) Math.min(step, result.lengthBytes() - offset));
            if (!isZero(piece)) {
                result.write(offset, piece, 0, piece.length);
            }
        }
        return result;
    }

    private static boolean isZero(byte[] bytes) {
        for (byte each : bytes) {
            if (each != 0) {
                return false;
            }
        }
        return true;
    }

    /** Writes and links. */
    public void write(long offset, byte[] content) throws BlockException {
        int unit = format.limits().requestAlignmentBytes();
        if (offset % unit != 0 || content.length % unit != 0) {
            long from = offset / unit * unit;
            byte[] wider = readPadded(from, (int) (Math.ceilDiv(offset + content.length, unit) * unit - from));
            System.arraycopy(content, 0, wider, (int) (offset - from), content.length);
            write(from, wider);
            return;
        }
        int done = 0;
        while (done < content.length) {
            StartedWrite part = start(offset + done, content, done);
            done += part.count();
            part.finish();
        }
    }

    /**
     * Plans a write of the front of a range and writes its data, but does not link it yet, so that other operations can come in
     * between, as with concurrent requests.
     */
    public StartedWrite start(long offset, byte[] content, int from) throws BlockException {
        WritePlan plan = format.planWrite(offset, content.length - from);
        try {
            int count = Math.toIntExact(plan.lengthBytes());
            int before = Math.toIntExact(plan.copyBeforeBytes());
            int after = Math.toIntExact(plan.copyAfterBytes());
            byte[] whole = new byte[before + count + after];
            if (before > 0) {
                System.arraycopy(readPadded(offset - before, before), 0, whole, 0, before);
            }
            System.arraycopy(content, from, whole, before, count);
            if (after > 0) {
                System.arraycopy(readPadded(offset + count, after), 0, whole, before + count, after);
            }
            plan.child().write(plan.hostOffset() - before, MemorySegment.ofArray(whole));
            return new StartedWrite(plan, count);
        } catch (BlockException | RuntimeException e) {
            plan.abort();
            throw e;
        }
    }

    /**
     * Writes whole clusters, or up to the end of the disk, compressed where that makes them smaller.
     *
     * @param beforeLink runs when the bytes are on the disk and not linked yet, for each piece
     */
    public void writeCompressed(long offset, byte[] content, Step beforeLink) throws BlockException {
        CompressionCapable codec = capability(CompressionCapable.class);
        int unit = Math.toIntExact(format.allocationUnitBytes());
        int[] sizes = new int[Math.ceilDiv(content.length, unit)];
        MemorySegment[] encoded = new MemorySegment[sizes.length];
        for (int i = 0; i < sizes.length; i++) {
            int length = Math.min(unit, content.length - i * unit);
            encoded[i] = MemorySegment.ofArray(new byte[unit]);
            sizes[i] = codec.compress(MemorySegment.ofArray(content).asSlice((long) i * unit, length), encoded[i]);
        }
        for (int at = 0; at < sizes.length; ) {
            if (sizes[at] == CompressionCapable.INCOMPRESSIBLE) {
                int end = Math.min((at + 1) * unit, content.length);
                write(offset + (long) at * unit, java.util.Arrays.copyOfRange(content, at * unit, end));
                at++;
                continue;
            }
            int end = at;
            while (end < sizes.length && sizes[end] != CompressionCapable.INCOMPRESSIBLE) {
                end++;
            }
            at += writeEncoded(
                    codec.planCompressed(offset + (long) at * unit, sizes, at, end), encoded, sizes, at, beforeLink);
        }
    }

    private static int writeEncoded(
            CompressionCapable.CompressedPlan plan, MemorySegment[] encoded, int[] sizes, int from, Step beforeLink)
            throws BlockException {
        try {
            for (int i = 0; i < plan.units(); i++) {
                plan.child().write(plan.hostOffset(i), encoded[from + i].asSlice(0, sizes[from + i]));
            }
            beforeLink.run();
        } catch (BlockException | RuntimeException e) {
            plan.abort();
            throw e;
        }
        plan.commit();
        return plan.units();
    }

    /** Something that is done in the middle of a request. */
    public interface Step {
        void run() throws BlockException;
    }

    /** A write that is on the disk but not linked. @param count guest bytes covered */
    public record StartedWrite(WritePlan plan, int count) {
        public void finish() throws BlockException {
            plan.commit();
        }
    }

    /** The last cluster may reach behind the end of the disk. */
    private byte[] readPadded(long offset, int lengthBytes) throws BlockException {
        int inside = Math.clamp(format.lengthBytes() - offset, 0, lengthBytes);
        return java.util.Arrays.copyOf(inside == 0 ? new byte[0] : read(offset, inside), lengthBytes);
    }

    /** Zeros the whole range: by the format where it can, else by writing. */
    public void writeZeroes(long offset, long lengthBytes, boolean mayUnmap) throws BlockException {
        long unit = format.zeroUnitBytes();
        long end = offset + lengthBytes;
        long start = Math.min(Math.ceilDiv(offset, unit) * unit, end);
        long stop = end == format.lengthBytes() ? end : Math.max(start, end / unit * unit);
        write(offset, new byte[(int) (start - offset)]);
        while (start < stop) {
            long done = format.writeZeroes(start, stop - start, mayUnmap);
            if (done == 0) {
                write(start, new byte[(int) (stop - start)]);
                done = stop - start;
            }
            start += done;
        }
        write(stop, new byte[(int) (end - stop)]);
    }

    /** Discards the whole allocation units of a range. @return their first byte and the byte behind them */
    public long[] discard(long offset, long lengthBytes) throws BlockException {
        long unit = format.allocationUnitBytes();
        long end = offset + lengthBytes;
        long start = Math.ceilDiv(offset, unit) * unit;
        long stop = end == format.lengthBytes() ? end : end / unit * unit;
        if (stop <= start) {
            return new long[] {start, start};
        }
        format.discard(start, stop - start);
        return new long[] {start, stop};
    }

    public void flush() throws BlockException {
        format.flush();
    }

    public void resize(long lengthBytes) throws BlockException {
        resize(lengthBytes, Preallocation.OFF);
    }

    public void resize(long lengthBytes, Preallocation preallocation) throws BlockException {
        capability(Resizable.class).resize(lengthBytes, preallocation, new BackingContent() {
            @Override
            public long lengthBytes() {
                return backing.lengthBytes();
            }

            @Override
            public void read(long guestOffset, MemorySegment destination) {
                backing.read(guestOffset, destination);
            }
        });
    }

    /** As core does it, but for opening the image again. */
    public void amend(Map<String, String> options) throws BlockException {
        capability(Amendable.class).amend(options, this::resize, done -> {});
    }

    public CheckReport check(Checkable.Repair repair) throws BlockException {
        return capability(Checkable.class).check(repair, finding -> {});
    }

    public SnapshotCapable snapshots() {
        return capability(SnapshotCapable.class);
    }

    /** First snapshot of a name. */
    public SnapshotInfo snapshot(String name) throws BlockException {
        List<SnapshotInfo> all = snapshots().snapshots();
        return all.stream()
                .filter(each -> each.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new BlockException(Kind.NOT_FOUND, "no snapshot " + name + " in " + all));
    }

    public void createSnapshot(String name) throws BlockException {
        snapshots().createSnapshot(SnapshotRequest.named(name));
    }

    public void applySnapshot(String name) throws BlockException {
        snapshots().applySnapshot(snapshot(name));
    }

    public void deleteSnapshot(String name) throws BlockException {
        snapshots().deleteSnapshot(snapshot(name));
    }

    private <T> T capability(Class<T> type) {
        return Objects.requireNonNull(format.capability(type).orElse(null), () -> "not " + type.getSimpleName());
    }

    /** Closes the format, then the protocol, whatever the format says. */
    @Override
    public void close() throws BlockException {
        try {
            format.close();
        } finally {
            protocol.close();
            if (dataProtocol != null) {
                dataProtocol.close();
            }
        }
    }
}
