package dev.ashlar.core.request;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.MetadataAccess;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/** Metadata access through ordinary requests, for a parent whose file is itself an image or a filter that must see them. */
final class RequestMetadata implements MetadataAccess {
    private final Layer layer;

    RequestMetadata(Layer layer) {
        this.layer = layer;
    }

    @Override
    public void read(long offset, MemorySegment destination) throws BlockException {
        if (offset > layer.lengthBytes() - destination.byteSize()) {
            throw new BlockException(Kind.IO, "Metadata beyond the end of block node '" + layer.name() + "'");
        }
        layer.read(offset, destination, Origin.METADATA);
    }

    @Override
    public void write(long offset, MemorySegment source) throws BlockException {
        layer.write(offset, source, Origin.METADATA);
    }

    @Override
    public Optional<MappedView> map(long reserveBytes) {
        return Optional.empty();
    }
}
