package dev.ashlar.testkit.qcow2;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * An image file as numbers at offsets, with the header's fields of the qcow2 specification by name. Images are believed: these are for images that both programs
 * find in order.
 */
final class Qcow2File implements AutoCloseable {
    private static final int OLD_HEADER_BYTES = 72;
    private static final int MODERN = 3;
    private static final int DEFAULT_REFCOUNT_ORDER = 4;

    private final FileChannel channel;

    private Qcow2File(FileChannel channel) {
        this.channel = channel;
    }

    static Qcow2File readOnly(Path file) throws IOException {
        return new Qcow2File(FileChannel.open(file, StandardOpenOption.READ));
    }

    static Qcow2File readWrite(Path file) throws IOException {
        return new Qcow2File(FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE));
    }

    /** Bytes of the file; zeros behind its end. */
    ByteBuffer read(long hostOffset, int lengthBytes) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(lengthBytes);
        while (buffer.hasRemaining() && channel.read(buffer, hostOffset + buffer.position()) >= 0) {
            // a read may give less than was asked for
        }
        return buffer.position(0).limit(lengthBytes);
    }

    void write(long hostOffset, byte[] content) throws IOException {
        ByteBuffer buffer = ByteBuffer.wrap(content);
        while (buffer.hasRemaining()) {
            channel.write(buffer, hostOffset + buffer.position());
        }
    }

    int readInt(long hostOffset) throws IOException {
        return read(hostOffset, Integer.BYTES).getInt();
    }

    long readLong(long hostOffset) throws IOException {
        return read(hostOffset, Long.BYTES).getLong();
    }

    long fileBytes() throws IOException {
        return channel.size();
    }

    boolean isModern() throws IOException {
        return readInt(4) >= MODERN;
    }

    int clusterBytes() throws IOException {
        return 1 << readInt(20);
    }

    long diskBytes() throws IOException {
        return readLong(24);
    }

    long refcountTableOffset() throws IOException {
        return readLong(48);
    }

    int refcountTableClusters() throws IOException {
        return readInt(56);
    }

    int refcountBits() throws IOException {
        return 1 << (isModern() ? readInt(96) : DEFAULT_REFCOUNT_ORDER);
    }

    /** Where the first header extension begins. */
    int headerBytes() throws IOException {
        return isModern() ? readInt(100) : OLD_HEADER_BYTES;
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
