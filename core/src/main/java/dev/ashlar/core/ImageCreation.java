package dev.ashlar.core;

import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.request.FailStop;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.CreateRequest;
import dev.ashlar.core.spi.DriverKind;
import dev.ashlar.core.spi.OptionDescriptor;
import dev.ashlar.core.spi.PrintableName;
import dev.ashlar.core.spi.SecretSource;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** One call of {@link BlockGraph#createImage}: first an empty file, then what makes it an image, then its name for good. */
final class ImageCreation {
    private final BlockGraph graph;
    private final String fileName;
    private final String format;
    private final Map<String, String> options;

    ImageCreation(BlockGraph graph, String fileName, String format, Map<String, String> options) {
        this.graph = graph;
        this.fileName = fileName;
        this.format = format;
        this.options = Map.copyOf(options);
    }

    void run() throws BlockException {
        BlockDriver driver = requireSupport(graph.registry(), fileName, format);
        DriverRegistry.ProtocolChoice choice = graph.registry().protocolFor(fileName);
        BlockDriver protocol = choice.driver();
        boolean bare = driver.kind() == DriverKind.PROTOCOL;
        Map<String, String> ofProtocol = new HashMap<>();
        Map<String, String> ofFormat = new HashMap<>();
        for (Map.Entry<String, String> option : options.entrySet()) {
            String name = option.getKey();
            boolean forFormat = knows(driver, name);
            boolean forProtocol = knows(protocol, name);
            if (!forFormat && !forProtocol && !name.equals("size")) {
                throw new BlockException(Kind.INVALID, "Invalid parameter '" + PrintableName.of(name) + "'");
            }
            if (bare || (forProtocol && !forFormat)) {
                ofProtocol.put(name, option.getValue());
            } else {
                ofFormat.put(name, option.getValue());
            }
        }
        if (!bare) {
            driver.validateCreate(Map.copyOf(ofFormat));
        }
        List<NewFile> files = new ArrayList<>(1);
        boolean done = false;
        try {
            files.add(NewFile.create(graph, choice, ofProtocol, bare));
            if (!bare) {
                fill(driver, Map.copyOf(ofFormat), files);
            }
            for (int i = files.size() - 1; i >= 0; i--) {
                files.get(i).finish();
            }
            done = true;
        } finally {
            closeAll(files, done, !done && !bare);
        }
    }

    /**
     * The format's driver, if it and the protocol of a name can create anything.
     *
     * @param fileName null: only the format counts
     */
    static BlockDriver requireSupport(DriverRegistry registry, @Nullable String fileName, String format)
            throws BlockException {
        BlockDriver driver = registry.find(format);
        if (driver == null) {
            throw new BlockException(Kind.INVALID, "Unknown file format '" + PrintableName.of(format) + "'");
        }
        BlockDriver filter = fileName == null ? null : registry.filterNamedBy(fileName);
        BlockDriver protocol = filter;
        if (fileName != null && filter == null) {
            protocol = registry.protocolFor(fileName).driver();
        }
        if (driver.createOptions().isEmpty()) {
            throw new BlockException(
                    Kind.UNSUPPORTED, "Format driver '" + driver.name() + "' does not support image creation");
        }
        if (protocol != null && protocol.createOptions().isEmpty()) {
            throw new BlockException(
                    Kind.UNSUPPORTED, "Protocol driver '" + protocol.name() + "' does not support image creation");
        }
        return driver;
    }

    private void fill(BlockDriver driver, Map<String, String> formatOptions, List<NewFile> files)
            throws BlockException {
        FailStop failStop = new FailStop();
        FurtherFiles further = new FurtherFiles() {
            @Override
            public ChildAccess create(String name, long sizeBytes) throws BlockException {
                NewFile file = NewFile.create(
                        graph, graph.registry().protocolFor(name), Map.of("size", Long.toString(sizeBytes)), false);
                files.add(file);
                // its name is durable before the image says it
                file.finish();
                return file.access(failStop);
            }
        };
        driver.create(new Request(formatOptions, files.get(0).access(failStop), further, graph.secrets()));
        failStop.check();
    }

    private static void closeAll(List<NewFile> files, boolean report, boolean delete) throws BlockException {
        BlockException failure = null;
        for (int i = files.size() - 1; i >= 0; i--) {
            try {
                files.get(i).close(report);
            } catch (BlockException e) {
                failure = e;
            }
            if (delete) {
                files.get(i).delete();
            }
        }
        if (failure != null) {
            throw failure;
        }
    }

    private static boolean knows(BlockDriver driver, String option) {
        for (OptionDescriptor descriptor : driver.createOptions()) {
            if (descriptor.name().equals(option)) {
                return true;
            }
        }
        return false;
    }

    /** Makes files that a new image needs beside its own. */
    interface FurtherFiles {
        ChildAccess create(String name, long sizeBytes) throws BlockException;
    }

    /** What the drivers are told. */
    record Request(
            Map<String, String> options,
            @Nullable ChildAccess child,
            @Nullable FurtherFiles further,
            SecretSource secrets)
            implements CreateRequest {
        @Override
        public byte[] secret(String id) throws BlockException {
            return secrets.secret(id);
        }

        @Override
        public ChildAccess file() {
            if (child == null) {
                throw new IllegalStateException("a protocol has no file child");
            }
            return child;
        }

        @Override
        public ChildAccess createFile(String name, long sizeBytes) throws BlockException {
            if (further == null) {
                throw new IllegalStateException("a protocol makes one file");
            }
            return further.create(name, sizeBytes);
        }
    }
}
