package dev.ashlar.core.filter;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.DriverInstance;
import dev.ashlar.core.spi.DriverKind;
import dev.ashlar.core.spi.OpenRequest;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Filter {@code blkdebug}: fails or suspends requests on purpose and pretends to other limits. The child is {@code image}. Opened as a
 * file also by {@code blkdebug:CONFIG:IMAGE}, where CONFIG may be empty. Beside QEMU's options there is {@code inject-error.N.nth}: the
 * first of the matching requests that fails. Not supported: {@code take-child-perms}, {@code unshare-child-perms}.
 */
public final class BlkdebugDriver implements BlockDriver {
    /** For {@link java.util.ServiceLoader}. */
    public BlkdebugDriver() {}

    @Override
    public String name() {
        return "blkdebug";
    }

    @Override
    public boolean standsForFile() {
        return true;
    }

    @Override
    public DriverKind kind() {
        return DriverKind.FILTER;
    }

    @Override
    public List<String> childNames() {
        return List.of("image");
    }

    @Override
    public Optional<Map<String, String>> parseFileName(String fileName) throws BlockException {
        int begin = name().length() + 1;
        int colon = fileName.indexOf(':', begin);
        if (colon < 0) {
            throw new BlockException(Kind.INVALID, "blkdebug requires both config file and image path");
        }
        Map<String, String> options = new HashMap<>();
        if (colon > begin) {
            options.put("config", fileName.substring(begin, colon));
        }
        options.put("image.filename", fileName.substring(colon + 1));
        return Optional.of(options);
    }

    @Override
    public List<String> strongOptions() {
        return List.of(
                "config",
                "inject-error.",
                "set-state.",
                "align",
                "max-transfer",
                "opt-write-zero",
                "max-write-zero",
                "opt-discard",
                "max-discard");
    }

    @Override
    public @Nullable String plainFileName(Map<String, Object> options, Map<String, @Nullable String> childFileNames) {
        String image = childFileNames.get("image");
        for (String option : options.keySet()) {
            if (!option.equals("config") && !option.equals("image") && !option.equals("driver")) {
                return null;
            }
        }
        return image == null ? null : name() + ":" + options.getOrDefault("config", "") + ":" + image;
    }

    @Override
    public DriverInstance open(OpenRequest request) throws BlockException {
        FilterOptions options = new FilterOptions(name(), request.options());
        List<BlkdebugRule> rules = new ArrayList<>();
        String config = options.text("config");
        if (config != null) {
            rules.addAll(BlkdebugConfig.readFile(config));
        }
        rules.addAll(BlkdebugConfig.rules(options));
        BlkdebugLimits limits = BlkdebugLimits.of(options, request.file().limits());
        options.refuseRest();
        return new BlkdebugFilter(request.file(), limits, new BlkdebugRules(rules));
    }
}
