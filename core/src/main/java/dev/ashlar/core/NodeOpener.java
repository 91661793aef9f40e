package dev.ashlar.core;

import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.request.FailStop;
import dev.ashlar.core.request.FilterLayer;
import dev.ashlar.core.request.FormatLayer;
import dev.ashlar.core.request.HeadGuard;
import dev.ashlar.core.request.Layer;
import dev.ashlar.core.request.LayerAccess;
import dev.ashlar.core.request.ProtocolLayer;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.DriverInstance;
import dev.ashlar.core.spi.DriverKind;
import dev.ashlar.core.spi.FilterInstance;
import dev.ashlar.core.spi.FormatInstance;
import dev.ashlar.core.spi.ImageReference;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.core.spi.ProtocolInstance;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Opens one image with all that belongs to it: the file, the format, files named inside, the backing chain. One object per call
 * of {@link BlockGraph#open}; what was opened before a failure is closed again.
 */
final class NodeOpener {
    /** Most nodes above one another, backing chains included. */
    private static final int MAX_NESTING = 4 * NamedFiles.MAX_CHAIN;

    private final BlockGraph graph;
    private final OpenOptions options;
    private final NamedFiles namedFiles;
    private final FormatProbe probe;

    /** Nodes that are being opened, each the child of the one before. */
    private int nesting;

    private boolean formatProbed;

    private NodeOpener(BlockGraph graph, OpenOptions options) {
        this.graph = graph;
        this.options = options;
        this.namedFiles = new NamedFiles(options);
        this.probe = new FormatProbe(graph.registry());
    }

    static BlockBackend openBackend(BlockGraph graph, @Nullable String fileName, OpenOptions options)
            throws BlockException {
        if (options.has(Flag.FORCE_SHARE) && !options.isReadOnly()) {
            throw new BlockException(Kind.INVALID, "force-share=on can only be used with read-only images");
        }
        NodeOpener opener = new NodeOpener(graph, options);
        BlockNode root = opener.open(topmost(fileName, options));
        ChildEdge edge = ChildEdge.ofUser(options.deviceName(), root);
        BlockBackend backend = new BlockBackend(graph, edge, opener.formatProbed);
        PermissionRules.ofBackend(edge, root.mode());
        boolean ready = false;
        try {
            graph.lifecycle().attach(backend, edge);
            ready = true;
        } finally {
            if (!ready) {
                graph.lifecycle().closeIfUnneeded(root);
            }
        }
        return backend;
    }

    /** @see BlockGraph#openNode */
    static BlockNode openOwned(BlockGraph graph, @Nullable String fileName, OpenOptions options) throws BlockException {
        NodeOpener opener = new NodeOpener(graph, options);
        BlockNode root = opener.open(topmost(fileName, options));
        graph.lifecycle().own(root);
        return root;
    }

    private static NodeSpec topmost(@Nullable String fileName, OpenOptions options) {
        boolean described = !options.driverOptions().isEmpty() && (fileName == null || fileName.isEmpty());
        return new NodeSpec(
                described ? null : fileName,
                options.format(),
                options.driverOptions(),
                options.nodeName(),
                options.isReadOnly(),
                options.has(Flag.UNMAP),
                0);
    }

    static String probeFormat(BlockGraph graph, String fileName) throws BlockException {
        OpenOptions reading = OpenOptions.readOnly();
        NodeOpener opener = new NodeOpener(graph, reading);
        BlockNode file = opener.openFile(new NodeSpec(fileName, null, Map.of(), null, true, true, 0));
        try {
            return opener.probe.probe(file).driver().name();
        } finally {
            graph.lifecycle().closeIfUnneeded(file);
        }
    }

    /** Opens a node of any kind; if the options do not name a driver, one is found by probing. */
    BlockNode open(NodeSpec given) throws BlockException {
        NodeSpec spec = withCommonOptions(given);
        if (spec.driver() != null) {
            return openDriver(graph.registry().require(spec.driver()), spec);
        }
        return openProbed(spec);
    }

    private NodeSpec withCommonOptions(NodeSpec given) throws BlockException {
        NodeSpec spec = given.withCommonOptions();
        return options.has(Flag.UNTRUSTED) ? spec.withReadOnly() : spec;
    }

    private BlockNode openDriver(BlockDriver driver, NodeSpec spec) throws BlockException {
        if (driver.kind() == DriverKind.PROTOCOL) {
            return openProtocol(driver, fileNameFor(driver, spec), spec);
        }
        if (++nesting > MAX_NESTING) {
            throw new BlockException(Kind.INVALID, "More than " + MAX_NESTING + " block nodes above one another");
        }
        try {
            String childName = driver.childNames().get(0);
            String given = spec.reference(childName);
            if (given != null) {
                return openOver(driver, graph.lookUp(given), spec, false);
            }
            if (spec.saysNothingOf(childName)) {
                throw new BlockException(Kind.INVALID, "A block device must be specified for \"" + childName + "\"");
            }
            NodeSpec child = spec.primary(childName);
            // A filter does not probe either: what it stands on is a bare file unless options say more.
            return openOver(driver, openFile(child), spec, false);
        } finally {
            nesting--;
        }
    }

    /** The name that a protocol is to open: empty where it needs none. */
    private static String fileNameFor(BlockDriver driver, NodeSpec spec) throws BlockException {
        String fileName = spec.protocolFileName();
        if (driver.needsFileName() && (fileName == null || fileName.isEmpty())) {
            throw new BlockException(Kind.INVALID, "The '" + driver.name() + "' block driver requires a file name");
        }
        return fileName == null ? "" : fileName;
    }

    private BlockNode openProbed(NodeSpec spec) throws BlockException {
        String given = spec.reference("file");
        if (given == null && spec.saysNothingOf("file")) {
            throw new BlockException(Kind.INVALID, "Must specify either driver or file");
        }
        BlockNode file = given == null ? openFile(spec.primary("file")) : graph.lookUp(given);
        DriverRegistry.Probed probed = null;
        try {
            probed = probe.probe(file);
            if (options.has(Flag.UNTRUSTED) && probed.guessed()) {
                probed = null;
                throw new BlockException(
                        Kind.CORRUPT,
                        "Could not determine image format: nothing in the file tells, and it is not trusted");
            }
        } finally {
            if (probed == null) {
                graph.lifecycle().closeIfUnneeded(file);
            }
        }
        formatProbed |= probed.guessed() && spec.chainDepth() == 0;
        return openOver(probed.driver(), file, spec, probed.guessed());
    }

    /** Opens a file: a bare one, unless its options name a driver or its name stands for more than a file. */
    private BlockNode openFile(NodeSpec given) throws BlockException {
        NodeSpec spec = withCommonOptions(given);
        if (spec.driver() != null) {
            return openDriver(graph.registry().require(spec.driver()), spec);
        }
        String fileName = spec.protocolFileName();
        if (fileName == null) {
            throw new BlockException(Kind.INVALID, "Must specify either driver or file");
        }
        String prefix = FileNames.protocolOf(fileName);
        BlockDriver named = prefix == null ? null : graph.registry().find(prefix);
        Map<String, String> parsed =
                named == null ? null : named.parseFileName(fileName).orElse(null);
        if (named != null && parsed != null) {
            return openDriver(named, spec.parsed(named.name(), parsed));
        }
        DriverRegistry.ProtocolChoice choice = graph.registry().protocolFor(fileName);
        return openProtocol(choice.driver(), choice.fileName(), spec);
    }

    private BlockNode openProtocol(BlockDriver driver, String fileName, NodeSpec spec) throws BlockException {
        String name = graph.lifecycle().reserveName(spec.nodeName());
        DriverInstance instance = null;
        try {
            Map<String, String> own = new HashMap<>(spec.ownOptions(driver, false));
            own.put("filename", fileName);
            EnumSet<Flag> flags = spec.flags(options.flags());
            OpenContext context =
                    new OpenContext(name, own, flags, null, null, graph.secrets(), graph.notices(), options.limits());
            instance = driver.open(context);
            if (!(instance instanceof ProtocolInstance protocol)) {
                throw new IllegalStateException("driver '" + driver.name() + "' opened no protocol");
            }
            Layer layer = new ProtocolLayer(name, spec.layerMode(flags), new FailStop(), protocol);
            String shownName = fileName.isEmpty() ? protocol.fileName() : FileNames.plain(fileName, driver);
            BlockNode node =
                    new BlockNode(graph, driver, shownName, layer, spec.permissionMode(flags), List.of(), null);
            node.rememberReopening(new DriverReopening(node, own, flags, options.limits()));
            graph.lifecycle().add(node);
            instance = null;
            return node;
        } finally {
            if (instance != null) {
                instance.close();
            }
            graph.lifecycle().releaseName(name);
        }
    }

    /** Opens a format or a filter over a file that is open; closes the file if that fails. */
    private BlockNode openOver(BlockDriver driver, BlockNode file, NodeSpec spec, boolean guessed)
            throws BlockException {
        List<ChildEdge> edges = new ArrayList<>(2);
        DriverInstance instance = null;
        String name = null;
        boolean done = false;
        Map<String, String> own = spec.ownOptions(driver, options.wantsBacking());
        try {
            ChildEdge fileEdge = attach(driver.childNames().get(0), driver.fileRoles(own), file, spec, edges);
            name = graph.lifecycle().reserveName(spec.nodeName());
            FailStop failStop = new FailStop();
            LayerAccess access = fileEdge.carry(new LayerAccess(file.layer(), file.fileName(), failStop));
            // Classes instead of lambdas on the way of every opening: the first lambda of a program costs milliseconds.
            OpenContext.References references = new OpenContext.References() {
                @Override
                public ChildAccess open(String childName, Set<ChildRole> roles, ImageReference reference)
                        throws BlockException {
                    BlockNode child = openReference(file.fileName(), childName, reference, spec);
                    return attach(childName, roles, child, spec, edges)
                            .carry(new LayerAccess(child.layer(), child.fileName(), failStop));
                }

                @Override
                public ChildAccess open(String childName, Set<ChildRole> roles) throws BlockException {
                    BlockNode child = openDescribed(driver, childName, spec);
                    return attach(childName, roles, child, spec, edges)
                            .carry(new LayerAccess(child.layer(), child.fileName(), failStop));
                }

                @Override
                public boolean describe(String childName) {
                    String given = spec.options().get(childName);
                    return (given != null && !given.isEmpty())
                            || !spec.options(childName).isEmpty();
                }
            };
            EnumSet<Flag> flags = spec.flags(options.flags());
            instance = driver.open(new OpenContext(
                    name, own, flags, access, references, graph.secrets(), graph.notices(), options.limits()));
            Layer layer = layerFor(instance, name, failStop, file, spec, flags, edges);
            layer.loadBitmaps();
            if (guessed && !spec.readOnly() && !fileEdge.has(ChildRole.METADATA)) {
                layer.guardHead(new HeadGuard(probe));
            }
            BlockNode node =
                    new BlockNode(graph, driver, file.fileName(), layer, spec.permissionMode(flags), edges, null);
            node.rememberReopening(new DriverReopening(node, own, flags, options.limits()));
            rememberBacking(node, spec);
            graph.lifecycle().add(node);
            done = true;
            return node;
        } finally {
            if (!done) {
                abandon(instance, file, edges);
            }
            if (name != null) {
                graph.lifecycle().releaseName(name);
            }
        }
    }

    /** Whether the node has the backing file that its image names, for {@link NodeDescription}. */
    private void rememberBacking(BlockNode node, NodeSpec spec) {
        boolean given = spec.options().containsKey("backing")
                || !spec.options("backing").isEmpty();
        if (node.backing().isPresent() && !given) {
            node.rememberImplicitBacking(node.backing().get());
        } else if (node.backing().isEmpty() && node.backingReference().isPresent() && !options.has(Flag.NO_IO)) {
            node.rememberSuppressedBacking();
        }
    }

    private Layer layerFor(
            DriverInstance instance,
            String name,
            FailStop failStop,
            BlockNode file,
            NodeSpec spec,
            EnumSet<Flag> flags,
            List<ChildEdge> edges)
            throws BlockException {
        if (instance instanceof FilterInstance filter) {
            return new FilterLayer(name, spec.layerMode(flags), failStop, filter, file.layer());
        }
        if (!(instance instanceof FormatInstance format)) {
            throw new IllegalStateException(
                    "not a format or filter: " + instance.getClass().getName());
        }
        Layer backing = null;
        ImageReference reference = format.backing().orElse(null);
        boolean described = !spec.options("backing").isEmpty();
        String given = spec.options().get("backing");
        // An empty name (null in JSON) says: without the backing file.
        boolean none = given != null && given.isEmpty();
        if (options.wantsBacking() && !none && (reference != null || given != null || described)) {
            BlockNode node = openBacking(file.fileName(), reference, spec);
            attach("backing", Set.of(ChildRole.COW), node, spec, edges);
            backing = node.layer();
        }
        return new FormatLayer(name, spec.layerMode(flags), failStop, format, backing);
    }

    /** @param reference what the image names; null where it names none, and options describe the backing file alone */
    private BlockNode openBacking(String imageFileName, @Nullable ImageReference reference, NodeSpec spec)
            throws BlockException {
        try {
            String given = spec.options().get("backing");
            if (given != null) {
                spec.withoutFileName().reference("backing");
                return graph.lookUp(given);
            }
            return open(namedFiles.backing(imageFileName, reference, spec));
        } catch (BlockException e) {
            throw new BlockException(e.kind(), "Could not open backing file: " + e.getMessage(), e.reason(), e);
        }
    }

    private BlockNode openReference(String imageFileName, String childName, ImageReference reference, NodeSpec spec)
            throws BlockException {
        ImageReference permitted = namedFiles.permit(imageFileName, childName, reference);
        NodeSpec child = spec.further(childName, permitted.fileName(), permitted.format());
        // Never probed: a guest writes these files from their first byte on.
        return permitted.format() == null ? openFile(child) : open(child);
    }

    /** Opens a further child that the options describe. */
    private BlockNode openDescribed(BlockDriver parent, String childName, NodeSpec spec) throws BlockException {
        if (!parent.childNames().contains(childName)) {
            throw new IllegalArgumentException(parent.name() + " has no child '" + childName + "'");
        }
        String given = spec.withoutFileName().reference(childName);
        if (given != null) {
            return graph.lookUp(given);
        }
        Map<String, String> described = spec.options(childName);
        if (described.isEmpty()) {
            throw new BlockException(Kind.INVALID, "A block device must be specified for \"" + childName + "\"");
        }
        NodeSpec child = spec.further(childName, null, null);
        return parent.kind() == DriverKind.FORMAT ? openFile(child) : open(child);
    }

    private ChildEdge attach(String name, Set<ChildRole> roles, BlockNode child, NodeSpec spec, List<ChildEdge> edges)
            throws BlockException {
        ChildEdge edge = new ChildEdge(name, roles, child);
        PermissionRules.ofChild(edge, spec.permissionMode(spec.flags(options.flags())), null);
        edges.add(edge);
        graph.lifecycle().attach(edge);
        return edge;
    }

    /** Closes what was opened before a failure, upper end first. Failures to close are of no interest then. */
    private void abandon(@Nullable DriverInstance instance, BlockNode file, List<ChildEdge> edges) {
        try {
            if (instance != null) {
                instance.close();
            }
        } catch (BlockException e) {
            // The failure that led here is the one to report.
        }
        for (int i = edges.size() - 1; i >= 0; i--) {
            try {
                graph.lifecycle().detach(edges.get(i));
            } catch (BlockException e) {
                // Likewise.
            }
        }
        try {
            graph.lifecycle().closeIfUnneeded(file);
        } catch (BlockException e) {
            // Likewise.
        }
    }
}
