package dev.ashlar.core.spi;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.Permission;
import java.lang.foreign.MemorySegment;
import java.util.Set;

/**
 * A leaf: reads and writes the host. Offsets, lengths and buffers obey {@link #limits()}; core pads. Calls block; the
 * asynchronous face is {@link #openQueue}.
 */
public non-sealed interface ProtocolInstance extends DriverInstance {
    /** The path, as the user gave it. */
    String fileName();

    /** Fills the whole buffer; bytes behind the end of the file read as zeros. */
    void read(long offset, MemorySegment destination) throws BlockException;

    /** Writes the whole buffer; a regular file grows, a device refuses with NO_SPACE. */
    void write(long offset, MemorySegment source) throws BlockException;

    /**
     * Makes the range read as zeros.
     *
     * @param mayUnmap the host may give the space back; false keeps it allocated
     */
    void writeZeroes(long offset, long lengthBytes, boolean mayUnmap) throws BlockException;

    /** The content of the range is no longer needed; it reads as anything afterwards. May do nothing. */
    void discard(long offset, long lengthBytes) throws BlockException;

    /**
     * How the range starts.
     *
     * @param lengthBytes at least 1; the range must begin before the end of the file
     */
    HostExtent extentAt(long offset, long lengthBytes) throws BlockException;

    /** Sets the size; a device allows only sizes up to its own and keeps it. New bytes read as zeros. */
    void truncate(long lengthBytes, Preallocation preallocation) throws BlockException;

    /** Bytes that the host has allocated for the file, or -1 where it does not tell. */
    long allocatedBytes() throws BlockException;

    /** Opens a queue on this file. The queue is closed before the instance is. */
    IoQueue openQueue(int capacity) throws BlockException;

    /** Buffered, byte-granular access beside {@link #read} and {@link #write}; same file, same flush. */
    MetadataAccess metadata();

    /**
     * Takes or changes the locks between processes.
     *
     * @param used what the parents of this node do
     * @param shared what they all let others do
     * @throws BlockException LOCKED when another process is in the way; then the locks are as before
     */
    void updatePermissions(Set<Permission> used, Set<Permission> shared) throws BlockException;

    /** Makes the name of a newly created file durable (fsync of its directory). */
    void syncName() throws BlockException;
}
