package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.FormatInstance;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.core.spi.ProtocolInstance;
import dev.ashlar.core.spi.VmStateCapable;
import dev.ashlar.core.spi.WritePlan;
import dev.ashlar.testkit.crash.WriteLog;
import dev.ashlar.testkit.model.ByteModel;
import dev.ashlar.testkit.protocol.DirectFormat;
import dev.ashlar.testkit.protocol.MemoryDriver;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.function.UnaryOperator;

/** An image under work: opened by the machine that keeps its model, or for a while by a graph. */
final class ChangeWork {
    private final BlockDriver driver;
    private final MemoryFile file;
    private final UnaryOperator<ProtocolInstance> wrapper;
    private final ImageShape shape;
    private final WriteLog log;
    private final Random random;
    private final boolean unmap;
    private final String prefix;
    private ImageMachine machine;
    private int machines;

    /** @param prefix of the names of new snapshots */
    ChangeWork(
            BlockDriver driver,
            MemoryFile file,
            UnaryOperator<ProtocolInstance> wrapper,
            ImageShape shape,
            WriteLog log,
            ByteModel model,
            Random random,
            String prefix)
            throws BlockException {
        this.driver = driver;
        this.file = file;
        this.wrapper = wrapper;
        this.shape = shape;
        this.log = log;
        this.random = random;
        this.unmap = random.nextInt(3) > 0;
        this.prefix = prefix;
        this.machine = newMachine(model);
    }

    private ImageMachine newMachine(ByteModel model) throws BlockException {
        machines++;
        return new ImageMachine(this::open, log, model, 2 * shape.sizeBytes(), prefix + machines + "-");
    }

    private DirectFormat open() throws BlockException {
        return open(unmap ? new Flag[] {Flag.UNMAP} : new Flag[0]);
    }

    /** Opens the image once more, as the caller likes; the machine must have been closed. */
    DirectFormat open(Flag... flags) throws BlockException {
        return shape.open(driver, wrapper.apply(new MemoryProtocol(file)), flags);
    }

    ImageShape shape() {
        return shape;
    }

    Random random() {
        return random;
    }

    ImageMachine machine() {
        return machine;
    }

    MemoryFile file() {
        return file;
    }

    WriteLog log() {
        return log;
    }

    <T> T capability(Class<T> type) {
        return Objects.requireNonNull(machine.image().format().capability(type).orElse(null), type::getSimpleName);
    }

    /** A step somewhere, if the image can do it. */
    void run(Operation.Kind... kinds) throws BlockException {
        for (Operation.Kind kind : kinds) {
            run(kind, random.nextInt(Operation.PLACES), random.nextInt(Operation.AMOUNTS));
        }
    }

    void run(Operation.Kind kind, int place, int amount) throws BlockException {
        if (shape.allows(kind, machine.model())) {
            machine.run(new Operation(kind, place, amount));
        }
    }

    /** The machine closes the image, and opens it again after this. */
    void whileClosed(Change.Step step) throws Exception {
        ByteModel model = machine.model().fork();
        machine.close();
        step.on(this);
        machine = newMachine(model);
    }

    /** Something that needs a whole graph. */
    @FunctionalInterface
    interface GraphStep {
        void on(BlockBackend backend) throws Exception;
    }

    void inGraph(GraphStep step) throws Exception {
        whileClosed(work -> {
            MemoryDriver memory = new MemoryDriver(MemoryFile::empty, wrapper).put(file);
            try (BlockGraph graph = BlockGraph.create(List.of(memory, driver));
                    BlockBackend backend = graph.open(
                            file.name(),
                            OpenOptions.readWrite().format("qcow2").unmap(unmap).backing(false))) {
                step.on(backend);
            }
        });
    }

    private long vmStateBase() {
        long entries = shape.clusterBytes() / (shape.extendedL2() ? 16 : 8);
        long coverage = entries * shape.clusterBytes();
        return Math.ceilDiv(machine.model().lengthBytes(), coverage) * coverage;
    }

    /** Writes the state of a machine in whole clusters. @return its length in bytes */
    int writeVmState(int clusters) throws BlockException {
        FormatInstance area = capability(VmStateCapable.class).openVmState();
        int stamp = random.nextInt(200);
        long base = vmStateBase();
        byte[] bytes = new byte[clusters * shape.clusterBytes()];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) (i % 4 == 0 ? stamp : i % 4 == 1 ? 9 : (base + i) / 512 + stamp);
        }
        for (int done = 0; done < bytes.length; ) {
            WritePlan plan = area.planWrite(done, bytes.length - done);
            int count = Math.toIntExact(plan.lengthBytes());
            plan.child().write(plan.hostOffset(), MemorySegment.ofArray(bytes).asSlice(done, count));
            plan.commit();
            done += count;
        }
        area.close();
        return bytes.length;
    }
}
