package dev.ashlar.drivers.file;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.CreateRequest;
import dev.ashlar.core.spi.DriverInstance;
import dev.ashlar.core.spi.DriverKind;
import dev.ashlar.core.spi.OpenRequest;
import dev.ashlar.core.spi.OptionDescriptor;
import dev.ashlar.core.spi.OptionDescriptor.Type;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** The protocol driver {@code file}: regular files. */
public final class FileDriver implements BlockDriver {
    private static final String NAME = "file";

    /** For {@link java.util.ServiceLoader}. */
    public FileDriver() {}

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
        return 50;
    }

    @Override
    public DriverInstance open(OpenRequest request) throws BlockException {
        return new HostFileOpener(NAME, false).open(request);
    }

    @Override
    public void create(CreateRequest request) throws BlockException {
        RegularFileCreator.create(request.options());
    }

    @Override
    public void delete(String fileName) {
        try {
            Path path = Path.of(fileName);
            // Creation made no device node, pipe or folder: what is there of that kind was there before.
            if (Files.isRegularFile(path)) {
                Files.deleteIfExists(path);
            }
        } catch (IOException e) {
            // what could not be created is reported; that some of it is left is not worth a second line
            return;
        }
    }

    @Override
    public List<OptionDescriptor> createOptions() {
        return List.of(
                new OptionDescriptor("size", Type.SIZE, "Virtual disk size", null),
                new OptionDescriptor(
                        "preallocation", Type.STRING, "Preallocation mode (allowed values: off, falloc, full)", null));
    }

    @Override
    public List<OptionDescriptor> openOptions() {
        return HostDeviceDriver.OPEN_OPTIONS;
    }
}
