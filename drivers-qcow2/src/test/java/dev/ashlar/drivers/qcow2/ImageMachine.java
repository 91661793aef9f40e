package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.core.spi.ProtocolInstance;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.crash.WriteLog;
import dev.ashlar.testkit.model.ByteModel;
import dev.ashlar.testkit.model.DiskExpectation;
import dev.ashlar.testkit.model.DiskHistory;
import dev.ashlar.testkit.protocol.DirectFormat;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.UnaryOperator;

/** Runs {@link Operation}s on an image and on the model of it; notes in a log what a crash may take back. */
final class ImageMachine {
    /** A thousand clusters and more are read in full after each crash: fewer layers of those. */
    private static final int LARGE_CLUSTERS = 1000;

    private static final String KEY_SECRET = "key";

    /** Options of creation for an image whose key is quickly derived. */
    static final Map<String, String> ENCRYPTION = Map.of(
            "encrypt.format", "luks",
            "encrypt.key-secret", KEY_SECRET,
            "encrypt.iter-time", "0",
            "encrypt.cipher-alg", "aes-128");

    /** Options of opening for an image that may be encrypted so. */
    static final Map<String, String> OPEN_OPTIONS = Map.of("encrypt.key-secret", KEY_SECRET);

    private static final Qcow2Driver DRIVER = new Qcow2Driver();

    private final Opening opening;
    private final WriteLog log;
    private final DiskHistory history;
    private final int clusterBytes;
    private final long maxLengthBytes;
    private final String snapshotPrefix;
    private DirectFormat image;
    private int stamp;
    private int snapshotNumber;

    /**
     * @param file a valid image that holds what the model says
     * @param wrapper goes around each protocol that is opened
     */
    ImageMachine(
            MemoryFile file,
            UnaryOperator<ProtocolInstance> wrapper,
            WriteLog log,
            ByteModel model,
            long maxLengthBytes,
            boolean unmap)
            throws BlockException {
        this(file, wrapper, log, model, maxLengthBytes, unmap, "s");
    }

    /** Opens the image, at the start and again. */
    interface Opening {
        DirectFormat open() throws BlockException;
    }

    /** @param snapshotPrefix names new snapshots apart from those that are there */
    ImageMachine(
            MemoryFile file,
            UnaryOperator<ProtocolInstance> wrapper,
            WriteLog log,
            ByteModel model,
            long maxLengthBytes,
            boolean unmap,
            String snapshotPrefix)
            throws BlockException {
        this(() -> open(wrapper.apply(new MemoryProtocol(file)), unmap), log, model, maxLengthBytes, snapshotPrefix);
    }

    ImageMachine(Opening opening, WriteLog log, ByteModel model, long maxLengthBytes, String snapshotPrefix)
            throws BlockException {
        this.snapshotPrefix = snapshotPrefix;
        this.opening = opening;
        this.log = log;
        this.history = new DiskHistory(model);
        this.maxLengthBytes = maxLengthBytes;
        this.image = opening.open();
        this.clusterBytes = Math.toIntExact(image.format().allocationUnitBytes());
        log.mark(history.expectation());
    }

    static void create(MemoryFile file, long sizeBytes, Map<String, String> options) throws BlockException {
        Map<String, String> all = new LinkedHashMap<>(options);
        all.put("size", Long.toString(sizeBytes));
        MemoryProtocol protocol = new MemoryProtocol(file);
        DirectFormat.create(DRIVER, protocol, all);
        protocol.close();
    }

    /** Opens any image, encrypted ones with the key that {@link #ENCRYPTION} gave them. */
    static DirectFormat open(ProtocolInstance protocol, Flag... flags) throws BlockException {
        return DirectFormat.open(DRIVER, protocol, null, new SparseBytes(), OPEN_OPTIONS, flags);
    }

    private static DirectFormat open(ProtocolInstance protocol, boolean unmap) throws BlockException {
        return unmap ? open(protocol, Flag.UNMAP) : open(protocol);
    }

    DiskHistory history() {
        return history;
    }

    DirectFormat image() {
        return image;
    }

    ByteModel model() {
        return history.model();
    }

