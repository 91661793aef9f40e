package dev.ashlar.core.filter;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.DriverInstance;
import dev.ashlar.core.spi.DriverKind;
import dev.ashlar.core.spi.OpenRequest;

/**
 * Filter {@code copy-on-read}: what is read from a backing file is copied into the child, which so becomes independent of it; so it
 * cannot be opened read-only. QEMU's option {@code bottom} is not supported.
 */
public final class CopyOnReadDriver implements BlockDriver {
    /** For {@link java.util.ServiceLoader}. */
    public CopyOnReadDriver() {}

    @Override
    public String name() {
        return "copy-on-read";
    }

    @Override
    public DriverKind kind() {
        return DriverKind.FILTER;
    }

    @Override
    public DriverInstance open(OpenRequest request) throws BlockException {
        new FilterOptions(name(), request.options()).refuseRest();
        if (request.has(OpenRequest.Flag.READ_ONLY)) {
            throw new BlockException(Kind.READ_ONLY, "Block node is read-only");
        }
        return new CopyOnReadFilter(request.file());
    }
}
