package dev.ashlar.core;

import java.util.EnumSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * An edge of the graph, from a parent to a child, with what the parent keeps there, does there and lets others do. A backend is
 * an edge without a parent node.
 */
public final class ChildEdge {
    private final String name;
    private final Set<ChildRole> roles;
    private final BlockNode child;

    // Guarded by the graph's lock.
    private @Nullable BlockNode parent;
    private EnumSet<Permission> used = EnumSet.noneOf(Permission.class);
    private EnumSet<Permission> shared = EnumSet.allOf(Permission.class);

    ChildEdge(String name, Set<ChildRole> roles, BlockNode child) {
        this.name = name;
        this.roles = Set.copyOf(roles);
        this.child = child;
    }

    /** The name of the edge: {@code file}, {@code backing}, … */
    public String name() {
        return name;
    }

    /** What the parent keeps in the child. */
    public Set<ChildRole> roles() {
        return roles;
    }

    /** The lower end. */
    public BlockNode node() {
        return child;
    }

    boolean has(ChildRole role) {
        return roles.contains(role);
    }

    @Nullable
    BlockNode parent() {
        return parent;
    }

    void bind(BlockNode parentNode) {
        parent = parentNode;
    }

    EnumSet<Permission> used() {
        return used;
    }

    EnumSet<Permission> shared() {
        return shared;
    }

    void permit(EnumSet<Permission> nowUsed, EnumSet<Permission> nowShared) {
        used = nowUsed;
        shared = nowShared;
    }
}
