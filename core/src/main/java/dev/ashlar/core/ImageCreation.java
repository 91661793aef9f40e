package dev.ashlar.core;

import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.request.FailStop;
import dev.ashlar.core.request.LayerAccess;
import dev.ashlar.core.request.LayerMode;
import dev.ashlar.core.request.ProtocolLayer;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.CreateRequest;
import dev.ashlar.core.spi.DriverKind;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.core.spi.OptionDescriptor;
import dev.ashlar.core.spi.ProtocolInstance;
import dev.ashlar.core.spi.SecretSource;
import java.util.EnumSet;
import java.util.HashMap;
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
        BlockDriver driver = graph.registry().find(format);
        if (driver == null || driver.kind() == DriverKind.FILTER) {
            throw new BlockException(Kind.INVALID, "Unknown file format '" + FileNames.escape(format) + "'");
        }
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
                throw new BlockException(Kind.INVALID, "Invalid parameter '" + FileNames.escape(name) + "'");
            }
            if (bare || (forProtocol && !forFormat)) {
                ofProtocol.put(name, option.getValue());
            } else {
                ofFormat.put(name, option.getValue());
            }
        }
        ofProtocol.put("filename", choice.fileName());
        ofProtocol.putIfAbsent("size", "0");
        if (!bare) {
            driver.validateCreate(Map.copyOf(ofFormat));
        }
        protocol.create(new Request(Map.copyOf(ofProtocol), null, graph.secrets()));
        String nodeName = graph.reserveName(null);
        boolean done = false;
        try {
            fill(driver, protocol, nodeName, bare ? null : Map.copyOf(ofFormat), choice.fileName());
            done = true;
        } finally {
            if (!done && !bare) {
                protocol.delete(choice.fileName());
            }
            graph.releaseName(nodeName);
        }
    }

    private void fill(
            BlockDriver driver,
            BlockDriver protocol,
            String nodeName,
            @Nullable Map<String, String> formatOptions,
            String plainName)
            throws BlockException {
        OpenContext context = new OpenContext(
                nodeName,
                Map.of("filename", plainName),
                EnumSet.of(Flag.UNMAP),
                null,
                null,
                graph.secrets(),
                graph.notices(),
                ImageLimits.NONE);
        if (!(protocol.open(context) instanceof ProtocolInstance instance)) {
            throw new IllegalStateException("driver '" + protocol.name() + "' opened no protocol");
        }
        boolean done = false;
        try {
            instance.updatePermissions(
                    EnumSet.of(Permission.CONSISTENT_READ, Permission.WRITE, Permission.RESIZE),
                    EnumSet.of(Permission.CONSISTENT_READ, Permission.WRITE_UNCHANGED));
            if (formatOptions != null) {
                FailStop failStop = new FailStop();
                LayerMode mode = new LayerMode(false, false, true);
                ProtocolLayer layer = new ProtocolLayer(nodeName, mode, new FailStop(), instance);
                driver.create(new Request(formatOptions, new LayerAccess(layer, plainName, failStop), graph.secrets()));
                failStop.check();
            }
            instance.flush();
            instance.syncName();
            done = true;
        } finally {
            close(instance, done);
        }
    }

    private static void close(ProtocolInstance instance, boolean report) throws BlockException {
        try {
            instance.close();
        } catch (BlockException e) {
            if (report) {
                throw e;
            }
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

    /** What the drivers are told. */
    private record Request(
            Map<String, String> options, @Nullable ChildAccess child, SecretSource secrets) implements CreateRequest {
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
    }
}
