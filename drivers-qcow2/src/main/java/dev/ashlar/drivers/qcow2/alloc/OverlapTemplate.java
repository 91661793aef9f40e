package dev.ashlar.drivers.qcow2.alloc;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.OnOff;
import java.util.Map;

/** Which kinds of metadata are looked at before a write: the options {@code overlap-check} and {@code overlap-check.CLASS}. */
public final class OverlapTemplate {
    private static final String OPTION = "overlap-check";
    private static final String TEMPLATE = "overlap-check.template";

    private static final int CONSTANT = MetadataClass.MAIN_HEADER.bit()
            | MetadataClass.ACTIVE_L1.bit()
            | MetadataClass.REFCOUNT_TABLE.bit()
            | MetadataClass.SNAPSHOT_TABLE.bit()
            | MetadataClass.BITMAP_DIRECTORY.bit()
            | MetadataClass.OTHER.bit();
    private static final int CACHED = CONSTANT
            | MetadataClass.ACTIVE_L2.bit()
            | MetadataClass.REFCOUNT_BLOCK.bit()
            | MetadataClass.INACTIVE_L1.bit();
    private static final int ALL = CACHED | MetadataClass.INACTIVE_L2.bit();

    /** What is looked at where nothing else is said: all that is in memory anyway. */
    static final int DEFAULT = CACHED;

    private OverlapTemplate() {}

    /**
     * @param options of an opening; others than these are left alone
     * @return bits of {@link MetadataClass}
     * @throws BlockException INVALID for a template that is none
     */
    public static int parse(Map<String, String> options) throws BlockException {
        String direct = options.get(OPTION);
        String nested = options.get(TEMPLATE);
        if (direct != null && nested != null && !direct.equals(nested)) {
            throw invalid("Conflicting values for qcow2 options '" + OPTION + "' ('" + direct + "') and '" + TEMPLATE
                    + "' ('" + nested + "')");
        }
        int classes = template(direct != null ? direct : nested);
        for (MetadataClass metadata : MetadataClass.values()) {
            String name = OPTION + "." + metadata.option();
            String given = options.get(name);
            if (given != null && metadata != MetadataClass.OTHER) {
                classes = OnOff.parse(name, given) ? classes | metadata.bit() : classes & ~metadata.bit();
            }
        }
        return classes;
    }

    private static int template(@org.jspecify.annotations.Nullable String name) throws BlockException {
        return switch (name) {
            case null -> DEFAULT;
            case "none" -> 0;
            case "constant" -> CONSTANT;
            case "cached" -> CACHED;
            case "all" -> ALL;
            default ->
                throw invalid("Unsupported value '" + name + "' for qcow2 option '" + OPTION
                        + "'. Allowed are any of the following: none, constant, cached, all");
        };
    }

    private static BlockException invalid(String message) {
        return new BlockException(Kind.INVALID, message);
    }
}
