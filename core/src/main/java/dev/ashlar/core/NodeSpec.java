package dev.ashlar.core;

import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.request.LayerMode;
import dev.ashlar.core.request.ZeroDetection;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.OnOff;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.core.spi.PrintableName;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What one node is to be opened as.
 *
 * @param fileName of the file at its primary end, where it is not among the options
 * @param driver null: to be found by probing, or by the file name
 * @param options flattened, those of children with the edge's name and a dot in front
 * @param chainDepth how many images stand above it in the backing chain
 */
record NodeSpec(
        @Nullable String fileName,
        @Nullable String driver,
        Map<String, String> options,
        @Nullable String nodeName,
        boolean readOnly,
        boolean unmap,
        int chainDepth) {

    private static final String[] COMMON = {
        "driver",
        "node-name",
        "read-only",
        "auto-read-only",
        "discard",
        "detect-zeroes",
        "cache.direct",
        "cache.no-flush",
        "force-share"
    };

    /** This spec with what the options say about driver, name and mode taken over. */
    NodeSpec withCommonOptions() throws BlockException {
        String name = options.getOrDefault("filename", fileName);
        if (name != null && FlatOptions.isJson(name)) {
            return withJson(name).withCommonOptions();
        }
        if (options.isEmpty()) {
            return this;
        }
        return new NodeSpec(
                fileName,
                driver == null ? options.get("driver") : driver,
                options,
                options.getOrDefault("node-name", nodeName),
                flag("read-only", readOnly),
                discards(),
                chainDepth);
    }

    /** Whether discards of users are carried out. */
    private boolean discards() throws BlockException {
        String mode = options.get("discard");
        return mode == null
                ? unmap
                : switch (mode) {
                    case "on", "unmap" -> true;
                    case "off", "ignore" -> false;
                    default -> throw new BlockException(Kind.INVALID, "Invalid discard option");
                };
    }

    /** What becomes of writes that contain nothing but zeros. */
    private ZeroDetection zeroDetection() throws BlockException {
        String mode = options.get("detect-zeroes");
        if (mode == null) {
            return ZeroDetection.OFF;
        }
        ZeroDetection detection = switch (mode) {
            case "off" -> ZeroDetection.OFF;
            case "on" -> ZeroDetection.ON;
            case "unmap" -> ZeroDetection.UNMAP;
            default -> throw new BlockException(Kind.INVALID, "invalid parameter value: " + PrintableName.of(mode));
        };
        if (detection == ZeroDetection.UNMAP && !unmap) {
            throw new BlockException(
                    Kind.INVALID,
                    "setting detect-zeroes to unmap is not allowed without setting discard operation to unmap");
        }
        return detection;
    }

    /** The flags that hold for this node. @param ofOpening those given for the whole opening, before which the node's own options go */
    EnumSet<Flag> flags(Set<Flag> ofOpening) throws BlockException {
        EnumSet<Flag> flags = EnumSet.noneOf(Flag.class);
        flags.addAll(ofOpening);
        set(flags, Flag.READ_ONLY, readOnly);
        set(flags, Flag.UNMAP, unmap);
        set(flags, Flag.DIRECT, flag("cache.direct", flags.contains(Flag.DIRECT)));
        set(flags, Flag.NO_FLUSH, flag("cache.no-flush", flags.contains(Flag.NO_FLUSH)));
        set(flags, Flag.FORCE_SHARE, flag("force-share", flags.contains(Flag.FORCE_SHARE)));
        return flags;
    }

    private static void set(EnumSet<Flag> flags, Flag flag, boolean on) {
        if (on) {
            flags.add(flag);
        } else {
            flags.remove(flag);
        }
    }

    /** How the node is opened, as far as requests care. @param flags that hold for this node */
    LayerMode layerMode(Set<Flag> flags) throws BlockException {
        return new LayerMode(readOnly, flags.contains(Flag.NO_FLUSH), unmap, zeroDetection());
    }

    /** How the node is opened, as far as permissions care. @param flags that hold for this node */
    PermissionRules.Mode permissionMode(Set<Flag> flags) {
        return new PermissionRules.Mode(!readOnly, flags.contains(Flag.NO_IO), flags.contains(Flag.FORCE_SHARE));
    }

    /** The file name as a protocol gets it, or null; a name beside an option for it is one too many. */
    @Nullable
    String protocolFileName() throws BlockException {
        String given = options.get("filename");
        if (given != null && fileName != null) {
            throw new BlockException(Kind.INVALID, "Can't specify 'file' and 'filename' options at the same time");
        }
        return given == null ? fileName : given;
    }

    /** The node that an option names as a child instead of describing it, or null. */
    @Nullable
    String reference(String childName) throws BlockException {
        String node = options.get(childName);
        if (node == null) {
            return null;
        }
        if (fileName != null || !options(childName).isEmpty()) {
            throw new BlockException(
                    Kind.INVALID,
                    "Cannot reference an existing block device with additional options or a new filename");
        }
        return node;
    }

    /** Whether neither a name nor options tell of a child. */
    boolean saysNothingOf(String childName) {
        return fileName == null && options(childName).isEmpty();
    }

    /** This spec with a {@code json:} file name replaced by what it says; options given beside it win. */
    private NodeSpec withJson(String name) throws BlockException {
        Map<String, String> all = new HashMap<>(FlatOptions.ofJson(name));
        if (FlatOptions.isJson(all.getOrDefault("filename", ""))) {
            throw new BlockException(Kind.INVALID, "A 'json:' file name stands for another one");
        }
        Map<String, String> beside = new HashMap<>(options);
        beside.remove("filename");
        all.putAll(beside);
        return new NodeSpec(null, driver, all, nodeName, readOnly, unmap, chainDepth);
    }

    /** A common option that is on or off. */
    boolean flag(String name, boolean otherwise) throws BlockException {
        String text = options.get(name);
        return text == null ? otherwise : OnOff.parse(name, text);
    }

    /** Whether core takes that option out before a driver sees it. */
    static boolean isCommon(String name) {
        return List.of(COMMON).contains(name);
    }

    /**
     * What is left for the driver.
     *
     * @param backing whether a backing file is opened; else options about one are nobody's
     */
    Map<String, String> ownOptions(BlockDriver named, boolean backing) {
        if (options.isEmpty()) {
            return Map.of();
        }
        Map<String, String> own = new HashMap<>(options);
        for (String common : COMMON) {
            own.remove(common);
        }
        for (String child : named.childNames()) {
            if (backing || !child.equals("backing")) {
                String prefix = child + ".";
                own.keySet().removeIf(key -> key.startsWith(prefix));
                own.remove(child);
            } else if (own.getOrDefault(child, "x").isEmpty()) {
                own.remove(child);
            }
        }
        return own;
    }

    /** This spec as the file name of a driver that has names of its own describes it; options given beside it win. */
    NodeSpec parsed(String driverName, Map<String, String> fromName) {
        Map<String, String> all = new HashMap<>(fromName);
        all.putAll(options);
        all.remove("filename");
        all.remove("driver");
        return new NodeSpec(null, driverName, all, nodeName, readOnly, unmap, chainDepth);
    }

    NodeSpec withReadOnly() {
        return new NodeSpec(fileName, driver, options, nodeName, true, unmap, chainDepth);
    }

    NodeSpec withoutFileName() {
        return new NodeSpec(null, driver, options, nodeName, readOnly, unmap, chainDepth);
    }

    /** The options of a child, without its name in front. */
    Map<String, String> options(String childName) {
        if (options.isEmpty()) {
            return Map.of();
        }
        Map<String, String> ofChild = new HashMap<>();
        String prefix = childName + ".";
        for (Map.Entry<String, String> option : options.entrySet()) {
            if (option.getKey().startsWith(prefix)) {
                ofChild.put(option.getKey().substring(prefix.length()), option.getValue());
            }
        }
        return ofChild;
    }

    /** The spec of the primary child: same mode, discards always reach it. */
    NodeSpec primary(String childName) {
        return new NodeSpec(fileName, null, inheritedOptions(childName), null, readOnly, true, chainDepth);
    }

    /** The spec of a further child with data of the node's own: same mode, discards always reach it. */
    NodeSpec further(String childName, @Nullable String childFileName, @Nullable String childDriver) {
        return new NodeSpec(childFileName, childDriver, inheritedOptions(childName), null, readOnly, true, chainDepth);
    }

    /** The options of a child, and those of the node that hold for it as well. */
    private Map<String, String> inheritedOptions(String childName) {
        Map<String, String> ofFile = options(childName);
        for (String inherited : new String[] {"cache.direct", "cache.no-flush", "force-share", "auto-read-only"}) {
            String value = options.get(inherited);
            if (value != null) {
                ofFile = ofFile.isEmpty() ? new HashMap<>() : ofFile;
                ofFile.putIfAbsent(inherited, value);
            }
        }
        return ofFile;
    }
}
