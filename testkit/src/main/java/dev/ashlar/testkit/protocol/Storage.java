package dev.ashlar.testkit.protocol;

import dev.ashlar.core.spi.MetadataAccess;
import dev.ashlar.testkit.SparseBytes;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;

/** Where a {@link MemoryFile} keeps its bytes. Used under that file's lock. */
sealed interface Storage {
    long lengthBytes();

    void setLengthBytes(long newLengthBytes);

    void read(long offset, MemorySegment destination);

    void write(long offset, MemorySegment source);

    void fill(long offset, long count, byte value);

    boolean isZero(long offset, long count);

    SparseBytes copy();

    Optional<MetadataAccess.MappedView> map(long reserveBytes);

    /** Plain memory. */
    record Heap(SparseBytes bytes) implements Storage {
        @Override
        public long lengthBytes() {
            return bytes.lengthBytes();
        }

        @Override
        public void setLengthBytes(long newLengthBytes) {
            bytes.setLengthBytes(newLengthBytes);
        }

        @Override
        public void read(long offset, MemorySegment destination) {
            bytes.read(offset, destination);
        }

        @Override
        public void write(long offset, MemorySegment source) {
            bytes.write(offset, source);
        }

        @Override
        public void fill(long offset, long count, byte value) {
            bytes.fill(offset, count, value);
        }

        @Override
        public boolean isZero(long offset, long count) {
            return bytes.isZero(offset, count);
        }

        @Override
        public SparseBytes copy() {
            return bytes.fork();
        }

        @Override
        public Optional<MetadataAccess.MappedView> map(long reserveBytes) {
            return Optional.empty();
        }
    }

    /** A temporary file without a name, so that mappings show what is written. */
    final class Mappable implements Storage {
        private static final int PIECE_BYTES = 1 << 16;

        private final FileChannel channel;
        private final Path path;

        private Mappable(FileChannel channel, Path path) {
            this.channel = channel;
            this.path = path;
        }

        static Mappable create() {
            try {
                Path path = Files.createTempFile("ashlar-testkit", ".bytes");
                FileChannel channel = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE);
                Files.delete(path);
                return new Mappable(channel, path);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        @Override
        public long lengthBytes() {
            try {
                return channel.size();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        @Override
        public void setLengthBytes(long newLengthBytes) {
            try {
                if (newLengthBytes > channel.size()) {
                    channel.write(ByteBuffer.allocate(1), newLengthBytes - 1);
                } else {
                    channel.truncate(newLengthBytes);
                }
            } catch (IOException e) {
                throw new UncheckedIOException(path + ": resize", e);
            }
        }

        @Override
        public void read(long offset, MemorySegment destination) {
            byte[] piece = new byte[(int) Math.min(PIECE_BYTES, destination.byteSize())];
            for (long done = 0; done < destination.byteSize(); done += piece.length) {
                int count = (int) Math.min(piece.length, destination.byteSize() - done);
                readBytes(offset + done, piece, count);
                MemorySegment.copy(MemorySegment.ofArray(piece), 0, destination, done, count);
            }
        }

        private void readBytes(long offset, byte[] destination, int count) {
            try {
                ByteBuffer buffer = ByteBuffer.wrap(destination, 0, count);
                while (buffer.hasRemaining() && channel.read(buffer, offset + buffer.position()) > 0) {}
                java.util.Arrays.fill(destination, buffer.position(), count, (byte) 0);
            } catch (IOException e) {
                throw new UncheckedIOException(path + ": read", e);
            }
        }

        @Override
        public void write(long offset, MemorySegment source) {
            byte[] piece = new byte[(int) Math.min(PIECE_BYTES, source.byteSize())];
            for (long done = 0; done < source.byteSize(); done += piece.length) {
                int count = (int) Math.min(piece.length, source.byteSize() - done);
                MemorySegment.copy(source, done, MemorySegment.ofArray(piece), 0, count);
                writeBytes(offset + done, piece, count);
            }
        }

        private void writeBytes(long offset, byte[] source, int count) {
            try {
                ByteBuffer buffer = ByteBuffer.wrap(source, 0, count);
                while (buffer.hasRemaining()) {
                    channel.write(buffer, offset + buffer.position());
                }
            } catch (IOException e) {
                throw new UncheckedIOException(path + ": write", e);
            }
        }

        @Override
        public void fill(long offset, long count, byte value) {
            byte[] piece = new byte[(int) Math.min(PIECE_BYTES, count)];
            java.util.Arrays.fill(piece, value);
            for (long done = 0; done < count; done += piece.length) {
                writeBytes(offset + done, piece, (int) Math.min(piece.length, count - done));
            }
        }

        @Override
        public boolean isZero(long offset, long count) {
            byte[] piece = new byte[(int) Math.min(PIECE_BYTES, count)];
            for (long done = 0; done < count; done += piece.length) {
                int step = (int) Math.min(piece.length, count - done);
                readBytes(offset + done, piece, step);
                for (int i = 0; i < step; i++) {
                    if (piece[i] != 0) {
                        return false;
                    }
                }
            }
            return true;
        }

        @Override
        public SparseBytes copy() {
            SparseBytes result = new SparseBytes(lengthBytes());
            byte[] piece = new byte[PIECE_BYTES];
            for (long offset = 0; offset < result.lengthBytes(); offset += PIECE_BYTES) {
                int step = (int) Math.min(PIECE_BYTES, result.lengthBytes() - offset);
                if (!isZero(offset, step)) {
                    readBytes(offset, piece, step);
                    result.write(offset, piece, 0, step);
                }
            }
            return result;
        }

        /**
         * {@link FileChannel} maps no range behind the end, so the file is as long as the reservation for that moment.
         * Pages behind the end fault afterwards until the file has grown there, as with a mapping by system call.
         */
        @Override
        public Optional<MetadataAccess.MappedView> map(long reserveBytes) {
            long length = lengthBytes();
            Arena arena = Arena.ofShared();
            try {
                setLengthBytes(Math.max(reserveBytes, length));
                MemorySegment mapped = channel.map(FileChannel.MapMode.READ_ONLY, 0, reserveBytes, arena);
                setLengthBytes(length);
                return Optional.of(new View(arena, mapped.asReadOnly()));
            } catch (IOException | UncheckedIOException e) {
                arena.close();
                setLengthBytes(length);
                return Optional.empty();
            }
        }

        private record View(Arena arena, MemorySegment segment) implements MetadataAccess.MappedView {
            @Override
            public void close() {
                arena.close();
            }
        }
    }
}
