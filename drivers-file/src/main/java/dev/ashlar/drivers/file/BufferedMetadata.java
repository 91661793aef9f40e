package dev.ashlar.drivers.file;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.MetadataAccess;
import dev.ashlar.nativeio.Errno;
import dev.ashlar.nativeio.ErrnoException;
import dev.ashlar.nativeio.LinuxFile;
import dev.ashlar.nativeio.ReadOnlyMapping;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/** A format's own tables, through the page cache. */
final class BufferedMetadata implements MetadataAccess {
    private final LinuxFile file;

    /** @param file the descriptor without direct I/O */
    BufferedMetadata(LinuxFile file) {
        this.file = file;
    }

    @Override
    public void read(long offset, MemorySegment destination) throws BlockException {
        if (Transfers.read(file, offset, destination) < destination.byteSize()) {
            throw new BlockException(Kind.IO, "read behind the end of '" + file.path() + "' at offset " + offset);
        }
    }

    @Override
    public void write(long offset, MemorySegment source) throws BlockException {
        Transfers.write(file, offset, source);
    }

    @Override
    public Optional<MappedView> map(long reserveBytes) throws BlockException {
        try {
            return Optional.of(new View(ReadOnlyMapping.map(file, reserveBytes)));
        } catch (ErrnoException e) {
            if (e.errno() == Errno.ENODEV || e.errno() == Errno.ENOMEM || e.errno() == Errno.EACCES) {
                return Optional.empty();
            }
            throw Failures.of(e);
        }
    }

    private record View(ReadOnlyMapping mapping) implements MappedView {
        @Override
        public MemorySegment segment() {
            return mapping.segment();
        }

        @Override
        public void close() {
            mapping.close();
        }
    }
}
