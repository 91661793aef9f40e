package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.core.spi.DriverInstance;
import dev.ashlar.core.spi.FormatInstance;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.core.spi.OptionDescriptor;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.crash.CrashState;
import dev.ashlar.testkit.crash.CrashStates;
import dev.ashlar.testkit.crash.WriteLog;
import dev.ashlar.testkit.host.ScratchDir;
import dev.ashlar.testkit.model.DiskExpectation;
import dev.ashlar.testkit.protocol.DirectFormat;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import dev.ashlar.testkit.protocol.RecordingProtocol;
import dev.ashlar.testkit.qemu.QemuTools;
import dev.ashlar.testkit.qemu.RequiresQemu;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.net.URI;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Rules R1 to R10 for every operation that changes an image: each of {@link EveryChange} is made to random images, {@link OrderingAuditor} looks at what went to the
 * disk, and every image that a power cut could leave is opened, checked, compared, repaired and used: the old or the new, at worst leaks. Rounds of each by the
 * property {@code ashlar.every.rounds}, the first seed by {@code ashlar.every.seed}, states of each round by {@code ashlar.every.states}; {@code
 * ashlar.every.report=true} prints how many there were.
 */
class EveryOperationCrashTest {
    private static final int ROUNDS = Integer.getInteger("ashlar.every.rounds", 1);
    private static final long FIRST_SEED = Long.getLong("ashlar.every.seed", System.nanoTime() & 0xffff_ffffL);
    private static final int STATES = Integer.getInteger("ashlar.every.states", 30);
    private static final boolean REPORT = Boolean.getBoolean("ashlar.every.report");

    /** Methods of the driver that change no image. */
    private static final Set<String> READING = Set.of(
            "BlockDriver.amendOptions",
            "BlockDriver.canCompress",
            "BlockDriver.childNames",
            "BlockDriver.createOptions",
            "BlockDriver.fileRoles",
            "BlockDriver.joinOptions",
            "BlockDriver.kind",
            "BlockDriver.name",
            "BlockDriver.needsFileName",
            "BlockDriver.openOptions",
            "BlockDriver.parseFileName",
            "BlockDriver.plainFileName",
            "BlockDriver.probe",
            "BlockDriver.probeFileName",
            "BlockDriver.standsForFile",
            "BlockDriver.strongOptions",
            "BlockDriver.validateCreate",
            "BitmapStore.canKeepBitmaps",
            "BitmapStore.requireRoomFor",
            "CompressionCapable.compress",
            "DriverInstance.capability",
            "DriverInstance.drainBegin",
            "DriverInstance.drainEnd",
            "DriverInstance.lengthBytes",
            "DriverInstance.limits",
            "FormatInstance.allocationUnitBytes",
            "FormatInstance.backing",
            "FormatInstance.dataChild",
            "FormatInstance.decode",
            "FormatInstance.hasUnwrittenData",
            "FormatInstance.info",
            "FormatInstance.map",
            "FormatInstance.mapDirect",
            "FormatInstance.zeroUnitBytes",
            "KeySlotCapable.keySlotOptions",
            "SnapshotCapable.openSnapshot",
            "SnapshotCapable.snapshotIndex",
            "SnapshotCapable.snapshots",
            "SnapshotComparable.difference",
            "SnapshotComparable.usage");

    /** What is tried elsewhere, or refused. */
    private static final Map<String, Class<?>> ELSEWHERE = Map.of(
            // where a write goes that changes no table
            "FormatInstance.planInPlace", ConcurrentRequestsTest.class,
            // removes files, not images
            "BlockDriver.delete", FaultOnEveryCallTest.class,
            "KeySlotCapable.changeKeySlots", KeySlotCrashTest.class);

    /** Options of amend that are accepted as they are only, or that are about a data file, which has tests of its own. */
    private static final Set<String> NOT_AMENDED = Set.of("backing_file", "backing_fmt", "data_file", "data_file_raw");

