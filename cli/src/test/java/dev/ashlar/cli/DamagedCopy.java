package dev.ashlar.cli;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** An image file whose tables a test changes where they lie. Knows the format only as far as that takes. */
final class DamagedCopy implements AutoCloseable {
    private final FileChannel file;
    final int clusterBits;
    final long l1;
    final long refcountTable;
    final long snapshotTable;

    DamagedCopy(Path path) throws IOException {
        file = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE);
        clusterBits = (int) u32(20);
        l1 = u64(40);
        refcountTable = u64(48);
        snapshotTable = u64(64);
    }

    long u64(long offset) throws IOException {
        return bytes(offset, 8).getLong();
    }

    long u32(long offset) throws IOException {
        return bytes(offset, 4).getInt() & 0xffff_ffffL;
    }

    private ByteBuffer bytes(long offset, int count) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(count);
        file.read(buffer, offset);
        return buffer.clear();
    }

    void put64(long offset, long value) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(8).putLong(value);
        file.write(buffer.flip(), offset);
    }

    void put32(long offset, long value) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(4).putInt((int) value);
        file.write(buffer.flip(), offset);
    }

    void put16(long offset, int value) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(2).putShort((short) value);
        file.write(buffer.flip(), offset);
    }

    byte[] read(long offset, int count) throws IOException {
        return bytes(offset, count).array();
    }

    void put(long offset, byte[] bytes) throws IOException {
        file.write(ByteBuffer.wrap(bytes), offset);
    }

    /** Changes bits of a word. */
    void flip64(long offset, long bits) throws IOException {
        put64(offset, u64(offset) ^ bits);
    }

    long cluster(long index) {
        return index << clusterBits;
    }

    long size() throws IOException {
        return file.size();
    }

    void truncate(long bytes) throws IOException {
        if (bytes > file.size()) {
            file.write(ByteBuffer.allocate(1), bytes - 1);
        } else {
            file.truncate(bytes);
        }
    }

    void zero(long offset, int bytes) throws IOException {
        file.write(ByteBuffer.allocate(bytes), offset);
    }

    /** Where the L2 table lies that an L1 entry names. */
    long l2(int index) throws IOException {
        return u64(l1 + 8L * index) & 0x00ff_ffff_ffff_fe00L;
    }

    /** Where an entry of the first L2 table lies, if entries have 8 bytes. */
    long l2Entry(int index) throws IOException {
        return l2(0) + 8L * index;
    }

    long block(int index) throws IOException {
        return u64(refcountTable + 8L * index) & -512L;
    }

    /** Where the 16-bit count of a cluster in the first block lies. */
    long count16(long cluster) throws IOException {
        return block(0) + 2 * cluster;
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
