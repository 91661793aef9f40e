package dev.ashlar.testkit;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeSet;

/**
 * A growable, sparse run of bytes whose copies are cheap: {@link #fork} shares all pages and each side copies a page when it
 * first writes to it. What was never written reads as zeros; reads behind the end do, too. Not thread-safe.
 */
public final class SparseBytes {
    private static final int PAGE_BYTES = 4096;
    private static final byte[] ZEROS = new byte[PAGE_BYTES];

    /** Identity alone matters. */
    private static final class Owner {}

    private static final class Page {
        final Owner owner;
        final byte[] bytes;

        Page(Owner owner, byte[] bytes) {
            this.owner = owner;
            this.bytes = bytes;
        }
    }

    private final Map<Long, Page> pages;
    private long lengthBytes;
    /** Pages of another owner are shared with a fork and must be copied before they change. */
    private Owner owner = new Owner();

    public SparseBytes() {
        this(0);
    }

    /** Zeros of the given length. */
    public SparseBytes(long lengthBytes) {
        this.pages = new HashMap<>();
        this.lengthBytes = lengthBytes;
    }

    private SparseBytes(SparseBytes other) {
        this.pages = new HashMap<>(other.pages);
        this.lengthBytes = other.lengthBytes;
    }

    /** The content of a file. */
    public static SparseBytes of(Path file) throws IOException {
        SparseBytes result = new SparseBytes(Files.size(file));
        ByteBuffer buffer = ByteBuffer.allocate(1 << 20);
        try (FileChannel channel = FileChannel.open(file)) {
            long offset = 0;
            while (channel.read(buffer.clear()) > 0) {
                byte[] page = new byte[PAGE_BYTES];
                for (int at = 0; at < buffer.position(); at += PAGE_BYTES) {
                    int count = Math.min(PAGE_BYTES, buffer.position() - at);
                    buffer.get(at, page, 0, count);
                    if (!Arrays.equals(page, 0, count, ZEROS, 0, count)) {
                        result.write(offset + at, page, 0, count);
                    }
                }
                offset += buffer.position();
            }
        }
        return result;
    }

    /** The bytes given. */
    public static SparseBytes of(byte[] content) {
        SparseBytes result = new SparseBytes();
        result.write(0, content, 0, content.length);
        return result;
    }

    /** An independent copy; costs no more than the list of pages. */
    public SparseBytes fork() {
        owner = new Owner();
        return new SparseBytes(this);
    }

    public long lengthBytes() {
        return lengthBytes;
    }

    /** Cuts, or grows with zeros. */
    public void setLengthBytes(long newLengthBytes) {
        if (newLengthBytes < lengthBytes) {
            fill(newLengthBytes, lengthBytes - newLengthBytes, (byte) 0);
        }
        lengthBytes = newLengthBytes;
    }

    public void read(long offset, byte[] destination, int from, int count) {
        int done = 0;
        while (done < count) {
            long position = offset + done;
            int inPage = (int) (position % PAGE_BYTES);
            int step = Math.min(count - done, PAGE_BYTES - inPage);
            Page page = pages.get(position / PAGE_BYTES);
            System.arraycopy(page == null ? ZEROS : page.bytes, inPage, destination, from + done, step);
            done += step;
        }
    }

    /** A copy of a range of at most 2 GiB. */
    public byte[] read(long offset, int count) {
        byte[] result = new byte[count];
        read(offset, result, 0, count);
        return result;
    }

    public void read(long offset, MemorySegment destination) {
        long done = 0;
        while (done < destination.byteSize()) {
            long position = offset + done;
            int inPage = (int) (position % PAGE_BYTES);
            int step = (int) Math.min(destination.byteSize() - done, PAGE_BYTES - inPage);
            Page page = pages.get(position / PAGE_BYTES);
            byte[] source = page == null ? ZEROS : page.bytes;
            MemorySegment.copy(source, inPage, destination, ValueLayout.JAVA_BYTE, done, step);
            done += step;
        }
    }

    /** Writes and grows where needed. */
    public void write(long offset, byte[] source, int from, int count) {
        int done = 0;
        while (done < count) {
            long position = offset + done;
            int inPage = (int) (position % PAGE_BYTES);
            int step = Math.min(count - done, PAGE_BYTES - inPage);
            System.arraycopy(source, from + done, writable(position / PAGE_BYTES), inPage, step);
            done += step;
        }
        lengthBytes = Math.max(lengthBytes, offset + count);
    }

