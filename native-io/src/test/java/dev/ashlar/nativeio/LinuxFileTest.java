package dev.ashlar.nativeio;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

@Timeout(60)
class LinuxFileTest {
    @RegisterExtension
    final ScratchFolder scratch = new ScratchFolder();

    private LinuxFile create(String name, OpenFlag... more) throws ErrnoException {
        OpenFlag[] flags = java.util.Arrays.copyOf(more, more.length + 2);
        flags[more.length] = OpenFlag.READ_WRITE;
        flags[more.length + 1] = OpenFlag.CREATE;
        return LinuxFile.open(scratch.file(name).toString(), flags);
    }

    private static MemorySegment filled(long lengthBytes, int value) {
        return AlignedBuffers.allocate(Arena.ofAuto(), lengthBytes).fill((byte) value);
    }

    @Test
    void tellsWhatFailedAndWhere() throws Exception {
        String missing = scratch.file("missing").toString();
        ErrnoException e = assertThrows(ErrnoException.class, () -> LinuxFile.open(missing, OpenFlag.READ_ONLY));
        assertEquals("open: No such file or directory (" + missing + ")", e.getMessage());
        assertEquals(Errno.ENOENT, e.errno());
        assertEquals("ENOENT", Errno.name(e.errno()));
        assertEquals("E4095: Unknown error 4095", Errno.name(4095) + ": " + Errno.text(4095));
        try (LinuxFile full = LinuxFile.open("/dev/full", OpenFlag.WRITE_ONLY)) {
            long result = full.pwrite(filled(10, 1), 0);
            ErrnoException noSpace = assertThrows(ErrnoException.class, () -> full.check("write", result));
            assertEquals("write: No space left on device (/dev/full)", noSpace.getMessage());
        }
    }

    @Test
    void honoursOpenFlags() throws Exception {
        String name = scratch.file("file").toString();
        assertThrows(IllegalArgumentException.class, () -> LinuxFile.open(name, OpenFlag.CREATE));
        assertThrows(
                IllegalArgumentException.class, () -> LinuxFile.open(name, OpenFlag.READ_ONLY, OpenFlag.READ_WRITE));
        assertThrows(IllegalArgumentException.class, () -> LinuxFile.open("a\0b", OpenFlag.READ_ONLY));
        LinuxFile.open(name, 0600, OpenFlag.READ_WRITE, OpenFlag.CREATE, OpenFlag.EXCLUSIVE)
                .close();
        assertEquals(0600, FileStatus.of(name).permissions());
        assertEquals(
                Errno.EEXIST,
                assertThrows(
                                ErrnoException.class,
                                () -> LinuxFile.open(name, OpenFlag.READ_WRITE, OpenFlag.CREATE, OpenFlag.EXCLUSIVE))
                        .errno());
        assertEquals(
                Errno.ENOTDIR,
                assertThrows(ErrnoException.class, () -> LinuxFile.open(name, OpenFlag.READ_ONLY, OpenFlag.DIRECTORY))
                        .errno());
        Path link = scratch.file("link");
        Files.createSymbolicLink(link, Path.of(name));
        assertEquals(
                Errno.ELOOP,
                assertThrows(
                                ErrnoException.class,
                                () -> LinuxFile.open(link.toString(), OpenFlag.READ_ONLY, OpenFlag.NOFOLLOW))
                        .errno());
        Files.writeString(Path.of(name), "text");
        try (LinuxFile file = LinuxFile.open(name, OpenFlag.READ_WRITE, OpenFlag.TRUNCATE, OpenFlag.DSYNC)) {
            assertEquals(0, file.length());
            assertEquals(4, file.pwrite(filled(4, 1), 0));
        }
    }

    @Test
    void statusAgreesWithTheJdk() throws Exception {
        Path path = scratch.file("file");
        try (LinuxFile file = create("file")) {
            file.pwriteFully(filled(12345, 1), 0);
            file.fsync();
            Files.setLastModifiedTime(path, FileTime.fromMillis(1_600_000_000_123L));
            FileStatus status = file.status();
            Map<String, Object> jdk = Files.readAttributes(path, "unix:*");
            assertEquals(Files.size(path), status.sizeBytes());
            assertEquals(((Integer) jdk.get("mode")) & 07777, status.permissions());
            assertEquals(jdk.get("ino"), status.inode());
            assertEquals(jdk.get("nlink"), status.linkCount());
            assertEquals(jdk.get("uid"), status.ownerId());
            assertEquals(1_600_000_000L, status.modifiedSeconds());
            assertEquals(123_000_000, status.modifiedNanos());
            long device = (Long) jdk.get("dev");
            long major = device >>> 8 & 0xfff | device >>> 32 & ~0xfffL;
            long minor = device & 0xff | device >>> 12 & ~0xffL;
            assertEquals(major << 32 | minor & 0xffffffffL, status.device());
            assertTrue(status.allocatedBytes() >= 12345, "allocated " + status.allocatedBytes());
            assertTrue(status.isRegularFile() && !status.isBlockDevice());
            assertTrue(status.isSameFile(FileStatus.of(path.toString())));
            assertFalse(status.isSameFile(FileStatus.of("/")));
            assertEquals(FileType.DIRECTORY, FileStatus.of("/").type());
            assertEquals(FileType.CHARACTER_DEVICE, FileStatus.of("/dev/null").type());
        }
    }

