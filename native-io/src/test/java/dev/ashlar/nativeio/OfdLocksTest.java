package dev.ashlar.nativeio;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

@Timeout(60)
class OfdLocksTest {
    @RegisterExtension
    final ScratchFolder scratch = new ScratchFolder();

    private LinuxFile open() throws ErrnoException {
        return LinuxFile.open(scratch.file("locked").toString(), OpenFlag.READ_WRITE, OpenFlag.CREATE);
    }

    @Test
    void excludesAnotherOpenFileOfTheSameProcess() throws Exception {
        LinuxFile second = open();
        try (LinuxFile first = open()) {
            OfdLocks mine = OfdLocks.of(first);
            OfdLocks other = OfdLocks.of(second);
            assertEquals(0, mine.tryLock(LockType.READ, 100, 1));
            assertEquals(0, other.tryLock(LockType.READ, 100, 1));
            assertEquals(-Errno.EAGAIN, other.tryLock(LockType.WRITE, 100, 1));
            assertEquals(-Errno.EAGAIN, other.probe(LockType.WRITE, 100, 1));
            assertEquals(0, other.probe(LockType.WRITE, 101, 1));
            assertEquals(0, mine.unlock(100, 1));
            assertEquals(0, other.tryLock(LockType.WRITE, 100, 1));
            assertEquals(-Errno.EAGAIN, mine.probe(LockType.READ, 0, 0), "0 means to the end");
            second.close();
            assertEquals(0, mine.tryLock(LockType.WRITE, 0, 0));
        }
    }

    @Test
    void excludesAnotherProcess() throws Exception {
        try (LinuxFile file = open()) {
            OfdLocks locks = OfdLocks.of(file);
            Process holder = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-XX:TieredStopAtLevel=1",
                            "--enable-native-access=ALL-UNNAMED",
                            "-cp",
                            Path.of("target", "classes") + ":" + Path.of("target", "test-classes"),
                            LockHolder.class.getName(),
                            file.path())
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            try (BufferedReader output =
                    new BufferedReader(new InputStreamReader(holder.getInputStream(), StandardCharsets.UTF_8))) {
                assertEquals("locked 0", output.readLine());
                assertEquals(-Errno.EAGAIN, locks.tryLock(LockType.READ, 7, 1));
                assertEquals(0, locks.tryLock(LockType.WRITE, 8, 1));
                holder.getOutputStream().close();
                assertEquals(0, holder.waitFor());
                assertEquals(0, locks.tryLock(LockType.READ, 7, 1), "its locks end with the process");
            } finally {
                holder.destroyForcibly();
            }
        }
    }

    /** The other process: holds a write lock on byte 7 until its input ends. */
    static final class LockHolder {
        private LockHolder() {}

        public static void main(String[] arguments) throws Exception {
            try (LinuxFile file = LinuxFile.open(arguments[0], OpenFlag.READ_WRITE)) {
                System.out.println("locked " + OfdLocks.of(file).tryLock(LockType.WRITE, 7, 1));
                while (System.in.read() >= 0) {
                    // Waits for the end of input.
                }
            }
        }
    }
}
