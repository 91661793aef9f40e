package dev.ashlar.testkit.model;

import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.model.DiskExpectation.World;
import java.util.ArrayList;
import java.util.List;

/**
 * A {@link ByteModel} that also knows what a crash may take back. Around each operation on the real disk, call its {@code begin}
 * method before, {@link #completed} after success; {@link #expectation} tells at any time what a crash now may leave.
 *
 * <p>The promises: writes, zeroes and discards are in doubt by sectors until a flush has been acknowledged. Snapshot create, apply, delete, rename and resize happen as
 * a whole or not at all and are certain once acknowledged. A snapshot holds exactly what the disk held when it was created.
 */
public final class DiskHistory {
    private ByteModel model;
    /** Contents since the last acknowledged flush; the last one is the model's. */
    private List<SparseBytes> versions = new ArrayList<>();

    private DiskExpectation expectation;
    /** What holds when the operation under way succeeds. */
    private Runnable onCompletion = () -> {};

    /** @param model the disk as it is, all of it certain; the history takes it over */
    public DiskHistory(ByteModel model) {
        this.model = model;
        versions.add(model.disk().fork());
        this.expectation = certain();
    }

    /** The present state; do not change it. */
    public ByteModel model() {
        return model;
    }

    public DiskExpectation expectation() {
        return expectation;
    }

    private World world() {
        return new World(versions, model.snapshots());
    }

    private DiskExpectation certain() {
        return new DiskExpectation(List.of(world()));
    }

    public void beginWrite(long offset, byte[] content) {
        model.write(offset, content);
        addVersion();
    }

    public void beginZero(long offset, long lengthBytes) {
        model.writeZeroes(offset, lengthBytes);
        addVersion();
    }

    private void addVersion() {
        versions.add(model.disk().fork());
        expectation = certain();
        onCompletion = () -> {};
    }

    public void beginFlush() {
        onCompletion = this::forgetOldVersions;
    }

    private void forgetOldVersions() {
        versions = new ArrayList<>(List.of(model.disk().fork()));
    }

    public void beginCreateSnapshot(String name) {
        World before = world();
        model.createSnapshot(name);
        inDoubt(before, World.of(model), this::forgetOldVersions);
    }

    public void beginApplySnapshot(String name) {
        World before = world();
        model.applySnapshot(name);
        inDoubt(before, World.of(model), this::forgetOldVersions);
    }

    public void beginDeleteSnapshot(String name) {
        World before = world();
        model.deleteSnapshot(name);
        inDoubt(before, world(), () -> {});
    }

    public void beginRenameSnapshot(String name, String newName) {
        World before = world();
        model.renameSnapshot(name, newName);
        inDoubt(before, world(), () -> {});
    }

    /** All of the disk's content changes at once. */
    public void beginReplace(SparseBytes content) {
        World before = world();
        SparseBytes whole = content.fork();
        whole.setLengthBytes(model.lengthBytes());
        model.replaceDisk(whole);
        inDoubt(before, World.of(model), this::forgetOldVersions);
    }

    public void beginResize(long lengthBytes) {
        World before = world();
        model.resize(lengthBytes);
        versions.replaceAll(each -> {
            SparseBytes resized = each.fork();
            resized.setLengthBytes(lengthBytes);
            return resized;
        });
        inDoubt(before, world(), () -> {});
    }

    private void inDoubt(World before, World after, Runnable completion) {
        expectation = new DiskExpectation(List.of(before, after));
        onCompletion = completion;
    }

    /** The operation begun last was acknowledged. */
    public void completed() {
        onCompletion.run();
        onCompletion = () -> {};
        expectation = certain();
    }

    /**
     * The disk was opened again and found to hold this, as {@link #expectation} allowed: it becomes the certain state.
     *
     * @param found everything it holds
     */
    public void reopened(DiskExpectation.Found found) {
        ByteModel next = new ByteModel(new SparseBytes());
        for (var each : found.snapshots().entrySet()) {
            next.replaceDisk(each.getValue());
            next.createSnapshot(each.getKey());
        }
        next.replaceDisk(found.disk());
        model = next;
        forgetOldVersions();
        expectation = certain();
    }
}
