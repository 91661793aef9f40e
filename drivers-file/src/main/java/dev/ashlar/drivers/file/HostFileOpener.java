package dev.ashlar.drivers.file;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.OpenRequest;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.core.spi.ProtocolInstance;
import dev.ashlar.nativeio.BlockDevice;
import dev.ashlar.nativeio.Errno;
import dev.ashlar.nativeio.ErrnoException;
import dev.ashlar.nativeio.FileStatus;
import dev.ashlar.nativeio.LinuxFile;
import dev.ashlar.nativeio.OpenFlag;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Opens host files for both drivers of this module; they differ in the kind of file they take. */
final class HostFileOpener {
    private static final Set<String> OPTIONS = Set.of("filename", "locking", "aio");

    private final String driver;
    private final boolean wantsDevice;

    HostFileOpener(String driver, boolean wantsDevice) {
        this.driver = driver;
        this.wantsDevice = wantsDevice;
    }

    ProtocolInstance open(OpenRequest request) throws BlockException {
        Map<String, String> options = request.options();
        for (String option : options.keySet()) {
            if (!OPTIONS.contains(option)) {
                throw new BlockException(
                        Kind.INVALID, "Block protocol '" + driver + "' doesn't support the option '" + option + "'");
            }
        }
        String fileName = options.get("filename");
        if (fileName == null || fileName.isEmpty()) {
            throw new BlockException(Kind.INVALID, "The '" + driver + "' block driver requires a file name");
        }
        checkEngine(options.getOrDefault("aio", "threads"), request.has(Flag.DIRECT));
        boolean takesLocks = wantsLocks(options.get("locking")) && !request.has(Flag.FORCE_SHARE);
        boolean direct = request.has(Flag.DIRECT);
        OpenFlag access = request.has(Flag.READ_ONLY) ? OpenFlag.READ_ONLY : OpenFlag.READ_WRITE;
        LinuxFile data = openNamed(fileName, access, direct);
        LinuxFile buffered = data;
        try {
            FileStatus status = data.status();
            requireKind(status, fileName);
            if (access == OpenFlag.READ_WRITE) {
                requireWritable(data, status);
            }
            buffered = direct ? data.reopen(access) : data;
            return new HostFile(
                    data,
                    buffered,
                    status.isBlockDevice() ? new DeviceSpace(buffered) : new RegularFileSpace(buffered),
                    direct ? DirectAlignment.of(data, status) : DirectAlignment.NONE,
                    takesLocks ? new ProcessLocks(data) : null,
                    new FlushState(request.has(Flag.NO_FLUSH)),
                    request.has(Flag.UNMAP));
        } catch (ErrnoException e) {
            closeBoth(data, buffered);
            throw Failures.of(e);
        } catch (BlockException | RuntimeException | Error e) {
            closeBoth(data, buffered);
            throw e;
        }
    }

    private static void closeBoth(LinuxFile data, LinuxFile buffered) {
        buffered.close();
        data.close();
    }

    /** Who waits for the disk changes no result, but the kernel's own asynchronous I/O has never worked through its cache. */
    private static void checkEngine(String engine, boolean direct) throws BlockException {
        switch (engine) {
            case "threads", "io_uring" -> {}
            case "native" -> {
                if (!direct) {
                    throw new BlockException(
                            Kind.INVALID,
                            "aio=native was specified, but it requires cache.direct=on, which was not specified.");
                }
            }
            default -> throw new BlockException(Kind.INVALID, "invalid parameter value: " + engine);
        }
    }

    private boolean wantsLocks(@Nullable String locking) throws BlockException {
        return switch (locking == null ? "auto" : locking) {
            case "auto", "on" -> true;
            case "off" -> false;
            default -> throw new BlockException(Kind.INVALID, "invalid parameter value: " + locking);
        };
    }

    private static LinuxFile openNamed(String fileName, OpenFlag access, boolean direct) throws BlockException {
        List<OpenFlag> flags = new ArrayList<>(2);
        flags.add(access);
        if (direct) {
            flags.add(OpenFlag.DIRECT);
        }
        try {
            return LinuxFile.open(fileName, flags.toArray(OpenFlag[]::new));
        } catch (ErrnoException e) {
            if (direct && e.errno() == Errno.EINVAL) {
                throw new BlockException(
                        Kind.INVALID,
                        "Could not open '" + fileName + "': filesystem does not support O_DIRECT",
                        e.reason(),
                        e);
            }
            throw Failures.of("Could not open '" + fileName + "'", e);
        }
    }

    /** The kernel opens a read-only device for writing as well, and fails only what is written. */
    private static void requireWritable(LinuxFile file, FileStatus status) throws ErrnoException, BlockException {
        if (status.isBlockDevice() && BlockDevice.of(file).isReadOnly()) {
            throw new BlockException(Kind.PERMISSION, "The device is not writable: Permission denied");
        }
    }

    private void requireKind(FileStatus status, String fileName) throws BlockException {
        if (wantsDevice && !status.isBlockDevice()) {
            throw new BlockException(
                    Kind.INVALID, "'" + driver + "' driver requires '" + fileName + "' to be a block device");
        }
        if (!wantsDevice && !status.isRegularFile()) {
            throw new BlockException(
                    Kind.INVALID, "'" + driver + "' driver requires '" + fileName + "' to be a regular file");
        }
    }
}
