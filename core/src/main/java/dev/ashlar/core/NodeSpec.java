package dev.ashlar.core;

import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.DriverKind;
import java.util.HashMap;
import java.util.Map;
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
        "driver", "node-name", "read-only", "discard", "cache.direct", "cache.no-flush", "force-share"
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
        String named = options.get("driver");
        if (named != null && driver != null && !named.equals(driver)) {
            throw new BlockException(
                    Kind.INVALID, "Driver specified twice: '" + driver + "' and '" + FileNames.escape(named) + "'");
        }
        String discard = options.get("discard");
        return new NodeSpec(
                name,
                named == null ? driver : named,
                options,
                options.getOrDefault("node-name", nodeName),
                flag("read-only", readOnly) || readOnly,
                discard == null ? unmap : discard.equals("unmap") || discard.equals("on"),
                chainDepth);
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

    /** @param edgeName the edge whose lower end is to be opened */
    String requireFileName(String edgeName) throws BlockException {
        if (fileName == null || fileName.isEmpty()) {
            if (options.isEmpty()) {
                throw new BlockException(
                        Kind.INVALID, "A block device must be specified for \"" + FileNames.escape(edgeName) + "\"");
            }
            throw new BlockException(Kind.INVALID, "The driver requires a file name");
        }
        return fileName;
    }

    /** A common option that is on or off. */
    boolean flag(String name, boolean otherwise) {
        String text = options.get(name);
        return text == null ? otherwise : text.equals("on") || text.equals("true") || text.equals("yes");
    }

    /** What is left for the driver. */
    Map<String, String> ownOptions(BlockDriver named) {
        if (options.isEmpty()) {
            return Map.of();
        }
        Map<String, String> own = new HashMap<>(options);
        for (String common : COMMON) {
            own.remove(common);
        }
        own.remove("filename");
        for (String child : named.childNames()) {
            String prefix = child + ".";
            own.keySet().removeIf(key -> key.startsWith(prefix));
        }
        if (named.kind() == DriverKind.FORMAT) {
            own.remove("backing");
        }
        return own;
    }

    /** This spec as the file name of a driver that has names of its own describes it; options given beside it win. */
    NodeSpec parsed(String driverName, Map<String, String> fromName) {
        Map<String, String> all = new HashMap<>(fromName);
        all.putAll(options);
        all.remove("filename");
        return new NodeSpec(null, driverName, all, nodeName, readOnly, unmap, chainDepth);
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
        Map<String, String> ofFile = options(childName);
        for (String inherited : new String[] {"cache.direct", "cache.no-flush", "force-share"}) {
            String value = options.get(inherited);
            if (value != null) {
                ofFile = ofFile.isEmpty() ? new HashMap<>() : ofFile;
                ofFile.putIfAbsent(inherited, value);
            }
        }
        return new NodeSpec(fileName, null, ofFile, null, readOnly, true, chainDepth);
    }
}
