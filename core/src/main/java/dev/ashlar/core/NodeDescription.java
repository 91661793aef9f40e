package dev.ashlar.core;

import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.DriverKind;
import dev.ashlar.core.spi.ImageReference;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * How a node can be named so that opening the name gives the same content.
 *
 * @param plainFileName a name that is no {@code json:} name, or null where none says enough
 * @param options the options that say it: texts, and for each child a map of the same kind
 */
public record NodeDescription(@Nullable String plainFileName, Map<String, Object> options) {

    /** Describes a node as it is now, with all below it. */
    static NodeDescription of(BlockNode node) {
        BlockDriver driver = node.driver();
        Map<String, Object> options = new LinkedHashMap<>();
        boolean changed = addStrong(node, options);
        options.put("driver", driver.name());
        Map<String, @Nullable String> childNames = new LinkedHashMap<>();
        boolean backingSeen = false;
        for (ChildEdge edge : node.edges()) {
            NodeDescription child = of(edge.node());
            if (edge.has(ChildRole.COW)) {
                backingSeen = true;
                if (isAsTheImageSays(node, edge, child)) {
                    continue;
                }
                changed = true;
            }
            childNames.put(edge.name(), child.plainFileName);
            options.put(edge.name(), child.options);
        }
        if (!backingSeen && node.isBackingSuppressed()) {
            changed = true;
        }
        if (driver.kind() == DriverKind.PROTOCOL && driver.needsFileName()) {
            options.put("filename", node.fileName());
            return new NodeDescription(node.fileName(), options);
        }
        String own = driver.plainFileName(options, childNames);
        if (own != null || driver.kind() != DriverKind.FORMAT || changed || !standsOnFile(node)) {
            return new NodeDescription(own, options);
        }
        return new NodeDescription(childNames.get(node.edges().get(0).name()), options);
    }

    /** Adds options that change the content. @return whether there are any */
    private static boolean addStrong(BlockNode node, Map<String, Object> into) {
        DriverReopening reopening = node.reopening();
        if (reopening == null) {
            return false;
        }
        boolean found = false;
        for (Map.Entry<String, String> option : reopening.mode().options().entrySet()) {
            for (String strong : node.driver().strongOptions()) {
                String key = option.getKey();
                if (strong.endsWith(".") ? key.startsWith(strong) : key.equals(strong)) {
                    into.put(key, option.getValue());
                    found = true;
                }
            }
        }
        return found;
    }

    private static boolean standsOnFile(BlockNode node) {
        if (node.edges().isEmpty()) {
            return false;
        }
        BlockDriver below = node.edges().get(0).node().driver();
        return below.kind() == DriverKind.PROTOCOL || below.standsForFile();
    }

    private static boolean isAsTheImageSays(BlockNode node, ChildEdge edge, NodeDescription child) {
        if (node.isBackingImplicit(edge)) {
            return true;
        }
        ImageReference reference = node.backingReference().orElse(null);
        return reference != null
                && child.plainFileName != null
                && child.plainFileName.equals(FileNames.resolve(node.fileName(), reference.fileName()));
    }
}
