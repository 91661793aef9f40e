package dev.ashlar.cli.io;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.option.CacheMode;
import dev.ashlar.cli.option.OptionList;
import dev.ashlar.cli.option.OptionScanner;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockNode;
import dev.ashlar.core.ChildEdge;
import dev.ashlar.core.GraphTransaction;
import dev.ashlar.core.spi.OnOff;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** {@code reopen}: the image in another mode or with other options of its driver, all of it or nothing. */
final class ReopenCommand {
    private static final String READ_ONLY = "read-only";

    private final Console console;
    private final OpenImage image;
    private final Map<String, String> options = new HashMap<>();
    private @Nullable CacheMode cache;
    private int mode;

    ReopenCommand(Console console, OpenImage image) {
        this.console = console;
        this.image = image;
    }

    boolean run(Arguments arguments) throws BlockException {
        for (int option = arguments.next(); option != OptionScanner.END; option = arguments.next()) {
            switch (option) {
                case 'r', 'w' -> {
                    if (mode != 0) {
                        return fail("Only one -r/-w option may be given");
                    }
                    mode = option;
                }
                case 'c' -> cache = OpenSettings.cache(console, arguments.argument());
                default ->
                    options.putAll(OptionList.noisily(console, arguments.argument(), null)
                            .toMap());
            }
        }
        if (arguments.count() != 0) {
            throw arguments.usage();
        }
        if (options.containsKey(READ_ONLY) && mode != 0) {
            return fail("Cannot set both -r/-w and '" + READ_ONLY + "'");
        }
        boolean cacheOptions = options.containsKey("cache.direct") || options.containsKey("cache.no-flush");
        if (cacheOptions && cache != null) {
            return fail("Cannot set both -c and the cache options");
        }
        try {
            requireFlags();
        } catch (BlockException e) {
            return fail(String.valueOf(e.getMessage()));
        }
        // of a file that can't be written to, when it is opened
        options.remove("auto-read-only");
        return change() && changeCache();
    }

    private boolean change() throws BlockException {
        BlockNode node = image.backend().root();
        boolean readOnly = mode == 0 ? node.isReadOnly() : mode == 'r';
        String named = options.remove(READ_ONLY);
        if (named != null) {
            readOnly = OnOff.parse(READ_ONLY, named);
            if (readOnly && !node.isReadOnly()) {
                // Only -r takes the right to write from the user as well.
                return fail("Read-only block node '" + node.name() + "' cannot support read-write users");
            }
        }
        String refused = unchangeable(node);
        if (refused != null) {
            return fail("Cannot change the option '" + refused + "'");
        }
        image.finishRequests();
        GraphTransaction transaction = image.graph().transaction();
        if (!options.isEmpty()) {
            transaction.reopen(node, options);
        }
        if (readOnly != node.isReadOnly()) {
            transaction.setReadOnly(node, readOnly);
        }
        transaction.commit();
        image.settings().readOnly(readOnly);
        return true;
    }

    /** An option that only an opening can set, or null. One that has that value already is dropped, also of a child. */
    private @Nullable String unchangeable(BlockNode node) {
        dropUnchanged(options, "", node);
        for (ChildEdge edge : node.children()) {
            String prefix = edge.name() + ".";
            dropUnchanged(options, prefix, edge.node());
            for (String name : options.keySet()) {
                if (name.startsWith(prefix)) {
                    return name.substring(prefix.length());
                }
            }
        }
        for (String name : options.keySet()) {
            if (name.equals("driver") || name.equals("node-name") || name.startsWith("file.") || name.equals("file")) {
                return name;
            }
        }
        return null;
    }

    private static void dropUnchanged(Map<String, String> options, String prefix, BlockNode node) {
        options.remove(prefix + "driver", node.driverName());
        options.remove(prefix + "node-name", node.name());
        options.remove(prefix + "filename", node.fileName());
    }

    /** What is of an opening and no driver's has a value that it can have. */
    private void requireFlags() throws BlockException {
        for (String name : List.of(READ_ONLY, "cache.no-flush", "cache.direct", "auto-read-only")) {
            String value = options.get(name);
            if (value != null) {
                OnOff.parse(name, value);
            }
        }
    }

    /** The host's cache is chosen when a file is opened, so another mode needs another opening. */
    private boolean changeCache() throws BlockException {
        if (cache == null) {
            return true;
        }
        CacheMode before = image.settings().cache();
        image.settings().cache(cache);
        return (before.direct() == cache.direct() && before.noFlush() == cache.noFlush()) || image.openAnew();
    }

    private boolean fail(String message) {
        console.error(message);
        return false;
    }
}
