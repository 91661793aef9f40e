package dev.ashlar.core;

import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.request.FailStop;
import dev.ashlar.core.request.FilterLayer;
import dev.ashlar.core.request.FormatLayer;
import dev.ashlar.core.request.HeadGuard;
import dev.ashlar.core.request.Layer;
import dev.ashlar.core.request.LayerAccess;
import dev.ashlar.core.request.LayerMode;
import dev.ashlar.core.request.Origin;
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
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
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
    /** Longest backing chain, the image itself included. */
    static final int MAX_CHAIN = 200;

    /** Most nodes above one another, backing chains included. */
    private static final int MAX_NESTING = 4 * MAX_CHAIN;

    private final BlockGraph graph;
    private final OpenOptions options;
    /** Identities of the files in the chain from the image down to the one being opened. */
    private final List<Object> chain = new ArrayList<>();

    /** Nodes that are being opened, each the child of the one before. */
    private int nesting;

    private boolean formatProbed;

    private NodeOpener(BlockGraph graph, OpenOptions options) {
        this.graph = graph;
        this.options = options;
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
            graph.attachBackend(backend, edge);
            ready = true;
        } finally {
            if (!ready) {
                graph.closeIfUnneeded(root);
            }
        }
        return backend;
    }

    /** @see BlockGraph#openNode */
    static BlockNode openOwned(BlockGraph graph, @Nullable String fileName, OpenOptions options) throws BlockException {
        NodeOpener opener = new NodeOpener(graph, options);
        BlockNode root = opener.open(topmost(fileName, options));
        graph.own(root);
        return root;
    }

    private static NodeSpec topmost(@Nullable String fileName, OpenOptions options) {
        return new NodeSpec(
                fileName,
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
        BlockNode file = opener.openFile(new NodeSpec(fileName, null, Map.of(), null, true, true, 0), "file");
        try {
            return opener.probe(file).driver().name();
        } finally {
            graph.closeIfUnneeded(file);
        }
    }

    /** Opens a node of any kind; if the options do not name a driver, one is found by probing. */
    BlockNode open(NodeSpec given) throws BlockException {
        NodeSpec spec = given.withCommonOptions();
        if (spec.driver() != null) {
            return openDriver(graph.registry().require(spec.driver()), spec, true);
        }
        return openProbed(spec);
    }

    /** @param probing whether a filter's child is probed as the filter itself would have been */
    private BlockNode openDriver(BlockDriver driver, NodeSpec spec, boolean probing) throws BlockException {
        if (driver.kind() == DriverKind.PROTOCOL) {
            String fileName = spec.fileName();
            return openProtocol(
                    driver, fileName == null && !driver.needsFileName() ? "" : spec.requireFileName("file"), spec);
        }
        if (++nesting > MAX_NESTING) {
            throw new BlockException(Kind.INVALID, "More than " + MAX_NESTING + " block nodes above one another");
        }
        try {
            String childName = driver.childNames().get(0);
            String given = spec.options().get(childName);
            if (given != null && !given.isEmpty()) {
                return openOver(driver, graph.lookUp(given), spec, false);
            }
            NodeSpec child = spec.primary(childName);
            boolean probed = probing && driver.kind() == DriverKind.FILTER;
            return openOver(driver, probed ? open(child) : openFile(child, childName), spec, false);
        } finally {
            nesting--;
        }
    }

    private BlockNode openProbed(NodeSpec spec) throws BlockException {
        BlockNode file = openFile(spec.primary("file"), "file");
        DriverRegistry.Probed probed = null;
        try {
            probed = probe(file);
            if (options.has(Flag.UNTRUSTED) && probed.guessed()) {
                probed = null;
                throw new BlockException(
                        Kind.CORRUPT,
                        "Could not determine image format: nothing in the file tells, and it is not trusted");
            }
        } finally {
            if (probed == null) {
                graph.closeIfUnneeded(file);
            }
        }
        formatProbed |= probed.guessed() && spec.chainDepth() == 0;
        return openOver(probed.driver(), file, spec, probed.guessed());
    }

    /** Opens a file: a bare one, unless its options name a driver or its name stands for more than a file. */
    private BlockNode openFile(NodeSpec given, String edgeName) throws BlockException {
        NodeSpec spec = given.withCommonOptions();
        if (spec.driver() != null) {
            return openDriver(graph.registry().require(spec.driver()), spec, false);
        }
        String fileName = spec.requireFileName(edgeName);
        String prefix = FileNames.protocolOf(fileName);
        BlockDriver named = prefix == null ? null : graph.registry().find(prefix);
        Map<String, String> parsed =
                named == null ? null : named.parseFileName(fileName).orElse(null);
        if (named != null && parsed != null) {
            return openDriver(named, spec.parsed(named.name(), parsed), false);
        }
        DriverRegistry.ProtocolChoice choice = graph.registry().protocolFor(fileName);
        return openProtocol(choice.driver(), choice.fileName(), spec);
    }

    private BlockNode openProtocol(BlockDriver driver, String fileName, NodeSpec spec) throws BlockException {
        String name = graph.reserveName(spec.nodeName());
        DriverInstance instance = null;
        try {
            Map<String, String> own = new HashMap<>(spec.ownOptions(driver));
            own.put("filename", fileName);
            OpenContext context = new OpenContext(name, own, flags(spec), null, null);
            instance = driver.open(context);
            if (!(instance instanceof ProtocolInstance protocol)) {
                throw new IllegalStateException("driver '" + driver.name() + "' opened no protocol");
            }
            Layer layer = new ProtocolLayer(name, layerMode(spec), new FailStop(), protocol);
            String shownName = fileName.isEmpty() ? protocol.fileName() : fileName;
            BlockNode node = new BlockNode(graph, driver, shownName, layer, mode(spec), List.of(), null);
            node.rememberReopening(new DriverReopening(node, own, flags(spec)));
            graph.add(node);
            instance = null;
            return node;
        } finally {
            if (instance != null) {
                instance.close();
            }
            graph.releaseName(name);
        }
    }

    /** Opens a format or a filter over a file that is open; closes the file if that fails. */
    private BlockNode openOver(BlockDriver driver, BlockNode file, NodeSpec spec, boolean guessed)
            throws BlockException {
        List<ChildEdge> edges = new ArrayList<>(2);
        DriverInstance instance = null;
        String name = null;
        boolean done = false;
        Map<String, String> own = spec.ownOptions(driver);
        try {
            ChildEdge fileEdge = attach(driver.childNames().get(0), driver.fileRoles(own), file, spec, edges);
            name = graph.reserveName(spec.nodeName());
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
            };
            instance = driver.open(new OpenContext(name, own, flags(spec), access, references));
            Layer layer = layerFor(instance, name, failStop, file, spec, edges);
            layer.loadBitmaps();
            if (guessed && !spec.readOnly() && !fileEdge.has(ChildRole.METADATA)) {
                layer.guardHead(new HeadGuard(this::refuseImage));
            }
            BlockNode node = new BlockNode(graph, driver, file.fileName(), layer, mode(spec), edges, null);
            node.rememberReopening(new DriverReopening(node, own, flags(spec)));
            graph.add(node);
            done = true;
            return node;
        } finally {
            if (!done) {
                abandon(instance, file, edges);
            }
            if (name != null) {
                graph.releaseName(name);
            }
        }
    }

    private Layer layerFor(
            DriverInstance instance,
            String name,
            FailStop failStop,
            BlockNode file,
            NodeSpec spec,
            List<ChildEdge> edges)
            throws BlockException {
        if (instance instanceof FilterInstance filter) {
            return new FilterLayer(name, layerMode(spec), failStop, filter, file.layer());
        }
        if (!(instance instanceof FormatInstance format)) {
            throw new IllegalStateException(
                    "not a format or filter: " + instance.getClass().getName());
        }
        Layer backing = null;
        ImageReference reference = format.backing().orElse(null);
        String given = spec.options().get("backing");
        if (given != null && !given.isEmpty()) {
            BlockNode node = graph.lookUp(given);
            attach("backing", Set.of(ChildRole.COW), node, spec, edges);
            return new FormatLayer(name, layerMode(spec), failStop, format, node.layer());
        }
        // An empty name (null in JSON) says: without the backing file.
        if (reference != null && given == null && options.wantsBacking()) {
            BlockNode node = openBacking(file.fileName(), reference, spec);
            attach("backing", Set.of(ChildRole.COW), node, spec, edges);
            backing = node.layer();
        }
        return new FormatLayer(name, layerMode(spec), failStop, format, backing);
    }

    private BlockNode openBacking(String imageFileName, ImageReference named, NodeSpec spec) throws BlockException {
        ImageReference reference = permit(imageFileName, "backing file", named);
        if (spec.chainDepth() + 1 >= MAX_CHAIN) {
            throw new BlockException(
                    Kind.CORRUPT,
                    "Backing chain is longer than " + MAX_CHAIN + " images at '" + FileNames.escape(imageFileName)
                            + "'");
        }
        String fileName = FileNames.resolve(imageFileName, reference.fileName());
        while (chain.size() > spec.chainDepth()) {
            chain.remove(chain.size() - 1);
        }
        chain.add(FileNames.identity(imageFileName));
        if (chain.contains(FileNames.identity(fileName))) {
            throw new BlockException(
                    Kind.CORRUPT,
                    "Backing file '" + FileNames.escape(fileName) + "' is already part of the backing chain");
        }
        NodeSpec below = new NodeSpec(
                fileName, reference.format(), spec.options("backing"), null, true, true, spec.chainDepth() + 1);
        try {
            return open(below);
        } catch (BlockException e) {
            throw new BlockException(e.kind(), "Could not open backing file: " + e.getMessage(), e.reason(), e);
        }
    }

    private BlockNode openReference(String imageFileName, String childName, ImageReference named, NodeSpec spec)
            throws BlockException {
        ImageReference reference = permit(imageFileName, childName, named);
        String fileName = FileNames.resolve(imageFileName, reference.fileName());
        NodeSpec child = new NodeSpec(
                fileName, reference.format(), spec.options(childName), null, spec.readOnly(), true, spec.chainDepth());
        // Never probed: a guest writes these files from their first byte on.
        return reference.format() == null ? openFile(child, childName) : open(child);
    }

    /** Asks the gate; whatever it says, an image that is not trusted names plain paths only. */
    private ImageReference permit(String imageFileName, String childName, ImageReference named) throws BlockException {
        ImageReference reference = options.gate().permit(imageFileName, childName, named);
        if (options.has(Flag.UNTRUSTED) && FileNames.protocolOf(reference.fileName()) != null) {
            throw new BlockException(
                    Kind.PERMISSION,
                    "Image '" + FileNames.escape(imageFileName) + "' is not trusted, and its " + childName + " '"
                            + FileNames.escape(reference.fileName()) + "' is not a plain path");
        }
        return reference;
    }

    /** Opens a further child that the options describe. */
    private BlockNode openDescribed(BlockDriver parent, String childName, NodeSpec spec) throws BlockException {
        if (!parent.childNames().contains(childName)) {
            throw new IllegalArgumentException(parent.name() + " has no child '" + childName + "'");
        }
        String given = spec.options().get(childName);
        if (given != null && !given.isEmpty()) {
            return graph.lookUp(given);
        }
        Map<String, String> described = spec.options(childName);
        if (described.isEmpty()) {
            throw new BlockException(Kind.INVALID, "A block device must be specified for \"" + childName + "\"");
        }
        NodeSpec child = new NodeSpec(null, null, described, null, spec.readOnly(), true, spec.chainDepth());
        return parent.kind() == DriverKind.FORMAT ? openFile(child, childName) : open(child);
    }

    private ChildEdge attach(String name, Set<ChildRole> roles, BlockNode child, NodeSpec spec, List<ChildEdge> edges)
            throws BlockException {
        ChildEdge edge = new ChildEdge(name, roles, child);
        PermissionRules.ofChild(edge, mode(spec), null);
        edges.add(edge);
        graph.attach(edge);
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
                graph.detach(edges.get(i));
            } catch (BlockException e) {
                // Likewise.
            }
        }
        try {
            graph.closeIfUnneeded(file);
        } catch (BlockException e) {
            // Likewise.
        }
    }

    private DriverRegistry.Probed probe(BlockNode file) throws BlockException {
        long length = Math.min(HeadGuard.HEAD_BYTES, file.layer().lengthBytes());
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment head = arena.allocate(Math.max(1, length));
            if (length > 0) {
                file.layer().read(0, head, Origin.PARENT);
            }
            return graph.registry().probe(head.asSlice(0, length).asReadOnly());
        }
    }

    private void refuseImage(MemorySegment head) throws BlockException {
        DriverRegistry.Probed probed = graph.registry().probe(head.asReadOnly());
        if (!probed.guessed()) {
            throw new BlockException(
                    Kind.PERMISSION,
                    "Write would make a raw disk whose format was probed look like a "
                            + probed.driver().name() + " image",
                    "Operation not permitted",
                    null);
        }
    }

    private EnumSet<Flag> flags(NodeSpec spec) {
        EnumSet<Flag> flags = EnumSet.copyOf(options.flags());
        set(flags, Flag.READ_ONLY, spec.readOnly());
        set(flags, Flag.UNMAP, spec.unmap());
        set(flags, Flag.DIRECT, spec.flag("cache.direct", flags.contains(Flag.DIRECT)));
        set(flags, Flag.NO_FLUSH, spec.flag("cache.no-flush", flags.contains(Flag.NO_FLUSH)));
        set(flags, Flag.FORCE_SHARE, spec.flag("force-share", flags.contains(Flag.FORCE_SHARE)));
        return flags;
    }

    private static void set(EnumSet<Flag> flags, Flag flag, boolean on) {
        if (on) {
            flags.add(flag);
        } else {
            flags.remove(flag);
        }
    }

    private LayerMode layerMode(NodeSpec spec) {
        EnumSet<Flag> flags = flags(spec);
        return new LayerMode(spec.readOnly(), flags.contains(Flag.NO_FLUSH), spec.unmap());
    }

    private PermissionRules.Mode mode(NodeSpec spec) {
        EnumSet<Flag> flags = flags(spec);
        return new PermissionRules.Mode(!spec.readOnly(), flags.contains(Flag.NO_IO), flags.contains(Flag.FORCE_SHARE));
    }
}
