package dev.ashlar.testkit.model;

import dev.ashlar.testkit.SparseBytes;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A disk with internal snapshots, as simple as can be: bytes, and copies of them by name. {@link #fork} makes an independent model
 * that shares what neither changes. Not thread-safe.
 */
public final class ByteModel {
    private SparseBytes disk;
    private final Map<String, SparseBytes> snapshots = new LinkedHashMap<>();

    /** Zeros of the given length, no snapshot. */
    public ByteModel(long lengthBytes) {
        this(new SparseBytes(lengthBytes));
    }

    /** The content given, which the model takes over. */
    public ByteModel(SparseBytes content) {
        this.disk = content;
    }

    public ByteModel fork() {
        ByteModel result = new ByteModel(disk.fork());
        snapshots.forEach((name, content) -> result.snapshots.put(name, content.fork()));
        return result;
    }

    public long lengthBytes() {
        return disk.lengthBytes();
    }

    /** The present content; changes go through this model only. */
    public SparseBytes disk() {
        return disk;
    }

    /** Names and contents in the order of creation; unmodifiable. */
    public Map<String, SparseBytes> snapshots() {
        return Collections.unmodifiableMap(snapshots);
    }

    public void write(long offset, byte[] content) {
        requireInside(offset, content.length);
        disk.write(offset, content, 0, content.length);
    }

    public void writeZeroes(long offset, long lengthBytes) {
        requireInside(offset, lengthBytes);
        disk.fill(offset, lengthBytes, (byte) 0);
    }

    public void resize(long lengthBytes) {
        disk.setLengthBytes(lengthBytes);
    }

    /** Puts other content in place of the disk's. */
    public void replaceDisk(SparseBytes content) {
        disk = content.fork();
    }

    public void createSnapshot(String name) {
        if (snapshots.putIfAbsent(name, disk.fork()) != null) {
            throw new IllegalArgumentException("snapshot " + name + " exists");
        }
    }

    public void applySnapshot(String name) {
        disk = snapshot(name).fork();
    }

    public void deleteSnapshot(String name) {
        snapshot(name);
        snapshots.remove(name);
    }

    /** The snapshot keeps its place. */
    public void renameSnapshot(String name, String newName) {
        Map<String, SparseBytes> old = new LinkedHashMap<>(snapshots);
        snapshot(name);
        snapshots.clear();
        old.forEach((each, content) -> snapshots.put(each.equals(name) ? newName : each, content));
    }

    /** @throws IllegalArgumentException when there is none */
    public SparseBytes snapshot(String name) {
        SparseBytes content = snapshots.get(name);
        if (content == null) {
            throw new IllegalArgumentException("no snapshot " + name);
        }
        return content;
    }

    private void requireInside(long offset, long lengthBytes) {
        if (offset < 0 || lengthBytes < 0 || offset + lengthBytes > disk.lengthBytes()) {
            throw new IllegalArgumentException(
                    offset + "+" + lengthBytes + " reaches behind the end, " + disk.lengthBytes());
        }
    }
}
