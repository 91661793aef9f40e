package dev.ashlar.drivers.file;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.Permission;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.CreateRequest;
import dev.ashlar.core.spi.DriverInstance;
import dev.ashlar.core.spi.DriverKind;
import dev.ashlar.core.spi.OpenRequest;
import dev.ashlar.core.spi.OptionDescriptor;
import dev.ashlar.core.spi.OptionDescriptor.Type;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.nativeio.ErrnoException;
import dev.ashlar.nativeio.FileStatus;
import dev.ashlar.nativeio.LinuxFile;
import dev.ashlar.nativeio.OpenFlag;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;

/** The protocol driver {@code host_device}: block devices. */
public final class HostDeviceDriver implements BlockDriver {
    static final List<OptionDescriptor> OPEN_OPTIONS = List.of(
            new OptionDescriptor("filename", Type.STRING, "File name of the image", null),
            new OptionDescriptor("locking", Type.STRING, "file locking mode (on/off/auto, default: auto)", "auto"),
            new OptionDescriptor(
                    "aio", Type.STRING, "accepted for compatibility: io_uring is used where it is allowed", null));

    private static final String NAME = "host_device";
    private static final int HEAD_BYTES = 512;

    /** For {@link java.util.ServiceLoader}. */
    public HostDeviceDriver() {}

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public DriverKind kind() {
        return DriverKind.PROTOCOL;
    }

    @Override
    public int probeFileName(String fileName) {
        try {
            return FileStatus.of(fileName).isBlockDevice() ? 100 : 0;
        } catch (ErrnoException | IllegalArgumentException e) {
            return 0;
        }
    }

    @Override
    public DriverInstance open(OpenRequest request) throws BlockException {
        return new HostFileOpener(NAME, true).open(request);
    }

    /** "Creates" an image on a device: checks the size, and wipes the head so that no old format is found there. */
    @Override
    public void create(CreateRequest request) throws BlockException {
        Map<String, String> options = request.options();
        String fileName = options.getOrDefault("filename", "");
        try (LinuxFile file = LinuxFile.open(fileName, OpenFlag.READ_WRITE)) {
            if (!file.status().isBlockDevice()) {
                throw new BlockException(
                        Kind.INVALID, "'" + NAME + "' driver requires '" + fileName + "' to be a block device");
            }
            ProcessLocks locks = new ProcessLocks(file);
            locks.update(EnumSet.of(Permission.WRITE, Permission.RESIZE), EnumSet.allOf(Permission.class));
            new DeviceSpace(file).truncate(RegularFileCreator.sizeBytes(options), Preallocation.OFF);
            ZeroWriter.write(file, 0, Math.min(HEAD_BYTES, file.check("lseek", file.length())));
            file.check("fdatasync", file.fdatasync());
            locks.release();
        } catch (ErrnoException e) {
            throw Failures.of("Could not open '" + fileName + "'", e);
        }
    }

    @Override
    public List<OptionDescriptor> createOptions() {
        return List.of(new OptionDescriptor("size", Type.SIZE, "Virtual disk size", null));
    }

    @Override
    public List<OptionDescriptor> openOptions() {
        return OPEN_OPTIONS;
    }
}
