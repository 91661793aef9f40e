package dev.ashlar.core;

import dev.ashlar.core.request.LayerAccess;
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
    private final @Nullable String deviceName;
    private final boolean user;
    private volatile BlockNode child;
    /** The driver's way to the child; null for users and for backing files. */
    private volatile @Nullable LayerAccess access;

    // Guarded by the graph's lock.
    private @Nullable BlockNode parent;
    private EnumSet<Permission> used = EnumSet.noneOf(Permission.class);
    private EnumSet<Permission> shared = EnumSet.allOf(Permission.class);
    /** A user that will never write, whatever becomes of the node. Set before the edge is known to others. */
    private boolean reader;

    /** @throws IllegalArgumentException if the roles exclude one another */
    ChildEdge(String name, Set<ChildRole> roles, BlockNode child) {
        this(name, checked(roles), child, null, false);
    }

    private ChildEdge(String name, Set<ChildRole> roles, BlockNode child, @Nullable String deviceName, boolean user) {
        this.name = name;
        this.roles = Set.copyOf(roles);
        this.child = child;
        this.deviceName = deviceName;
        this.user = user;
    }

    /** An edge without a parent. */
    static ChildEdge ofUser(@Nullable String deviceName, BlockNode child) {
        return new ChildEdge("root", Set.of(), child, deviceName, true);
    }

    private static Set<ChildRole> checked(Set<ChildRole> roles) {
        boolean content = roles.contains(ChildRole.DATA) || roles.contains(ChildRole.METADATA);
        if (roles.contains(ChildRole.COW) && roles.size() > 1) {
            throw new IllegalArgumentException("COW excludes all other roles: " + roles);
        }
        if (roles.contains(ChildRole.FILTERED) && content) {
            throw new IllegalArgumentException("FILTERED excludes DATA and METADATA: " + roles);
        }
        return roles;
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

    /** Name of the device, for the edge of a user that has one. */
    @Nullable
    String deviceName() {
        return deviceName;
    }

    /** Gives the edge the driver's way to the child, which follows it from now on. */
    LayerAccess carry(LayerAccess way) {
        access = way;
        return way;
    }

    /** Leads the edge to another child. Under the graph's lock, the parent and both children drained (D4). */
    void switchTo(BlockNode fresh) {
        BlockNode before = child;
        child = fresh;
        LayerAccess way = access;
        if (way != null) {
            way.redirect(fresh.layer());
        }
        BlockNode above = parent;
        if (above != null) {
            above.layer().childSwitched(before.layer(), fresh.layer());
        }
        before.parentEdges().remove(this);
        fresh.parentEdges().add(this);
    }

    /** Who uses the child, in the words of messages. */
    String userDescription() {
        BlockNode above = parent;
        if (above != null) {
            return "node '" + above.name() + "'";
        }
        return deviceName != null ? "block device '" + deviceName + "'" : "an unnamed block device";
    }

    boolean has(ChildRole role) {
        return roles.contains(role);
    }

    @Nullable
    BlockNode parent() {
        return parent;
    }

    /** Whether this is an edge of a backend. */
    boolean isUser() {
        return user;
    }

    void becomeReader() {
        reader = true;
    }

    boolean isReader() {
        return reader;
    }

    /** Whether the parent is a node that is being opened still, and uses the child as it finds it. */
    boolean isBeingOpened() {
        return !user && parent == null;
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
