package dev.ashlar.drivers.qcow2;

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
import java.util.List;
import java.util.Random;
import java.util.function.UnaryOperator;

/**
 * What must hold of every image that a crash leaves: it opens; a check finds at worst leaks and COPIED flags; disk and snapshots hold what was promised; after
 * a repair of the leaks nothing is left to find; and who uses it without any repair harms nothing.
 */
record CrashInspection(WriteLog log, List<Operation> operations, long seed) {
    /** Operations of the use after the crash. */
    private static final int USE_STEPS = 8;

    void inspect(CrashState state) throws Exception {
        DiskExpectation expectation = state.lastMark(DiskExpectation.class);
        if (expectation == null) {
            // before the first mark: the image is as it was
            return;
        }
        try {
            inspect(state.image(), expectation, seed + state.position());
        } catch (Exception | AssertionError e) {
            throw new AssertionError(
                    e.getMessage() + "\nin " + state + "\noperations " + operations + "\nlog up to there:\n"
                            + log.tail(state.position(), 25),
                    e);
        }
    }

    static void inspect(SparseBytes image, DiskExpectation expectation, long seed) throws Exception {
        DiskExpectation.Found found;
        try (DirectFormat checked = open(image.fork(), Flag.READ_ONLY, Flag.CHECK)) {
            requireLeaksAtWorst(checked.check(Repair.NONE));
            found = ImageMachine.found(checked);
        }
        String mismatch = expectation.mismatch(found);
        if (!mismatch.isEmpty()) {
            throw new AssertionError(mismatch);
        }
        SparseBytes repaired = repair(image.fork());
        Random random = new Random(seed);
        // the use of an image costs more than the look at it: one of them each time
        if (random.nextBoolean()) {
            use(image.fork(), found, random, false);
        } else {
            use(repaired, found, random, true);
        }
    }

    private static DirectFormat open(SparseBytes image, Flag... flags) throws BlockException {
        return ImageMachine.open(new MemoryProtocol(MemoryFile.of("crashed", image)), flags);
    }

    static void requireLeaksAtWorst(CheckReport report) {
        boolean flagsOnly = report.findings().stream()
                .filter(line -> line.startsWith("ERROR"))
                .allMatch(line -> line.startsWith("ERROR OFLAG_COPIED"));
        if (report.checkErrors() > 0 || (report.corruptions() > 0 && !flagsOnly)) {
            throw new AssertionError("worse than leaks: " + report);
        }
    }

    static void requireClean(CheckReport report) {
        if (report.corruptions() + report.leaks() + report.checkErrors() > 0) {
            throw new AssertionError("not clean: " + report);
        }
    }

    private static SparseBytes repair(SparseBytes image) throws BlockException {
        MemoryFile file = MemoryFile.of("repaired", image);
        try (DirectFormat format = ImageMachine.open(new MemoryProtocol(file), Flag.CHECK)) {
            format.check(Repair.LEAKS);
        }
        SparseBytes result = file.snapshot();
        try (DirectFormat format = open(result.fork(), Flag.READ_ONLY, Flag.CHECK)) {
            CheckReport report = format.check(Repair.NONE);
            if (report.corruptions() + report.leaks() + report.checkErrors() > 0) {
                throw new AssertionError("not clean after the repair of leaks: " + report);
            }
        }
        return result;
    }

    /** A few random operations; a flag that wrongly claims a cluster would let them change a snapshot. */
    private static void use(SparseBytes image, DiskExpectation.Found found, Random random, boolean mustStayClean)
            throws BlockException {
        ByteModel model = new ByteModel(new SparseBytes());
        found.snapshots().forEach((name, content) -> {
            model.replaceDisk(content);
            model.createSnapshot(name);
        });
        model.replaceDisk(found.disk());
        MemoryFile file = MemoryFile.of("used", image);
        ImageMachine machine = new ImageMachine(
                file, UnaryOperator.identity(), new WriteLog(), model, 2 * model.lengthBytes(), true, "used");
        // every cluster once: whatever is shared must be copied
        for (int i = 0; i < 24; i++) {
            machine.run(new Operation(Operation.Kind.WRITE, random.nextInt(Operation.PLACES), random.nextInt(60)));
        }
        for (int i = 0; i < USE_STEPS; i++) {
            machine.run(Operation.random(random));
        }
        machine.requireEqual();
        machine.reopen();
        machine.requireEqual();
        if (mustStayClean) {
            machine.requireClean();
        } else {
            requireLeaksAtWorst(machine.image().check(Repair.NONE));
        }
        machine.close();
    }
}
