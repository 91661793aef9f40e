package dev.ashlar.nativeio;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Files and buffers that a ring knows by number, which saves the kernel a look-up or a page walk
 * per operation.
 */
final class RegisteredResources {
    private static final int REGISTER_BUFFERS = 0;
    private static final int UNREGISTER_BUFFERS = 1;
    private static final int REGISTER_FILES = 2;
    private static final int REGISTER_FILES_UPDATE = 6;
    private static final int EMPTY = -1;
    private static final int FILES = 16;
    private static final int MAX_REGIONS = 16;
    private static final long IOVEC_BYTES = 16;

    private final Ring ring;
    private final @Nullable LinuxFile[] files = new LinuxFile[FILES];
    private MemorySegment[] regions = {};

    /** No number at or above this one is in use. */
    private int fileEnd;

    private boolean tableMade;
    private boolean filesRefused;

    RegisteredResources(Ring ring) {
        this.ring = ring;
    }

    /** The file's number, or -1. */
    int indexOf(LinuxFile file) {
        for (int i = 0; i < fileEnd; i++) {
            if (files[i] == file) {
                return i;
            }
        }
        return -1;
    }

    boolean register(LinuxFile file) {
        if (indexOf(file) >= 0) {
            return true;
        }
        int free = firstFree();
        if (free < 0 || filesRefused || !file.acquire()) {
            return false;
        }
        if (!tableMade && !makeTable() || !update(free, file.descriptor())) {
            file.release();
            return false;
        }
        files[free] = file;
        fileEnd = Math.max(fileEnd, free + 1);
        return true;
    }

    void unregister(LinuxFile file) {
        int index = indexOf(file);
        if (index >= 0) {
            update(index, EMPTY);
            files[index] = null;
            file.release();
        }
    }

    /** Releases the files; the ring itself is about to go. */
    void close() {
        for (LinuxFile file : files) {
            if (file != null) {
                unregister(file);
            }
        }
    }

    private int firstFree() {
        for (int i = 0; i < FILES; i++) {
            if (files[i] == null) {
                return i;
            }
        }
        return -1;
    }

    private boolean makeTable() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment table = arena.allocate(JAVA_INT, FILES).fill((byte) EMPTY);
            tableMade = ring.register(REGISTER_FILES, table.address(), FILES) >= 0;
        }
        filesRefused = !tableMade;
        return tableMade;
    }

    private boolean update(int index, int descriptor) {
        try (Arena arena = Arena.ofConfined()) {
            // struct io_uring_files_update: 0 u32 offset, 4 u32 -, 8 u64 address of the descriptors
            MemorySegment update = arena.allocate(24, JAVA_LONG.byteAlignment());
            update.set(JAVA_INT, 0, index);
            update.set(JAVA_LONG, 8, update.address() + 16);
            update.set(JAVA_INT, 16, descriptor);
            return ring.register(REGISTER_FILES_UPDATE, update.address(), 1) >= 0;
        }
    }

    boolean registerBuffers(MemorySegment... wanted) {
        if (wanted.length > MAX_REGIONS) {
            throw new IllegalArgumentException("at most 16 regions: " + wanted.length);
        }
        for (MemorySegment region : wanted) {
            Buffers.requireReadTarget(region);
        }
        if (regions.length > 0) {
            ring.register(UNREGISTER_BUFFERS, 0, 0);
            regions = new MemorySegment[0];
        }
        if (wanted.length == 0) {
            return true;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment vector = arena.allocate(wanted.length * IOVEC_BYTES, JAVA_LONG.byteAlignment());
            for (int i = 0; i < wanted.length; i++) {
                vector.set(JAVA_LONG, i * IOVEC_BYTES, wanted[i].address());
                vector.set(JAVA_LONG, i * IOVEC_BYTES + 8, wanted[i].byteSize());
            }
            if (ring.register(REGISTER_BUFFERS, vector.address(), wanted.length) < 0) {
                return false;
            }
        }
        regions = wanted.clone();
        return true;
    }

    /** Number of the registered region that holds this range, or -1. */
    int regionOf(long address, int lengthBytes) {
        for (int i = 0; i < regions.length; i++) {
            long offset = address - regions[i].address();
            if (offset >= 0 && offset <= regions[i].byteSize() - lengthBytes) {
                return i;
            }
        }
        return -1;
    }
}
