package dev.ashlar.core;

import dev.ashlar.core.request.FailStop;
import dev.ashlar.core.request.LayerAccess;
import dev.ashlar.core.request.LayerMode;
import dev.ashlar.core.request.ProtocolLayer;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.core.spi.ProtocolInstance;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.Map;

/** A file that an image is being made of: there already, but removed again unless {@link #finish} is reached. */
final class NewFile {
    private final BlockGraph graph;
    private final BlockDriver protocol;
    private final String plainName;
    private final String nodeName;
    private final ProtocolInstance instance;
    private final ProtocolLayer layer;
    private boolean isDurable;

    private NewFile(
            BlockGraph graph, BlockDriver protocol, String plainName, String nodeName, ProtocolInstance instance)
            throws BlockException {
        this.graph = graph;
        this.protocol = protocol;
        this.plainName = plainName;
        this.nodeName = nodeName;
        this.instance = instance;
        this.layer = new ProtocolLayer(nodeName, new LayerMode(false, false, true), new FailStop(), instance);
    }

    /**
     * Makes the file and opens it.
     *
     * @param options of the protocol driver; {@code filename} is put to them
     * @param keepWhenUnopened the file stays where it was made but can't be opened
     */
    static NewFile create(
            BlockGraph graph,
            DriverRegistry.ProtocolChoice choice,
            Map<String, String> options,
            boolean keepWhenUnopened)
            throws BlockException {
        BlockDriver protocol = choice.driver();
        Map<String, String> all = new HashMap<>(options);
        all.put("filename", choice.fileName());
        all.putIfAbsent("size", "0");
        protocol.create(new ImageCreation.Request(Map.copyOf(all), null, null, graph.secrets()));
        String nodeName = graph.lifecycle().reserveName(null);
        ProtocolInstance instance = null;
        try {
            OpenContext context = new OpenContext(
                    nodeName,
                    Map.of("filename", choice.fileName()),
                    EnumSet.of(Flag.UNMAP),
                    null,
                    null,
                    graph.secrets(),
                    graph.notices(),
                    ImageLimits.NONE);
            if (!(protocol.open(context) instanceof ProtocolInstance opened)) {
                throw new IllegalStateException("driver '" + protocol.name() + "' opened no protocol");
            }
            instance = opened;
            instance.updatePermissions(
                    EnumSet.of(Permission.CONSISTENT_READ, Permission.WRITE, Permission.RESIZE),
                    EnumSet.of(Permission.CONSISTENT_READ, Permission.WRITE_UNCHANGED));
            return new NewFile(graph, protocol, choice.fileName(), nodeName, instance);
        } catch (BlockException | RuntimeException e) {
            if (instance != null) {
                close(instance, false);
            }
            if (!keepWhenUnopened) {
                protocol.delete(choice.fileName());
            }
            graph.lifecycle().releaseName(nodeName);
            throw e;
        }
    }

    /** The file as the driver of the image sees it. */
    LayerAccess access(FailStop failStop) {
        return new LayerAccess(layer, plainName, failStop);
    }

    /** Content and name are durable from here on. */
    void finish() throws BlockException {
        instance.flush();
        instance.syncName();
        isDurable = true;
    }

    /** @param report failures are to be reported: nothing failed before */
    void close(boolean report) throws BlockException {
        assert isDurable || !report : "R8: content and name of " + plainName + " are not durable";
        graph.lifecycle().releaseName(nodeName);
        close(instance, report);
    }

    /** After the image could not be made. */
    void delete() {
        protocol.delete(plainName);
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
}
