package dev.ashlar.core.filter;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.DriverInstance;
import dev.ashlar.core.spi.DriverKind;
import dev.ashlar.core.spi.OpenRequest;
import dev.ashlar.core.spi.OptionDescriptor;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Protocol {@code null-co}: a disk that forgets what is written and, unless {@code read-zeroes} is on, leaves buffers as they are when
 * read. Options {@code size} (1 GiB), {@code latency-ns}, {@code read-zeroes}. {@link NullAioDriver} is the same under QEMU's other name:
 * here both block and both have queues.
 */
public class NullDriver implements BlockDriver {
    private final String name;

    public NullDriver() {
        this("null-co");
    }

    NullDriver(String name) {
        this.name = name;
    }

    @Override
    public final String name() {
        return name;
    }

    @Override
    public final DriverKind kind() {
        return DriverKind.PROTOCOL;
    }

    @Override
    public final boolean needsFileName() {
        return false;
    }

    @Override
    public final int probeFileName(String fileName) {
        return fileName.startsWith(name + ":") ? 100 : 0;
    }

    @Override
    public final List<String> strongOptions() {
        return List.of("size", "read-zeroes");
    }

    @Override
    public final @Nullable String plainFileName(
            Map<String, Object> options, Map<String, @Nullable String> childFileNames) {
        return options.size() == 1 ? name + "://" : null;
    }

    @Override
    public final DriverInstance open(OpenRequest request) throws BlockException {
        Map<String, String> given = new HashMap<>(request.options());
        String fileName = given.remove("filename");
        String expected = name + "://";
        if (fileName != null && !fileName.isEmpty() && !fileName.equals(expected)) {
            throw new BlockException(Kind.INVALID, "The only allowed filename for this driver is '" + expected + "'");
        }
        if (given.getOrDefault("latency-ns", "").startsWith("-")) {
            throw new BlockException(Kind.INVALID, "latency-ns is invalid");
        }
        FilterOptions options = new FilterOptions(given, "Block protocol '" + name + "' doesn't support");
        long size = options.size("size", 1 << 30);
        long latency = options.size("latency-ns", 0);
        boolean zeroes = options.flag("read-zeroes", false);
        options.refuseRest();
        return new NullDisk(expected, size, latency, zeroes);
    }

    @Override
    public final List<OptionDescriptor> openOptions() {
        return List.of(
                new OptionDescriptor("size", OptionDescriptor.Type.SIZE, "size of the null block", "1G"),
                new OptionDescriptor(
                        "latency-ns",
                        OptionDescriptor.Type.NUMBER,
                        "nanoseconds (approximated) to wait before completing request",
                        "0"),
                new OptionDescriptor("read-zeroes", OptionDescriptor.Type.BOOLEAN, "return zeroes when read", "off"));
    }
}