    static List<Change> changes() {
        return EveryChange.all();
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("changes")
    void isOldOrNew(Change change) throws Exception {
        long states = 0;
        for (int i = 0; i < ROUNDS; i++) {
            long seed = FIRST_SEED + i;
            try {
                ChangeRecording recording = ChangeRecording.of(change, seed, new Qcow2Driver());
                ChangeInspection inspection = new ChangeInspection(recording);
                states += CrashStates.forEachState(
                        recording.log(), recording.initial(), seed, STATES, inspection::inspect);
            } catch (Exception | AssertionError e) {
                throw new AssertionError(change + ", -Dashlar.every.seed=" + seed + ": " + e.getMessage(), e);
            }
        }
        assertTrue(states > 0);
        if (REPORT) {
            System.out.println(states + " states: " + change);
        }
    }

    /** Each method by which the driver can be told to change an image is called by some change, with each option there is. */
    @Test
    void noOperationIsForgotten() throws Exception {
        CalledDriver called = new CalledDriver();
        // always the same images: some of a change's steps may find nothing to do on one, and this is about the list of
        // changes
        for (long seed = 1; seed <= 3; seed++) {
            for (Change change : changes()) {
                ChangeRecording.of(change, seed, called.driver());
            }
        }
        Set<String> wanted = new TreeSet<>(methodsThatMayChange());
        for (OptionDescriptor option : new Qcow2Driver().amendOptions()) {
            if (!NOT_AMENDED.contains(option.name()) && !option.name().startsWith("encrypt.")) {
                wanted.add("Amendable.amend:" + option.name());
            }
        }
        wanted.removeAll(called.calls());
        assertEquals(Set.of(), wanted);
    }

    private static Set<String> methodsThatMayChange() throws Exception {
        MemoryFile file = MemoryFile.empty("disk");
        ImageMachine.create(file, 1 << 20, Map.of());
        Set<String> names = new TreeSet<>();
        try (DirectFormat image = DirectFormat.open(new Qcow2Driver(), new MemoryProtocol(file))) {
            for (Class<?> type : driverInterfaces()) {
                boolean own = type == BlockDriver.class || type == FormatInstance.class || type == DriverInstance.class;
                if (own || image.format().capability(type).isPresent()) {
                    for (Method method : type.getDeclaredMethods()) {
                        if (!Modifier.isStatic(method.getModifiers()) && !method.isSynthetic()) {
                            names.add(type.getSimpleName() + "." + method.getName());
                        }
                    }
                }
            }
        }
        assertTrue(names.containsAll(READING) && names.containsAll(ELSEWHERE.keySet()), names::toString);
        names.removeAll(READING);
        names.removeAll(ELSEWHERE.keySet());
        return names;
    }

    /** All interfaces of core's package for drivers, also those that come one day. */
    private static List<Class<?>> driverInterfaces() throws Exception {
        URI place = FormatInstance.class
                .getProtectionDomain()
                .getCodeSource()
                .getLocation()
                .toURI();
        Path root = Path.of(place);
        if (Files.isDirectory(root)) {
            return interfacesIn(root);
        }
        try (FileSystem jar = FileSystems.newFileSystem(root)) {
            return interfacesIn(jar.getPath("/"));
        }
    }

    private static List<Class<?>> interfacesIn(Path root) throws Exception {
        String name = FormatInstance.class.getPackageName();
        List<Class<?>> types = new ArrayList<>();
        try (Stream<Path> files = Files.list(root.resolve(name.replace('.', '/')))) {
            for (Path file : (Iterable<Path>) files.sorted()::iterator) {
                String simple = file.getFileName().toString().replace(".class", "");
                if (!simple.contains("$") && !simple.contains("-info")) {
                    Class<?> type = Class.forName(name + "." + simple);
                    if (type.isInterface()) {
                        types.add(type);
                    }
                }
            }
        }
        assertTrue(types.contains(FormatInstance.class) && types.size() > 10, types::toString);
        return types;
    }

    /** Each option of creation, on an empty file and on a device that held another image: whole or none (rule R8). */
    @Test
    void aNewImageIsWholeOrNone() throws Exception {
        List<Map<String, String>> creations = List.of(
                Map.of("cluster_size", "512"),
                Map.of("compat", "0.10", "backing_file", "b", "backing_fmt", "raw"),
                Map.of("extended_l2", "on", "cluster_size", "16384", "lazy_refcounts", "on"),
                Map.of("cluster_size", "4096", "preallocation", "metadata", "refcount_bits", "1"),
                Map.of("cluster_size", "4096", "preallocation", "falloc", "compression_type", "zstd"),
                Map.of("cluster_size", "512", "preallocation", "full", "refcount_bits", "64"),
                Map.of("cluster_size", "4096", "backing_file", "n".repeat(900)),
                ImageMachine.ENCRYPTION);
        MemoryFile former = MemoryFile.empty("former");
        ImageMachine.create(former, 96 << 10, Map.of("cluster_size", "1024"));
        try (DirectFormat image = DirectFormat.open(new Qcow2Driver(), new MemoryProtocol(former))) {
            image.write(0, new byte[50_000]);
            image.createSnapshot("former");
        }
        Set<String> options = new TreeSet<>();
        for (Map<String, String> creation : creations) {
            options.addAll(creation.keySet());
            creation(creation, new SparseBytes());
            creation(creation, former.snapshot());
        }
        for (OptionDescriptor option : new Qcow2Driver().createOptions()) {
            // the first is a former name of the third, a size is always given, and an external data file has tests of
            // its own
            boolean elsewhere =
                    Set.of("encryption", "size", "data_file", "data_file_raw").contains(option.name());
            boolean ofCipher = option.name().startsWith("encrypt.");
            assertTrue(elsewhere || ofCipher || options.contains(option.name()), option.name());
        }
    }

    private static void creation(Map<String, String> options, SparseBytes before) throws Exception {
        MemoryFile file = MemoryFile.of("disk", before.fork());
        WriteLog log = new WriteLog();
        Map<String, String> all = new java.util.LinkedHashMap<>(options);
        all.put("size", Integer.toString(200 << 10));
        RecordingProtocol protocol = new RecordingProtocol(new MemoryProtocol(file), log);
        DirectFormat.create(new Qcow2Driver(), protocol, all);
        protocol.close();
        log.mark("created");
        int[] whole = new int[1];
        long states = CrashStates.forEachState(
                log, before, FIRST_SEED, options.equals(ImageMachine.ENCRYPTION) ? 30 : 60, state -> {
                    try {
                        whole[0] += isWhole(state, before.lengthBytes()) ? 1 : 0;
                    } catch (Exception | AssertionError e) {
                        throw new AssertionError(
                                options + ", -Dashlar.every.seed=" + FIRST_SEED + ": " + e.getMessage() + "\nin "
                                        + state,
                                e);
                    }
                });
        assertTrue(whole[0] > 0 && whole[0] < states, () -> whole[0] + " of " + states + " " + options);
    }

    /** Whether the new image is there; the former one may still be, or none. */
    private static boolean isWhole(CrashState state, long formerBytes) throws BlockException {
        DirectFormat image;
        try {
            image = ImageMachine.open(
                    new MemoryProtocol(MemoryFile.of("created", state.image().fork())), Flag.READ_ONLY, Flag.CHECK);
        } catch (BlockException e) {
            assertTrue(state.lastMark(String.class) == null, "created, but it does not open: " + e);
            return false;
        }
        try (image) {
            CrashInspection.requireClean(image.check(Repair.NONE));
            boolean isNew = image.lengthBytes() == 200 << 10;
            assertTrue(isNew || (formerBytes > 0 && state.lastMark(String.class) == null), "not the new one");
            return isNew;
        }
    }

    /** The real programs check and heal a sample of all. */
    @Test
    @RequiresQemu
    void realToolsHealASample(@ScratchDir Path directory) throws Exception {
        int each = Integer.getInteger("ashlar.every.qemuStates", 1);
        long seed = FIRST_SEED;
        for (Change change : changes()) {
            if (change.kind() == Change.Kind.DAMAGED || change.name().contains("name")) {
                // the real program is to find the backing file
                continue;
            }
            seed++;
            try {
                ChangeRecording recording = ChangeRecording.of(change, seed, new Qcow2Driver());
                recording.shape().backingContent().writeTo(directory.resolve(ImageShape.BACKING_NAME));
                CrashStates.forEachState(
                        recording.log(),
                        recording.initial(),
                        seed,
                        2 * each,
                        state -> inspectWithQemu(recording, state, directory.resolve("crashed.qcow2")));
            } catch (Exception | AssertionError e) {
                throw new AssertionError(change + ", -Dashlar.every.seed=" + seed + ": " + e.getMessage(), e);
            }
        }
    }

    private static void inspectWithQemu(ChangeRecording recording, CrashState state, Path file) throws Exception {
        DiskExpectation last = state.lastMark(DiskExpectation.class);
        state.image().writeTo(file);
        if (recording.change().name().contains("bitmap")) {
            // with bitmaps the real program's own repair may leave leaks that its next one finds
            QemuTools.img("check", "-f", "qcow2", "-r", "leaks", file.toString());
        }
        QemuTools.requireHealedByLeakRepair(file);
        SparseBytes disk = QemuTools.content(file, file.getParent());
        boolean known = (last == null ? recording.before() : last)
                .worlds().stream()
                        .anyMatch(world -> new DiskExpectation(
                                        List.of(new DiskExpectation.World(world.versions(), Map.of())))
                                .mismatch(new DiskExpectation.Found(disk, Map.of()))
                                .isEmpty());
        assertTrue(known, () -> "the real program reads something else in " + state);
    }
}