    void run(Operation operation) throws BlockException {
        long length = model().lengthBytes();
        long at = length * operation.place() / Operation.PLACES;
        switch (operation.kind()) {
            case WRITE -> write(at, 1 + operation.amount() * 3);
            case WRITE_CLUSTERS -> write(at / clusterBytes * clusterBytes, clusterBytes * (1 + operation.amount() % 5));
            case WRITE_COMPRESSED -> writeCompressed(at / clusterBytes * clusterBytes, operation.amount());
            case CROSSED_WRITES -> crossedWrites(at, operation.amount());
            case WRITE_ACROSS_FLUSH -> writeAcrossFlush(at, 1 + operation.amount());
            case ZERO ->
                zero(at, clusterBytes * (operation.amount() % 8) + operation.amount() + 1, operation.amount() % 3 != 0);
            case ZERO_PART -> zero(at, 1 + 2L * operation.amount(), operation.amount() % 3 != 0);
            case DISCARD -> discard(at, clusterBytes * (1L + operation.amount() % 8));
            case FLUSH -> flush();
            case SNAPSHOT_CREATE -> createSnapshot(at, operation.amount());
            case SNAPSHOT_APPLY -> applySnapshot(operation.amount());
            case SNAPSHOT_DELETE -> deleteSnapshot(operation.amount());
            case GROW -> grow(operation.amount(), Preallocation.OFF);
            case GROW_PREALLOCATED ->
                grow(operation.amount(), operation.place() % 2 == 0 ? Preallocation.METADATA : Preallocation.FALLOC);
            case SHRINK -> shrink(operation.amount());
            case REOPEN -> reopen();
        }
    }

