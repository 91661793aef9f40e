package dev.ashlar.core.filter;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.ChildRole;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.DriverInstance;
import dev.ashlar.core.spi.DriverKind;
import dev.ashlar.core.spi.OpenRequest;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Filter {@code blkverify}: writes go to the child {@code raw} and to the child {@code test}, reads come from both and are compared.
 * Opened as a file also by {@code blkverify:RAW:TEST}.
 */
public final class BlkverifyDriver implements BlockDriver {
    /** For {@link java.util.ServiceLoader}. */
    public BlkverifyDriver() {}

    @Override
    public String name() {
        return "blkverify";
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
        return List.of("raw", "test");
    }

    @Override
    public Optional<Map<String, String>> parseFileName(String fileName) throws BlockException {
        int begin = name().length() + 1;
        int colon = fileName.indexOf(':', begin);
        if (colon < 0) {
            throw new BlockException(Kind.INVALID, "blkverify requires raw copy and original image path");
        }
        return Optional.of(Map.of(
                "raw.filename", fileName.substring(begin, colon), "test.file.filename", fileName.substring(colon + 1)));
    }

    @Override
    public @Nullable String plainFileName(Map<String, Object> options, Map<String, @Nullable String> childFileNames) {
        String raw = childFileNames.get("raw");
        String test = childFileNames.get("test");
        return raw == null || test == null ? null : name() + ":" + raw + ":" + test;
    }

    @Override
    public DriverInstance open(OpenRequest request) throws BlockException {
        new FilterOptions(name(), request.options()).refuseRest();
        ChildAccess test = request.openChild("test", Set.of(ChildRole.DATA));
        return new BlkverifyFilter(request.file(), test);
    }
}
