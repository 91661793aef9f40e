package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.drivers.qcow2.ImageShape.Need;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.crash.DiskOperation;
import dev.ashlar.testkit.crash.WriteLog;
import dev.ashlar.testkit.model.ByteModel;
import dev.ashlar.testkit.model.DiskExpectation;
import dev.ashlar.testkit.protocol.DirectFormat;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.RecordingProtocol;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.UnaryOperator;

/**
 * A change made to a random image, with all that went to the disk meanwhile.
 *
 * @param before what the image held when the log began
 */
record ChangeRecording(
        Change change,
        long seed,
        ImageShape shape,
        SparseBytes initial,
        WriteLog log,
        DiskExpectation before,
        Map<String, String> oldFacts,
        Map<String, String> newFacts) {
    /** The mark in the log behind the change. */
    record Done() {}

    private static final List<Operation.Kind> AROUND = List.of(
            Operation.Kind.WRITE,
            Operation.Kind.WRITE,
            Operation.Kind.WRITE_CLUSTERS,
            Operation.Kind.ZERO,
            Operation.Kind.FLUSH);

    private static final int MOST_TRIES = 30;

    /** Thrown where the change found nothing to do. */
    private static final class NothingChanged extends Exception {
        private static final long serialVersionUID = 1L;
    }

    /** Draws images until the change has something to do. */
    static ChangeRecording of(Change change, long seed, BlockDriver driver) throws Exception {
        for (int i = 0; i < MOST_TRIES; i++) {
            Random random = new Random(seed + i * 7919L);
            ImageShape shape = ImageShape.random(random, change.needs());
            try {
                return of(change, seed, shape, random, driver);
            } catch (NothingChanged e) {
                // another image
            } catch (Exception | AssertionError e) {
                throw new AssertionError(shape + ": " + e.getMessage(), e);
            }
        }
        throw new AssertionError("nothing was changed in " + MOST_TRIES + " tries");
    }

    private static ChangeRecording of(Change change, long seed, ImageShape shape, Random random, BlockDriver driver)
            throws Exception {
        MemoryFile file = shape.create(driver);
        ByteModel model = prepare(change, file, shape, random);
        RawImage raw = new RawImage(file);
        change.damage().inflict(raw, random);
        model.resize(raw.sizeBytes());
        SparseBytes initial = file.snapshot();
        boolean sound = change.kind() == Change.Kind.SOUND;
        boolean clean = sound && isClean(initial, shape);
        DiskExpectation before = new DiskExpectation(List.of(DiskExpectation.World.of(model)));
        WriteLog log = new WriteLog();
        ChangeWork work = new ChangeWork(
                driver, file, protocol -> new RecordingProtocol(protocol, log), shape, log, model.fork(), random, "t");
        boolean alone = !sound || change.needs().contains(Need.ALONE);
        for (int i = alone ? 0 : random.nextInt(3); i > 0; i--) {
            work.run(AROUND.get(random.nextInt(AROUND.size())));
        }
        change.deed().on(work);
        log.mark(new Done());
        Map<String, String> newFacts = change.facts().of(file.snapshot(), shape);
        if (log.events().stream().noneMatch(ChangeRecording::isChange)) {
            work.machine().close();
            throw new NothingChanged();
        }
        // who has amended an image opens it again
        work.machine().reopen();
        for (int i = random.nextInt(3); i > 0; i--) {
            work.run(AROUND.get(random.nextInt(AROUND.size())));
        }
        work.machine().requireEqual();
        work.machine().reopen();
        work.machine().requireEqual();
        if (clean) {
            work.machine().requireClean();
        } else {
            CrashInspection.requireLeaksAtWorst(work.machine().image().check(Repair.NONE));
        }
        work.machine().close();
        if (sound) {
            audit(log, initial);
        }
        return new ChangeRecording(
                change, seed, shape, initial, log, before, change.facts().of(initial, shape), newFacts);
    }

    private static boolean isChange(WriteLog.Event event) {
        return event instanceof WriteLog.Event.Started started && !(started.operation() instanceof DiskOperation.Flush);
    }

    /** Work that is not recorded, so that there is something to lose; at the end everything is closed. */
    private static ByteModel prepare(Change change, MemoryFile file, ImageShape shape, Random random) throws Exception {
        ChangeWork work = new ChangeWork(
                new Qcow2Driver(), file, UnaryOperator.identity(), shape, new WriteLog(), shape.model(), random, "p");
        for (int i = random.nextInt(10); i > 0; i--) {
            Operation operation = Operation.random(random);
            boolean plain = switch (operation.kind()) {
                case SNAPSHOT_CREATE, WRITE_COMPRESSED -> false;
                default -> true;
            };
            if (plain || !change.needs().contains(Need.PLAIN)) {
                work.run(operation.kind(), operation.place(), operation.amount());
            }
        }
        change.prepared().on(work);
        ByteModel model = work.machine().model().fork();
        work.machine().close();
        return model;
    }

    private static boolean isClean(SparseBytes image, ImageShape shape) throws Exception {
        try (DirectFormat format = RawFacts.open(image, shape, Flag.READ_ONLY, Flag.CHECK)) {
            CheckReport report = format.check(Repair.NONE);
            CrashInspection.requireLeaksAtWorst(report);
            return report.leaks() == 0;
        }
    }

    private static void audit(WriteLog log, SparseBytes initial) {
        OrderingAuditor.Violation broken = OrderingAuditor.firstViolation(log, initial);
        if (broken != null) {
            throw new AssertionError(broken + "\nlog up to there:\n" + log.tail(broken.position() + 1, 40));
        }
    }
}
