package dev.ashlar.core;

import java.util.EnumSet;
import org.jspecify.annotations.Nullable;

/**
 * Which permissions a parent takes and shares on each edge, and their way down to the locks of the files.
 *
 * <p>The rules are those of QEMU's {@code bdrv_default_perms} and {@code blk_new_open}: a user shares everything, it is formats with
 * tables that let nobody else write or resize their file.
 */
final class PermissionRules {
    private PermissionRules() {}

    /** How a node was opened, as far as permissions care. */
    record Mode(boolean writable, boolean noIo, boolean forceShare) {}

    /** Sets an edge of a user to what the mode asks for. */
    static void ofBackend(ChildEdge edge, Mode mode) {
        EnumSet<Permission> used = EnumSet.noneOf(Permission.class);
        if (!mode.noIo()) {
            used.add(Permission.CONSISTENT_READ);
        }
        if (mode.writable()) {
            used.add(Permission.WRITE);
            used.add(Permission.RESIZE);
        }
        edge.permit(used, EnumSet.allOf(Permission.class));
    }

    /**
     * Sets an edge of a node.
     *
     * @param parent the node with its own users, or null while it is being opened
     */
    static void ofChild(ChildEdge edge, Mode mode, @Nullable BlockNode parent) {
        EnumSet<Permission> used = parent == null ? EnumSet.noneOf(Permission.class) : usedOf(parent);
        EnumSet<Permission> shared = parent == null ? EnumSet.allOf(Permission.class) : sharedOf(parent);
        if (edge.has(ChildRole.COW)) {
            used.retainAll(EnumSet.of(Permission.CONSISTENT_READ));
            if (shared.contains(Permission.WRITE)) {
                shared = EnumSet.allOf(Permission.class);
            } else {
                shared = EnumSet.of(Permission.CONSISTENT_READ, Permission.WRITE_UNCHANGED);
            }
        } else if (edge.has(ChildRole.METADATA) || edge.has(ChildRole.DATA)) {
            if (mode.writable()) {
                used.add(Permission.WRITE);
                used.add(Permission.RESIZE);
            }
            if (edge.has(ChildRole.METADATA)) {
                if (!mode.noIo()) {
                    used.add(Permission.CONSISTENT_READ);
                }
                removeWriters(shared);
            } else {
                shared.remove(Permission.RESIZE);
            }
        }
        edge.permit(used, mode.forceShare() ? EnumSet.allOf(Permission.class) : shared);
    }

    static EnumSet<Permission> usedOf(BlockNode node) {
        EnumSet<Permission> used = EnumSet.noneOf(Permission.class);
        for (ChildEdge edge : node.parentEdges()) {
            used.addAll(edge.used());
        }
        return used;
    }

    static EnumSet<Permission> sharedOf(BlockNode node) {
        EnumSet<Permission> shared = EnumSet.allOf(Permission.class);
        for (ChildEdge edge : node.parentEdges()) {
            shared.retainAll(edge.shared());
        }
        return shared;
    }

    private static void removeWriters(EnumSet<Permission> shared) {
        shared.remove(Permission.WRITE);
        shared.remove(Permission.RESIZE);
    }
}
