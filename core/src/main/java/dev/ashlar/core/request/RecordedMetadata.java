package dev.ashlar.core.request;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.bitmap.NodeBitmaps;
import dev.ashlar.core.spi.MetadataAccess;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/** Metadata access past a filter: the filter does not see it, its bitmaps do. */
final class RecordedMetadata implements MetadataAccess {
    private final MetadataAccess below;
    private final NodeBitmaps bitmaps;

    RecordedMetadata(MetadataAccess below, NodeBitmaps bitmaps) {
        this.below = below;
        this.bitmaps = bitmaps;
    }

    @Override
    public void read(long offset, MemorySegment destination) throws BlockException {
        below.read(offset, destination);
    }

    @Override
    public void write(long offset, MemorySegment source) throws BlockException {
        try {
            below.write(offset, source);
        } finally {
            bitmaps.written(offset, offset + source.byteSize());
        }
    }

    @Override
    public void claim(long offset, long lengthBytes) throws BlockException {
        try {
            below.claim(offset, lengthBytes);
        } finally {
            bitmaps.written(offset, offset + lengthBytes);
        }
    }

    @Override
    public Optional<MappedView> map(long reserveBytes) throws BlockException {
        return below.map(reserveBytes);
    }
}
