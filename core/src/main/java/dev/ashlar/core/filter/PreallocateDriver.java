package dev.ashlar.core.filter;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.DriverInstance;
import dev.ashlar.core.spi.DriverKind;
import dev.ashlar.core.spi.OpenRequest;
import dev.ashlar.core.spi.OptionDescriptor;
import java.util.List;

/**
 * Filter {@code preallocate}: lets a file grow in large steps ahead of need. Options {@code prealloc-size} (how much, 128 MiB) and {@code
 * prealloc-align} (the file's length is a multiple of it, 1 MiB). Meant to stand under an image format whose file grows.
 */
public final class PreallocateDriver implements BlockDriver {
    private static final int SECTOR_BYTES = 512;

    /** For {@link java.util.ServiceLoader}. */
    public PreallocateDriver() {}

    @Override
    public String name() {
        return "preallocate";
    }

    @Override
    public DriverKind kind() {
        return DriverKind.FILTER;
    }

    @Override
    public DriverInstance open(OpenRequest request) throws BlockException {
        FilterOptions options = new FilterOptions(name(), request.options());
        long align = options.size("prealloc-align", 1 << 20);
        long size = options.size("prealloc-size", 128 << 20);
        options.refuseRest();
        if (align <= 0 || align % SECTOR_BYTES != 0) {
            throw new BlockException(
                    Kind.INVALID, "prealloc-align parameter of preallocate filter is not aligned to " + SECTOR_BYTES);
        }
        int below = request.file().limits().requestAlignmentBytes();
        if (align % below != 0) {
            throw new BlockException(
                    Kind.INVALID,
                    "prealloc-align parameter of preallocate filter is not aligned to underlying node request"
                            + " alignment ("
                            + below + ")");
        }
        if (align > 1L << 40 || size > 1L << 40) {
            throw new BlockException(Kind.INVALID, "prealloc-size and prealloc-align must not exceed 1 TiB");
        }
        return new PreallocateFilter(request.file(), size, align, !request.has(OpenRequest.Flag.READ_ONLY));
    }

    @Override
    public List<OptionDescriptor> openOptions() {
        return List.of(
                new OptionDescriptor(
                        "prealloc-align",
                        OptionDescriptor.Type.SIZE,
                        "on preallocation, align file length to this number, default 1M",
                        "1M"),
                new OptionDescriptor(
                        "prealloc-size", OptionDescriptor.Type.SIZE, "how much to preallocate, default 128M", "128M"));
    }
}
