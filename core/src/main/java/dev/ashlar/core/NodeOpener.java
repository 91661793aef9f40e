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
            return opener.probe(file).driver().name();
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
            probed = probe(file);
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
            OpenContext context = new OpenContext(
                    name, own, flags(spec), null, null, graph.secrets(), graph.notices(), options.limits());
            instance = driver.open(context);
            if (!(instance instanceof ProtocolInstance protocol)) {
                throw new IllegalStateException("driver '" + driver.name() + "' opened no protocol");
            }
            Layer layer = new ProtocolLayer(name, layerMode(spec), new FailStop(), protocol);
            String shownName = fileName.isEmpty() ? protocol.fileName() : FileNames.plain(fileName, driver);
            BlockNode node = new BlockNode(graph, driver, shownName, layer, mode(spec), List.of(), null);
            node.rememberReopening(new DriverReopening(node, own, flags(spec), options.limits()));
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
            instance = driver.open(new OpenContext(
                    name, own, flags(spec), access, references, graph.secrets(), graph.notices(), options.limits()));
            Layer layer = layerFor(instance, name, failStop, file, spec, edges);
            layer.loadBitmaps();
            if (guessed && !spec.readOnly() && !fileEdge.has(ChildRole.METADATA)) {
                layer.guardHead(new HeadGuard(this::refuseImage));
            }
            BlockNode node = new BlockNode(graph, driver, file.fileName(), layer, mode(spec), edges, null);
            node.rememberReopening(new DriverReopening(node, own, flags(spec), options.limits()));
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
        boolean described = !spec.options("backing").isEmpty();
        String given = spec.options().get("backing");
        // An empty name (null in JSON) says: without the backing file.
        boolean none = given != null && given.isEmpty();
        if (options.wantsBacking() && !none && (reference != null || given != null || described)) {
            BlockNode node = openBacking(file.fileName(), reference, spec);
            attach("backing", Set.of(ChildRole.COW), node, spec, edges);
            backing = node.layer();
        }
        return new FormatLayer(name, layerMode(spec), failStop, format, backing);
    }

    /** @param named what the image names; null where it names none, and options describe the backing file alone */
    private BlockNode openBacking(String imageFileName, @Nullable ImageReference named, NodeSpec spec)
            throws BlockException {
        try {
            String given = spec.options().get("backing");
            if (given != null) {
                spec.withoutFileName().reference("backing");
                return graph.lookUp(given);
            }
            return open(backingSpec(imageFileName, named, spec));
        } catch (BlockException e) {
            throw new BlockException(e.kind(), "Could not open backing file: " + e.getMessage(), e.reason(), e);
        }
    }

    /** Options go before what the image says. */
    private NodeSpec backingSpec(String imageFileName, @Nullable ImageReference named, NodeSpec spec)
            throws BlockException {
        Map<String, String> below = spec.options("backing");
        String format = below.get("driver");
        if (named == null || below.containsKey("file.filename") || below.containsKey("file")) {
            format = format == null && named != null ? named.format() : format;
            return new NodeSpec(null, format, below, null, true, true, spec.chainDepth() + 1);
        }
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
        return new NodeSpec(
                fileName, format == null ? reference.format() : format, below, null, true, true, spec.chainDepth() + 1);
    }

    private BlockNode openReference(String imageFileName, String childName, ImageReference named, NodeSpec spec)
            throws BlockException {
        ImageReference reference = permit(imageFileName, childName, named);
        NodeSpec child = spec.further(childName, reference.fileName(), reference.format());
        // Never probed: a guest writes these files from their first byte on.
        return reference.format() == null ? openFile(child) : open(child);
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
        PermissionRules.ofChild(edge, mode(spec), null);
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

    private DriverRegistry.Probed probe(BlockNode file) throws BlockException {
        long length = Math.min(HeadGuard.HEAD_BYTES, file.layer().lengthBytes());
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment head = arena.allocate(Math.max(1, length));
            if (length > 0) {
                file.layer().read(0, head, Origin.METADATA);
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

    private EnumSet<Flag> flags(NodeSpec spec) throws BlockException {
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

    private LayerMode layerMode(NodeSpec spec) throws BlockException {
        EnumSet<Flag> flags = flags(spec);
        return new LayerMode(spec.readOnly(), flags.contains(Flag.NO_FLUSH), spec.unmap(), spec.zeroDetection());
    }

    private PermissionRules.Mode mode(NodeSpec spec) throws BlockException {
        EnumSet<Flag> flags = flags(spec);
        return new PermissionRules.Mode(!spec.readOnly(), flags.contains(Flag.NO_IO), flags.contains(Flag.FORCE_SHARE));
    }
}