    /** Writes and grows where needed. */
    public void write(long offset, MemorySegment source) {
        long done = 0;
        while (done < source.byteSize()) {
            long position = offset + done;
            int inPage = (int) (position % PAGE_BYTES);
            int step = (int) Math.min(source.byteSize() - done, PAGE_BYTES - inPage);
            MemorySegment.copy(source, ValueLayout.JAVA_BYTE, done, writable(position / PAGE_BYTES), inPage, step);
            done += step;
        }
        lengthBytes = Math.max(lengthBytes, offset + source.byteSize());
    }

    /** Sets a range to one byte value and grows where needed; zeros free whole pages. */
    public void fill(long offset, long count, byte value) {
        long end = offset + count;
        lengthBytes = Math.max(lengthBytes, end);
        long first = Math.ceilDiv(offset, PAGE_BYTES);
        long last = end / PAGE_BYTES;
        if (value == 0 && last > first) {
            fillBytes(offset, first * PAGE_BYTES, value);
            if (last - first < pages.size()) {
                for (long index = first; index < last; index++) {
                    pages.remove(index);
                }
            } else {
                pages.keySet().removeIf(index -> index >= first && index < last);
            }
            fillBytes(last * PAGE_BYTES, end, value);
        } else {
            fillBytes(offset, end, value);
        }
    }

    private void fillBytes(long start, long end, byte value) {
        long position = start;
        while (position < end) {
            int inPage = (int) (position % PAGE_BYTES);
            int step = (int) Math.min(end - position, PAGE_BYTES - inPage);
            if (value != 0 || pages.containsKey(position / PAGE_BYTES)) {
                Arrays.fill(writable(position / PAGE_BYTES), inPage, inPage + step, value);
            }
            position += step;
        }
    }

    /** Whether the range is all zeros. */
    public boolean isZero(long offset, long count) {
        long position = offset;
        while (position < offset + count) {
            int inPage = (int) (position % PAGE_BYTES);
            int step = (int) Math.min(offset + count - position, PAGE_BYTES - inPage);
            Page page = pages.get(position / PAGE_BYTES);
            if (page != null && !Arrays.equals(page.bytes, inPage, inPage + step, ZEROS, 0, step)) {
                return false;
            }
            position += step;
        }
        return true;
    }

    /**
     * Where the contents differ first, up to the longer end; a difference in length alone shows at the shorter end.
     *
     * @return the offset, or -1 where both are equal
     */
    public long firstDifference(SparseBytes other) {
        TreeSet<Long> indexes = new TreeSet<>(pages.keySet());
        indexes.addAll(other.pages.keySet());
        for (long index : indexes) {
            Page mine = pages.get(index);
            Page theirs = other.pages.get(index);
            if (mine == theirs) {
                continue;
            }
            byte[] left = mine == null ? ZEROS : mine.bytes;
            byte[] right = theirs == null ? ZEROS : theirs.bytes;
            int at = Arrays.mismatch(left, right);
            if (at >= 0) {
                return index * PAGE_BYTES + at;
            }
        }
        return lengthBytes == other.lengthBytes ? -1 : Math.min(lengthBytes, other.lengthBytes);
    }

    /** Makes the file hold exactly this content, holes where pages were never written. */
    public void writeTo(Path file) throws IOException {
        try (FileChannel channel = FileChannel.open(
                file, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING)) {
            for (Map.Entry<Long, Page> entry : pages.entrySet()) {
                long position = entry.getKey() * PAGE_BYTES;
                int count = (int) Math.min(PAGE_BYTES, lengthBytes - position);
                ByteBuffer buffer = ByteBuffer.wrap(entry.getValue().bytes, 0, Math.max(0, count));
                while (buffer.hasRemaining()) {
                    channel.write(buffer, position + buffer.position());
                }
            }
            if (channel.size() < lengthBytes) {
                channel.write(ByteBuffer.wrap(new byte[1]), lengthBytes - 1);
            }
        }
    }

    private byte[] writable(long index) {
        Page page = pages.get(index);
        if (page == null || page.owner != owner) {
            page = new Page(owner, page == null ? new byte[PAGE_BYTES] : page.bytes.clone());
            pages.put(index, page);
        }
        return page.bytes;
    }
}
