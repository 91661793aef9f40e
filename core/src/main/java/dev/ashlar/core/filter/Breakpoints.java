package dev.ashlar.core.filter;

import dev.ashlar.core.BlockNode;
import dev.ashlar.core.ChildEdge;
import dev.ashlar.core.ChildRole;
import dev.ashlar.core.spi.BlockEvent;
import java.util.Optional;

/**
 * Stops requests at an event, as qemu-io's {@code break}, {@code wait_break}, {@code resume} and {@code remove_break} do. A capability of
 * {@code blkdebug} nodes. A request that is suspended is under way: a drain of its node waits until it is resumed. Any thread.
 */
public interface Breakpoints {
    /** The breakpoints of the first node that has such, from that node down along primary children. */
    static Optional<Breakpoints> under(BlockNode node) {
        Optional<Breakpoints> found = node.capability(Breakpoints.class);
        if (found.isPresent()) {
            return found;
        }
        for (ChildEdge edge : node.children()) {
            if (edge.roles().contains(ChildRole.PRIMARY)) {
                return under(edge.node());
            }
        }
        return Optional.empty();
    }

    /** Hears of requests that stop and go on; called by the thread that stops, or makes another go on. Must not block. */
    interface Listener {
        void suspended(String tag);

        void resumed(String tag);
    }

    /** Tells a listener from now on, instead of the one before. */
    void listen(Listener listener);

    /** Suspends the next request that comes to the event; once. */
    void add(BlockEvent event, String tag);

    /** Waits until a request is suspended under that tag. An interrupt does not end the wait. */
    void awaitSuspended(String tag);

    boolean isSuspended(String tag);

    /** Lets one request suspended under that tag go on. @return false if there is none */
    boolean resume(String tag);

    /**
     * Removes breakpoints with that tag and lets all requests suspended under it go on.
     *
     * @return false if no request was still awaited: one that is suspended has used its breakpoint up
     */
    boolean remove(String tag);
}