    @Test
    void readsAndWritesWithDirectAlignment() throws Exception {
        try (LinuxFile file = create("file", OpenFlag.DIRECT)) {
            assertTrue(file.isDirect());
            assertEquals(8192, file.pwriteFully(filled(8192, 3), 4096));
            MemorySegment read = filled(16384, 1);
            assertEquals(12288, file.preadFully(read, 0));
            assertEquals(0, read.get(ValueLayout.JAVA_BYTE, 4095));
            assertEquals(3, read.get(ValueLayout.JAVA_BYTE, 4096));
            assertEquals(-Errno.EINVAL, file.pread(read, 1));
            assertEquals(0, file.ftruncate(5000));
            assertEquals(5000, file.preadFully(read, 0), "an end inside a sector is no error");
            int told = file.status().directOffsetAlignmentBytes();
            if (told > 0) {
                assertEquals(told, file.pread(read.asSlice(0, told), 0));
            }
        }
    }

    @Test
    void findsDataAndHoles() throws Exception {
        try (LinuxFile file = create("sparse")) {
            file.ftruncate(1 << 20);
            assertEquals(-Errno.ENXIO, file.seekData(0));
            assertEquals(0, file.seekHole(0));
            file.pwriteFully(filled(65536, 1), 262144);
            assertEquals(262144, file.seekData(0));
            assertEquals(262144 + 65536, file.seekHole(262144));
            assertEquals(0, file.fallocate(FallocateMode.PUNCH_HOLE, 262144, 4096));
            assertEquals(262144 + 4096, file.seekData(0));
            assertEquals(0, file.fallocate(FallocateMode.ZERO_RANGE_KEEP_SIZE, 262144 + 4096, 4096));
            MemorySegment read = filled(12288, 9);
            file.preadFully(read, 262144);
            assertEquals(0, read.get(ValueLayout.JAVA_BYTE, 8191));
            assertEquals(1, read.get(ValueLayout.JAVA_BYTE, 8192));
            assertEquals(0, file.fallocate(FallocateMode.ALLOCATE_KEEP_SIZE, 1 << 20, 65536));
            assertEquals(1 << 20, file.length());
            assertEquals(0, file.fallocate(FallocateMode.ALLOCATE, 1 << 20, 65536));
            assertEquals((1 << 20) + 65536, file.length());
            assertEquals(-Errno.EINVAL, file.fallocate(FallocateMode.ALLOCATE, 0, 0));
        }
    }

    @Test
    void copiesInsideTheKernel() throws Exception {
        try (LinuxFile from = create("from");
                LinuxFile to = create("to")) {
            from.pwriteFully(filled(10000, 4), 0);
            assertEquals(9000, from.copyRange(1000, to, 50, 100000));
            assertEquals(9050, to.length());
            MemorySegment read = filled(9050, 0);
            to.preadFully(read, 0);
            assertEquals(0, read.get(ValueLayout.JAVA_BYTE, 49));
            assertEquals(4, read.get(ValueLayout.JAVA_BYTE, 50));
            assertEquals(0, from.copyRange(10000, to, 0, 10));
        }
    }

    @Test
    void syncsDirectoriesAndAdvises() throws Exception {
        try (LinuxFile file = create("file");
                LinuxFile folder =
                        LinuxFile.open(scratch.file("").toString(), OpenFlag.READ_ONLY, OpenFlag.DIRECTORY)) {
            assertEquals(0, folder.fsync());
            assertEquals(0, file.fdatasync());
            assertEquals(0, file.advise(AccessAdvice.DONT_NEED, 0, 0));
            assertEquals(0, file.advise(AccessAdvice.RANDOM, 0, 0));
        }
    }

    @Test
    void reopensTheFileAndNotItsName() throws Exception {
        try (LinuxFile file = create("file")) {
            file.pwrite(filled(10, 7), 0);
            Files.delete(scratch.file("file"));
            Files.writeString(scratch.file("file"), "another one");
            try (LinuxFile again = file.reopen(OpenFlag.READ_ONLY)) {
                assertEquals(10, again.length());
                assertTrue(again.status().isSameFile(file.status()));
                assertEquals(-Errno.EBADF, again.pwrite(filled(1, 1), 0));
            }
        }
    }

