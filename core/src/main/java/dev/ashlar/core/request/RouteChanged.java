package dev.ashlar.core.request;

/**
 * A user's request was held back at a node, or was on its way there, while the graph led the user elsewhere; nothing was done. It is to be
 * made again at the node where the user is now (D7).
 */
public final class RouteChanged extends RuntimeException {
    private static final long serialVersionUID = 1L;

    RouteChanged() {
        super("the user's requests go to another node now", null, false, false);
    }
}
