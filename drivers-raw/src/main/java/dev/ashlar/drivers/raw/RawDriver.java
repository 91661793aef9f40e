package dev.ashlar.drivers.raw;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.ChildRole;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.CreateRequest;
import dev.ashlar.core.spi.DriverInstance;
import dev.ashlar.core.spi.DriverKind;
import dev.ashlar.core.spi.MeasureRequest;
import dev.ashlar.core.spi.MeasuredSize;
import dev.ashlar.core.spi.MeasuredSource;
import dev.ashlar.core.spi.OpenRequest;
import dev.ashlar.core.spi.OptionDescriptor;
import dev.ashlar.core.spi.OptionDescriptor.Type;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.core.spi.SizeMeasurable;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;

/** The format driver {@code raw}: guest bytes are host bytes, from an offset on. */
public final class RawDriver implements BlockDriver, SizeMeasurable {
    private static final String NAME = "raw";

    /** For {@link java.util.ServiceLoader}. */
    public RawDriver() {}

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public DriverKind kind() {
        return DriverKind.FORMAT;
    }

    /** Anything can be raw: the least certain answer that is still one. */
    @Override
    public int probe(MemorySegment head) {
        return 1;
    }

    /** Without a window nothing is cut off and nothing kept: what users may do with the disk they do with the file. */
    @Override
    public Set<ChildRole> fileRoles(Map<String, String> options) {
        boolean window = options.containsKey("offset") || options.containsKey("size");
        return Set.of(window ? ChildRole.DATA : ChildRole.FILTERED, ChildRole.PRIMARY);
    }

    @Override
    public List<String> strongOptions() {
        return List.of("offset", "size");
    }

    @Override
    public DriverInstance open(OpenRequest request) throws BlockException {
        for (String option : request.options().keySet()) {
            if (!option.equals("offset") && !option.equals("size")) {
                throw new BlockException(
                        Kind.INVALID, "Block format 'raw' does not support the option '" + option + "'");
            }
        }
        return RawImage.open(
                request.file(),
                SizeOption.parse(request.options(), "offset", 0),
                SizeOption.parse(request.options(), "size", RawImage.TO_THE_END),
                !request.has(OpenRequest.Flag.READ_ONLY));
    }

    @Override
    public void create(CreateRequest request) throws BlockException {
        String preallocation = request.options().getOrDefault("preallocation", "off");
        Preallocation mode = switch (preallocation) {
            case "off" -> Preallocation.OFF;
            case "metadata" -> Preallocation.METADATA;
            case "falloc" -> Preallocation.FALLOC;
            case "full" -> Preallocation.FULL;
            default ->
                throw new BlockException(
                        Kind.INVALID, "Parameter 'preallocation' does not accept value '" + preallocation + "'");
        };
        long sizeBytes = SizeOption.parse(request.options(), "size", 0);
        if (sizeBytes > Long.MAX_VALUE - RawImage.SECTOR_BYTES) {
            throw new BlockException(Kind.TOO_LARGE, "Image size is too large");
        }
        request.file().truncate(RawImage.wholeSectors(sizeBytes), mode);
    }

    /** What is not written counts: the file is as long as the disk, sparse or not. */
    @Override
    public MeasuredSize measure(MeasureRequest request) throws BlockException {
        MeasuredSource source = request.source();
        long bytes = source == null
                // Not checked for overflow: the result is unsigned.
                ? (SizeOption.parse(request.options(), "size", 0) + RawImage.SECTOR_BYTES - 1) & -RawImage.SECTOR_BYTES
                : source.lengthBytes();
        return new MeasuredSize(bytes, bytes, OptionalLong.empty());
    }

    @Override
    public List<String> childNames() {
        return List.of("file");
    }

    @Override
    public List<OptionDescriptor> createOptions() {
        return List.of(
                new OptionDescriptor("size", Type.SIZE, "Virtual disk size", null),
                new OptionDescriptor(
                        "preallocation", Type.STRING, "Preallocation mode (allowed values: off, falloc, full)", null));
    }

    @Override
    public List<OptionDescriptor> openOptions() {
        return List.of(
                new OptionDescriptor("offset", Type.SIZE, "offset in the disk where the image starts", "0"),
                new OptionDescriptor("size", Type.SIZE, "virtual disk size", null));
    }
}