    /** Bytes that no other write has written. */
    private byte[] content(long offset, int count) {
        byte[] bytes = new byte[(int) Math.min(count, model().lengthBytes() - offset)];
        stamp++;
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte)
                    ((offset + i) % 4 == 0 ? stamp : (offset + i) % 4 == 1 ? stamp >> 8 : (offset + i) / 512 + stamp);
        }
        return bytes;
    }

    private void write(long offset, int count) throws BlockException {
        byte[] bytes = content(offset, count);
        begin(() -> history.beginWrite(offset, bytes));
        image.write(offset, bytes);
        completed();
    }

    /** Several clusters; some of them do not get smaller, and sometimes a flush comes when none is linked yet. */
    private void writeCompressed(long at, int amount) throws BlockException {
        byte[] bytes = content(at, clusterBytes * (1 + amount % 5));
        if (amount % 3 == 0) {
            Random noise = new Random(amount + stamp);
            for (int i = amount % 2 * clusterBytes; i < Math.min(bytes.length, 2 * clusterBytes); i++) {
                // noise that still says which sector it belongs to, as content() does
                bytes[i] = (byte) (i % 4 == 2 ? (at + i) / 512 + bytes[i - 2] : noise.nextInt());
            }
        }
        begin(() -> history.beginWrite(at, bytes));
        image.writeCompressed(at, bytes, amount % 7 == 0 ? image::flush : () -> {});
        completed();
    }

    /** A change that the model knows, and that is done in a way of its own. */
    void change(Runnable begin, Step step) throws BlockException {
        begin(begin);
        step.run();
        completed();
    }

    interface Step {
        void run() throws BlockException;
    }

    private void begin(Runnable change) {
        change.run();
        log.note(history.expectation());
    }

    private void completed() {
        history.completed();
        log.mark(history.expectation());
    }

    /** Two writes to different clusters under way at once; the later one is linked first. */
    private void crossedWrites(long at, int amount) throws BlockException {
        long first = at / clusterBytes * clusterBytes;
        long second = first + clusterBytes * (1L + amount % 3);
        if (second >= model().lengthBytes()) {
            return;
        }
        int unit = image.format().limits().requestAlignmentBytes();
        byte[] one = content(first, Math.ceilDiv(1 + amount % clusterBytes, unit) * unit);
        begin(() -> history.beginWrite(first, one));
        DirectFormat.StartedWrite started = image.start(first, one, 0);
        try {
            write(second, 1 + (amount * 7) % clusterBytes);
        } catch (BlockException e) {
            started.plan().abort();
            throw e;
        }
        started.finish();
        completed();
    }

    /** A flush while a write is under way promises nothing about that write. */
    private void writeAcrossFlush(long anywhere, int most) throws BlockException {
        int unit = image.format().limits().requestAlignmentBytes();
        long at = anywhere / unit * unit;
        int count = Math.ceilDiv(most, unit) * unit;
        byte[] bytes = content(at, Math.min(count, clusterBytes - (int) (at % clusterBytes)));
        begin(() -> history.beginWrite(at, bytes));
        DirectFormat.StartedWrite started = image.start(at, bytes, 0);
        try {
            image.flush();
        } catch (BlockException e) {
            started.plan().abort();
            throw e;
        }
        started.finish();
        completed();
    }

    private void zero(long at, long count, boolean mayUnmap) throws BlockException {
        long length = Math.min(count, model().lengthBytes() - at);
        begin(() -> history.beginZero(at, length));
        image.writeZeroes(at, length, mayUnmap);
        completed();
    }

    private void discard(long at, long count) throws BlockException {
        long length = Math.min(count, model().lengthBytes() - at);
        long start = Math.ceilDiv(at, clusterBytes) * clusterBytes;
        long end = at + length == model().lengthBytes() ? at + length : (at + length) / clusterBytes * clusterBytes;
        if (start < end) {
            begin(() -> history.beginZero(start, end - start));
            image.discard(at, length);
            completed();
        }
    }

    void flush() throws BlockException {
        history.beginFlush();
        image.flush();
        completed();
    }

    /** At once, or prepared with requests between, which may also end with no snapshot. */
    private void createSnapshot(long at, int amount) throws BlockException {
        int most = model().lengthBytes() / clusterBytes > LARGE_CLUSTERS ? 2 : 5;
        if (model().snapshots().size() >= most) {
            return;
        }
        if (amount % 4 != 0) {
            image.snapshots().prepareCreate();
        }
        if (amount % 4 > 1) {
            write(at, 1 + amount * 2);
            if (amount % 8 > 4) {
                flush();
            }
        }
        if (amount % 4 == 3 && amount % 3 == 0) {
            image.snapshots().abandonCreate();
            return;
        }
        String name = snapshotPrefix + ++snapshotNumber;
        begin(() -> history.beginCreateSnapshot(name));
        image.createSnapshot(name);
        completed();
    }

    private String chosenSnapshot(int number) {
        List<String> names = new ArrayList<>(model().snapshots().keySet());
        return names.isEmpty() ? "" : names.get(number % names.size());
    }

    private void applySnapshot(int number) throws BlockException {
        String name = chosenSnapshot(number);
        if (!name.isEmpty()) {
            begin(() -> history.beginApplySnapshot(name));
            image.applySnapshot(name);
            completed();
        }
    }

    private void deleteSnapshot(int number) throws BlockException {
        String name = chosenSnapshot(number);
        if (!name.isEmpty()) {
            begin(() -> history.beginDeleteSnapshot(name));
            image.deleteSnapshot(name);
            completed();
        }
    }

    /** Not while there are snapshots, which keep the driver from it. */
    private void shrink(int amount) throws BlockException {
        long length = model().lengthBytes() - 512L * (1 + amount % 300);
        if (length > 0 && model().snapshots().isEmpty()) {
            begin(() -> history.beginResize(length));
            image.resize(length, Preallocation.OFF);
            completed();
        }
    }

    private void grow(int amount, Preallocation preallocation) throws BlockException {
        long length = Math.min(maxLengthBytes, model().lengthBytes() + 512L * (1 + amount));
        if (length > model().lengthBytes()) {
            begin(() -> history.beginResize(length));
            image.resize(length, preallocation);
            completed();
        }
    }

    void reopen() throws BlockException {
        history.beginFlush();
        close();
        completed();
        image = opening.open();
    }

    void close() throws BlockException {
        image.close();
    }

    /** Everything that an image holds. */
    static DiskExpectation.Found found(DirectFormat image) throws BlockException {
        Map<String, SparseBytes> snapshots = new LinkedHashMap<>();
        for (SnapshotInfo each : image.snapshots().snapshots()) {
            snapshots.put(each.name(), image.content(each));
        }
        return new DiskExpectation.Found(image.content(), snapshots);
    }

    /** The open image must hold what the model says, to the byte. */
    void requireEqual() throws BlockException {
        String mismatch = new DiskExpectation(List.of(DiskExpectation.World.of(model()))).mismatch(found(image));
        if (!mismatch.isEmpty()) {
            throw new AssertionError(mismatch);
        }
    }

    /** The open image must be consistent, without leaks. */
    void requireClean() throws BlockException {
        CheckReport report = image.check(Repair.NONE);
        if (report.corruptions() + report.leaks() + report.checkErrors() > 0) {
            throw new AssertionError("check: " + report);
        }
    }
}
