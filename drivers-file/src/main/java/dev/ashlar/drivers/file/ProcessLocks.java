package dev.ashlar.drivers.file;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.Permission;
import dev.ashlar.nativeio.Errno;
import dev.ashlar.nativeio.LinuxFile;
import dev.ashlar.nativeio.LockType;
import dev.ashlar.nativeio.OfdLocks;
import java.util.EnumSet;
import java.util.Set;

/**
 * Keeps processes off each other's images in the way QEMU's file driver does, so that both exclude each other.
 *
 * <p>For permission number <i>n</i>, a process that uses it holds a read lock on byte 100 + <i>n</i> of the file, and a
 * process that does not let others use it holds one on byte 200 + <i>n</i>. Read locks never collide; a collision is found
 * by asking whether a write lock on the counterpart could be had. Locks are taken first and asked about afterwards, so that
 * of two processes that start together at least one sees the other.
 */
final class ProcessLocks {
    private static final long USED_BASE = 100;
    private static final long UNSHARED_BASE = 200;
    private static final Permission[] PERMISSIONS = Permission.values();

    private final OfdLocks locks;
    private final String fileName;
    private EnumSet<Permission> heldUsed = EnumSet.noneOf(Permission.class);
    private EnumSet<Permission> heldShared = EnumSet.allOf(Permission.class);

    ProcessLocks(LinuxFile file) {
        this.locks = OfdLocks.of(file);
        this.fileName = file.path();
    }

    /**
     * Changes what this process uses and shares; when it fails, everything is as before.
     *
     * @throws BlockException LOCKED when another process is in the way
     */
    synchronized void update(Set<Permission> used, Set<Permission> shared) throws BlockException {
        if (!heldUsed.containsAll(used) || !shared.containsAll(heldShared)) {
            try {
                for (Permission permission : PERMISSIONS) {
                    lockIf(used.contains(permission), USED_BASE, permission);
                    lockIf(!shared.contains(permission), UNSHARED_BASE, permission);
                }
                requireNoConflict(used, shared);
            } catch (BlockException e) {
                unlockAllBut(heldUsed, heldShared);
                throw e;
            }
        }
        unlockAllBut(used, shared);
        heldUsed = copyOf(used);
        heldShared = copyOf(shared);
    }

    /** Gives up all locks. Closing the file does that too, but not while a process that is being started has a copy of the descriptor. */
    synchronized void release() {
        heldUsed.forEach(permission -> locks.unlock(USED_BASE + permission.ordinal(), 1));
        EnumSet.complementOf(heldShared).forEach(permission -> locks.unlock(UNSHARED_BASE + permission.ordinal(), 1));
        heldUsed = EnumSet.noneOf(Permission.class);
        heldShared = EnumSet.allOf(Permission.class);
    }

    private void requireNoConflict(Set<Permission> used, Set<Permission> shared) throws BlockException {
        for (Permission permission : PERMISSIONS) {
            if (used.contains(permission)) {
                probe(UNSHARED_BASE, permission, "Failed to get \"%s\" lock");
            }
            if (!shared.contains(permission)) {
                probe(USED_BASE, permission, "Failed to get shared \"%s\" lock");
            }
        }
    }

    private void lockIf(boolean wanted, long base, Permission permission) throws BlockException {
        if (wanted) {
            long offset = base + permission.ordinal();
            int result = locks.tryLock(LockType.READ, offset, 1);
            if (result < 0) {
                throw failure(result, "Failed to lock byte " + offset);
            }
        }
    }

    private void probe(long base, Permission permission, String format) throws BlockException {
        int result = locks.probe(LockType.WRITE, base + permission.ordinal(), 1);
        if (result < 0) {
            throw failure(result, format.replace("%s", permission.label()));
        }
    }

    private BlockException failure(int result, String message) {
        if (result == -Errno.EAGAIN || result == -Errno.EACCES) {
            return new BlockException(
                    Kind.LOCKED, message + "\nIs another process using the image [" + fileName + "]?");
        }
        String reason = Errno.text(-result);
        return new BlockException(Failures.kindOf(-result), message + ": " + reason, reason, null);
    }

    private void unlockAllBut(Set<Permission> used, Set<Permission> shared) {
        for (Permission permission : PERMISSIONS) {
            // Unlocking cannot conflict with anyone; what the kernel might fail of it ends with the descriptor.
            if (!used.contains(permission)) {
                locks.unlock(USED_BASE + permission.ordinal(), 1);
            }
            if (shared.contains(permission)) {
                locks.unlock(UNSHARED_BASE + permission.ordinal(), 1);
            }
        }
    }

    private static EnumSet<Permission> copyOf(Set<Permission> permissions) {
        EnumSet<Permission> copy = EnumSet.noneOf(Permission.class);
        copy.addAll(permissions);
        return copy;
    }
}
