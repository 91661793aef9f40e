package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.crash.CrashState;
import dev.ashlar.testkit.crash.WriteLog;
import dev.ashlar.testkit.model.ByteModel;
import dev.ashlar.testkit.model.DiskExpectation;
import dev.ashlar.testkit.protocol.DirectFormat;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import java.util.Map;
import java.util.Random;

/** What must hold of each image that a power cut leaves while a {@link Change} is made. */
record ChangeInspection(ChangeRecording recording) {
    private static final int USE_STEPS = 6;

    void inspect(CrashState state) throws Exception {
        DiskExpectation expectation = state.lastMark(DiskExpectation.class);
        try {
            inspect(
                    state.image(),
                    expectation == null ? recording.before() : expectation,
                    state.lastMark(ChangeRecording.Done.class) != null,
                    new Random(recording.seed() + state.position()));
        } catch (Exception | AssertionError e) {
            throw new AssertionError(
                    e.getMessage() + "\nin " + state + "\nlog up to there:\n"
                            + recording.log().tail(state.position(), 25),
                    e);
        }
    }

    private ImageShape shape() {
        return recording.shape();
    }

    private void inspect(SparseBytes image, DiskExpectation expectation, boolean done, Random random) throws Exception {
        boolean damaged = recording.change().kind() == Change.Kind.DAMAGED;
        DiskExpectation.Found found;
        try (DirectFormat checked = RawFacts.open(image, shape(), Flag.READ_ONLY, Flag.CHECK)) {
            if (!damaged) {
                CrashInspection.requireLeaksAtWorst(checked.check(Repair.NONE));
            }
            found = ImageMachine.found(checked);
        }
        requireExpected(expectation, found);
        Map<String, String> old = done ? recording.newFacts() : recording.oldFacts();
        String neither = Change.neither(
                old, recording.newFacts(), recording.change().facts().of(image, shape()));
        if (!neither.isEmpty()) {
            throw new AssertionError(neither + (done ? ", when all was done" : ""));
        }
        SparseBytes repaired = repaired(image, damaged ? Repair.ALL : Repair.LEAKS);
        if (damaged) {
            try (DirectFormat format = RawFacts.open(repaired, shape(), Flag.READ_ONLY)) {
                requireExpected(expectation, ImageMachine.found(format));
            }
        }
        // the use of an image costs more than the look at it: one of them each time
        boolean clean = damaged || random.nextBoolean();
        use(clean ? repaired : image.fork(), found, random, clean);
    }

    private static void requireExpected(DiskExpectation expectation, DiskExpectation.Found found) {
        String mismatch = expectation.mismatch(found);
        if (!mismatch.isEmpty()) {
            throw new AssertionError(mismatch);
        }
    }

    private SparseBytes repaired(SparseBytes image, Repair repair) throws BlockException {
        MemoryFile file = MemoryFile.of("repaired", image.fork());
        try (DirectFormat format = shape().open(new Qcow2Driver(), new MemoryProtocol(file), Flag.CHECK)) {
            format.check(repair);
        }
        try (DirectFormat format = RawFacts.open(file.snapshot(), shape(), Flag.READ_ONLY, Flag.CHECK)) {
            CheckReport report = format.check(Repair.NONE);
            assertEquals(0, report.corruptions() + report.leaks() + report.checkErrors(), () -> "repaired: " + report);
        }
        return file.snapshot();
    }

    /** Somebody goes on working: whatever is wrongly claimed, or not counted, takes its revenge. */
    private void use(SparseBytes image, DiskExpectation.Found found, Random random, boolean mustStayClean)
            throws BlockException {
        ByteModel model = new ByteModel(new SparseBytes());
        found.snapshots().forEach((name, content) -> {
            model.replaceDisk(content);
            model.createSnapshot(name);
        });
        model.replaceDisk(found.disk());
        ImageShape now = shape().asIn(image);
        MemoryFile file = MemoryFile.of("used", image);
        ImageMachine machine = new ImageMachine(
                () -> shape().open(new Qcow2Driver(), new MemoryProtocol(file), Flag.UNMAP),
                new WriteLog(),
                model,
                2 * model.lengthBytes(),
                "used");
        for (int i = 0; i < 12; i++) {
            machine.run(new Operation(Operation.Kind.WRITE, random.nextInt(Operation.PLACES), random.nextInt(60)));
        }
        for (int i = 0; i < USE_STEPS; i++) {
            Operation operation = Operation.random(random);
            if (now.allows(operation.kind(), machine.model()) && !mayOverflow(now, operation.kind())) {
                machine.run(operation);
            }
        }
        machine.requireEqual();
        machine.reopen();
        machine.requireEqual();
        if (mustStayClean) {
            machine.requireClean();
        } else {
            CrashInspection.requireLeaksAtWorst(machine.image().check(Repair.NONE));
        }
        machine.close();
    }

    /** Leaked counts take the room that counts of two bits have. */
    private static boolean mayOverflow(ImageShape shape, Operation.Kind kind) {
        return shape.refcountBits() <= 2
                && (kind == Operation.Kind.SNAPSHOT_CREATE || kind == Operation.Kind.SNAPSHOT_APPLY);
    }
}
