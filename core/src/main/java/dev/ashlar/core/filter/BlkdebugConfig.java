package dev.ashlar.core.filter;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.BlockEvent;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * Rules as users write them: options {@code inject-error.N.event} and so on, and configuration files.
 *
 * <pre>
 * [inject-error]
 * event = "l2_load"
 * errno = "28"
 *
 * [set-state]
 * event = "l2_load"
 * new_state = "2"
 * </pre>
 */
final class BlkdebugConfig {
    private static final long MAX_FILE_BYTES = 1 << 20;
    private static final int SECTOR_BITS = 9;

    private BlkdebugConfig() {}

    /** Rules among the options, in the order of their numbers. */
    static List<BlkdebugRule> rules(FilterOptions options) throws BlockException {
        List<BlkdebugRule> rules = new ArrayList<>();
        for (String section : new String[] {"inject-error", "set-state"}) {
            TreeMap<Integer, Map<String, String>> numbered = new TreeMap<>();
            for (Map.Entry<String, String> option : options.group(section + ".").entrySet()) {
                String[] parts = option.getKey().split("\\.", 2);
                if (parts.length != 2 || !parts[0].matches("[0-9]{1,6}")) {
                    throw new BlockException(
                            Kind.INVALID, "Invalid parameter '" + section + "." + option.getKey() + "'");
                }
                numbered.computeIfAbsent(Integer.valueOf(parts[0]), key -> new TreeMap<>())
                        .put(parts[1], option.getValue());
            }
            for (Map<String, String> rule : numbered.values()) {
                rules.add(rule(section, rule));
            }
        }
        return rules;
    }

    /** Rules of a configuration file. */
    static List<BlkdebugRule> readFile(String fileName) throws BlockException {
        List<String> lines;
        try {
            Path path = Path.of(fileName);
            if (Files.size(path) > MAX_FILE_BYTES) {
                throw new BlockException(Kind.TOO_LARGE, "Could not read blkdebug config file: too large");
            }
            lines = Files.readAllLines(path);
        } catch (InvalidPathException e) {
            throw new BlockException(
                    Kind.NOT_FOUND, "Could not read blkdebug config file: No such file or directory", e);
        } catch (BlockException e) {
            throw e;
        } catch (IOException e) {
            throw new BlockException(
                    Kind.NOT_FOUND, "Could not read blkdebug config file: No such file or directory", e);
        }
        return parse(lines);
    }

    static List<BlkdebugRule> parse(List<String> lines) throws BlockException {
        List<Map.Entry<String, Map<String, String>>> sections = new ArrayList<>();
        for (String line : lines) {
            String text = line.strip();
            if (text.isEmpty() || text.startsWith("#")) {
                continue;
            }
            if (text.startsWith("[") && text.endsWith("]")) {
                sections.add(Map.entry(text.substring(1, text.length() - 1).strip(), new LinkedHashMap<>()));
                continue;
            }
            int equals = text.indexOf('=');
            String value = equals < 0 ? "" : text.substring(equals + 1).strip();
            if (equals < 0
                    || sections.isEmpty()
                    || value.length() < 2
                    || !value.startsWith("\"")
                    || !value.endsWith("\"")) {
                throw new BlockException(Kind.INVALID, "Could not parse blkdebug config file");
            }
            sections.get(sections.size() - 1)
                    .getValue()
                    .put(text.substring(0, equals).strip(), value.substring(1, value.length() - 1));
        }
        List<BlkdebugRule> rules = new ArrayList<>();
        for (Map.Entry<String, Map<String, String>> section : sections) {
            rules.add(rule(section.getKey(), section.getValue()));
        }
        return rules;
    }

    private static BlkdebugRule rule(String section, Map<String, String> texts) throws BlockException {
        FilterOptions options = new FilterOptions(texts, "[" + section + "] section doesn't support");
        String eventName = options.text("event");
        if (eventName == null) {
            throw new BlockException(Kind.INVALID, "Missing event name for rule");
        }
        BlockEvent event = BlockEvent.find(eventName)
                .orElseThrow(() -> new BlockException(Kind.INVALID, "invalid parameter value: " + eventName));
        int state = options.number("state", 0);
        BlkdebugRule rule = switch (section) {
            case "inject-error" -> injectError(event, state, options);
            case "set-state" -> new BlkdebugRule.SetState(event, state, options.number("new_state", 0));
            default -> throw new BlockException(Kind.INVALID, "There is no option group '" + section + "'");
        };
        options.refuseRest();
        return rule;
    }

    private static BlkdebugRule injectError(BlockEvent event, int state, FilterOptions options) throws BlockException {
        String typeName = options.text("iotype");
        Set<BlkdebugRule.RequestType> types = EnumSet.complementOf(EnumSet.of(BlkdebugRule.RequestType.BLOCK_STATUS));
        if (typeName != null) {
            types = EnumSet.noneOf(BlkdebugRule.RequestType.class);
            for (BlkdebugRule.RequestType type : BlkdebugRule.RequestType.values()) {
                if (type.label().equals(typeName)) {
                    types.add(type);
                }
            }
            if (types.isEmpty()) {
                throw new BlockException(Kind.INVALID, "invalid parameter value: " + typeName);
            }
        }
        String sector = options.text("sector");
        long offset = -1;
        if (sector != null && !sector.equals("-1")) {
            FilterOptions one = new FilterOptions("blkdebug", Map.of("sector", sector));
            long number = one.size("sector", 0);
            if (number > Long.MAX_VALUE >> SECTOR_BITS) {
                throw new BlockException(Kind.INVALID, "Parameter 'sector' is too large");
            }
            offset = number << SECTOR_BITS;
        }
        return new BlkdebugRule.InjectError(
                event,
                state,
                types,
                options.number("errno", Errno.EIO),
                offset,
                options.flag("once", false),
                options.flag("immediately", false),
                options.number("nth", 1));
    }
}