    @Test
    void isDeadAfterClose() throws Exception {
        LinuxFile file = create("file");
        file.close();
        file.close();
        MemorySegment buffer = filled(10, 0);
        assertTrue(file.isClosed());
        assertEquals(-Errno.EBADF, file.pread(buffer, 0));
        assertEquals(-Errno.EBADF, file.fdatasync());
        assertEquals(-Errno.EBADF, file.length());
        assertThrows(ErrnoException.class, file::status);
        assertThrows(ErrnoException.class, () -> file.reopen(OpenFlag.READ_ONLY));
        assertThrows(ErrnoException.class, () -> ReadOnlyMapping.map(file, 4096));
    }

    @Test
    void closeRacingWithReadsNeverReadsAnotherFile() throws Exception {
        create("one").close();
        create("two").close();
        Files.write(scratch.file("one"), new byte[] {1, 1, 1, 1});
        Files.write(scratch.file("two"), new byte[] {2, 2, 2, 2});
        for (int round = 0; round < 500; round++) {
            LinuxFile one = LinuxFile.open(scratch.file("one").toString(), OpenFlag.READ_ONLY);
            Thread reader = Thread.ofPlatform().start(() -> {
                MemorySegment buffer = filled(4, 0);
                while (one.pread(buffer, 0) == 4) {
                    assertEquals(1, buffer.get(ValueLayout.JAVA_BYTE, 0));
                }
            });
            one.close();
            LinuxFile two = LinuxFile.open(scratch.file("two").toString(), OpenFlag.READ_ONLY);
            reader.join();
            assertEquals(4, two.length(), "the other's descriptor was closed");
            two.close();
        }
        assertTrue(openDescriptors() < 300, "descriptors leak");
    }

    private static long openDescriptors() throws Exception {
        try (var list = Files.list(Path.of("/proc/self/fd"))) {
            return list.count();
        }
    }

    @Test
    void keepsErrnosOfManyThreadsApart() throws Exception {
        try (LinuxFile readOnly = LinuxFile.open("/dev/zero", OpenFlag.READ_ONLY);
                LinuxFile full = LinuxFile.open("/dev/full", OpenFlag.WRITE_ONLY);
                LinuxFile sparse = create("sparse");
                var executor = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<?>> futures = new ArrayList<>();
            for (int thread = 0; thread < 500; thread++) {
                int kind = thread % 3;
                futures.add(executor.submit((Callable<?>) () -> {
                    MemorySegment buffer = filled(8, 1);
                    for (int i = 0; i < 100; i++) {
                        long result = switch (kind) {
                            case 0 -> readOnly.pwrite(buffer, 0);
                            case 1 -> full.pwrite(buffer, 0);
                            default -> sparse.seekData(0);
                        };
                        Thread.yield();
                        assertEquals(kind == 0 ? -Errno.EBADF : kind == 1 ? -Errno.ENOSPC : -Errno.ENXIO, result);
                    }
                    return null;
                }));
            }
            for (Future<?> future : futures) {
                future.get();
            }
        }
    }

    @Test
    void movesVectors() throws Exception {
        try (LinuxFile file = create("file")) {
            IoVector vector = new IoVector(3);
            assertEquals(0, vector.lengthBytes());
            vector.add(filled(100, 1));
            vector.add(filled(200, 2).asReadOnly());
            assertEquals(300, file.pwritev(vector, 1L << 33));
            assertEquals((1L << 33) + 300, file.length());
            assertThrows(IllegalArgumentException.class, () -> file.preadv(vector, 0));
            vector.clear();
            MemorySegment in = filled(300, 0);
            vector.add(in.asSlice(0, 10));
            vector.add(in.asSlice(10));
            assertEquals(300, file.preadv(vector, 1L << 33));
            assertEquals(1, in.get(ValueLayout.JAVA_BYTE, 99));
            assertEquals(2, in.get(ValueLayout.JAVA_BYTE, 100));
            vector.add(in);
            assertThrows(IllegalStateException.class, () -> vector.add(in));
        }
    }

    @Test
    void refusesMemoryTheKernelMustNotTouch() throws Exception {
        try (LinuxFile file = create("file")) {
            MemorySegment heap = MemorySegment.ofArray(new byte[16]);
            assertThrows(IllegalArgumentException.class, () -> file.pread(heap, 0));
            assertThrows(IllegalArgumentException.class, () -> file.pwrite(heap, 0));
            assertThrows(
                    IllegalArgumentException.class,
                    () -> file.pread(filled(16, 0).asReadOnly(), 0));
            Arena arena = Arena.ofConfined();
            MemorySegment gone = arena.allocate(16);
            arena.close();
            assertThrows(IllegalStateException.class, () -> file.pread(gone, 0));
            assertEquals(0, file.pread(filled(16, 0), 0), "the file still works");
        }
    }
}
