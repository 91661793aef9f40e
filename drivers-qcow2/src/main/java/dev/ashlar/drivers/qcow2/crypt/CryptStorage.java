package dev.ashlar.drivers.qcow2.crypt;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.ChildAccess;
import java.lang.foreign.MemorySegment;

/** Where a LUKS header and its key material lie: bytes from the start of the header. */
public interface CryptStorage {
    void read(long at, MemorySegment destination) throws BlockException;

    void write(long at, MemorySegment source) throws BlockException;

    /** Makes durable what was written. */
    void flush() throws BlockException;

    /** A part of a file. */
    static CryptStorage of(ChildAccess file, long hostOffset) {
        return new CryptStorage() {
            @Override
            public void read(long at, MemorySegment destination) throws BlockException {
                file.metadata().read(hostOffset + at, destination);
            }

            @Override
            public void write(long at, MemorySegment source) throws BlockException {
                file.metadata().write(hostOffset + at, source);
            }

            @Override
            public void flush() throws BlockException {
                file.flush();
            }
        };
    }
}
