package dev.ashlar.testkit.protocol;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.CreateRequest;
import dev.ashlar.core.spi.DriverInstance;
import dev.ashlar.core.spi.DriverKind;
import dev.ashlar.core.spi.OpenRequest;
import dev.ashlar.core.spi.OptionDescriptor;
import dev.ashlar.core.spi.ProtocolInstance;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import java.util.function.UnaryOperator;

/**
 * Opens {@link MemoryFile}s by name, as {@code NAME} or {@code memory:NAME}. Each instance of this driver has files of its own.
 */
public final class MemoryDriver implements BlockDriver {
    private static final String PREFIX = "memory:";

    private final Map<String, MemoryFile> files = new ConcurrentHashMap<>();
    private final Function<String, MemoryFile> factory;
    private final UnaryOperator<ProtocolInstance> wrapper;

    /** New files live in plain memory and open unwrapped. */
    public MemoryDriver() {
        this(MemoryFile::empty, UnaryOperator.identity());
    }

    /**
     * @param factory makes the file when an image is created
     * @param wrapper applied to each instance that is opened, for instance to record it
     */
    public MemoryDriver(Function<String, MemoryFile> factory, UnaryOperator<ProtocolInstance> wrapper) {
        this.factory = Objects.requireNonNull(factory, "factory");
        this.wrapper = Objects.requireNonNull(wrapper, "wrapper");
    }

    /** Adds or replaces a file under its name. */
    public MemoryDriver put(MemoryFile file) {
        files.put(file.name(), file);
        return this;
    }

    /** @throws IllegalArgumentException when there is none */
    public MemoryFile file(String name) {
        MemoryFile file = files.get(name);
        if (file == null) {
            throw new IllegalArgumentException("no file " + name);
        }
        return file;
    }

    @Override
    public String name() {
        return "memory";
    }

    @Override
    public DriverKind kind() {
        return DriverKind.PROTOCOL;
    }

    @Override
    public int probeFileName(String fileName) {
        return fileName.startsWith(PREFIX) || files.containsKey(fileName) ? 100 : 1;
    }

    @Override
    public DriverInstance open(OpenRequest request) throws BlockException {
        String name = plainName(request.options());
        MemoryFile file = files.get(name);
        if (file == null) {
            throw new BlockException(Kind.NOT_FOUND, "Could not open '" + name + "': " + Kind.NOT_FOUND.reason());
        }
        return wrapper.apply(new MemoryProtocol(file, request.has(OpenRequest.Flag.READ_ONLY)));
    }

    @Override
    public void create(CreateRequest request) throws BlockException {
        MemoryFile file = files.computeIfAbsent(plainName(request.options()), factory);
        file.truncate(0);
        file.truncate(Long.parseLong(request.options().getOrDefault("size", "0")));
    }

    @Override
    public List<OptionDescriptor> createOptions() {
        return List.of(new OptionDescriptor("size", OptionDescriptor.Type.SIZE, "File size", null));
    }

    private static String plainName(Map<String, String> options) {
        String name = options.getOrDefault("filename", "");
        return name.startsWith(PREFIX) ? name.substring(PREFIX.length()) : name;
    }
}
