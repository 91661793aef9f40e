package dev.ashlar.core.filter;

import dev.ashlar.core.spi.BlockEvent;
import java.util.Locale;
import java.util.Set;

/** What happens at an event. {@link #state} is the state in which the rule counts, 0: in any. */
sealed interface BlkdebugRule {
    BlockEvent event();

    int state();

    /** Kinds of request that an error may hit. */
    enum RequestType {
        READ,
        WRITE,
        WRITE_ZEROES,
        DISCARD,
        FLUSH,
        BLOCK_STATUS;

        String label() {
            return name().toLowerCase(Locale.ROOT).replace('_', '-');
        }
    }

    /**
     * From the event on, requests fail.
     *
     * @param errno what they fail with; 0: with nothing
     * @param offset only requests that contain this byte, -1: any
     * @param once only the first one that matches
     * @param immediately without giving other threads a chance first
     * @param nth the first request that fails, of those that match, from 1
     */
    record InjectError(
            BlockEvent event,
            int state,
            Set<RequestType> types,
            int errno,
            long offset,
            boolean once,
            boolean immediately,
            int nth)
            implements BlkdebugRule {
        boolean matches(RequestType type, long start, long lengthBytes) {
            return types.contains(type) && (offset < 0 || (offset >= start && offset - start < lengthBytes));
        }
    }

    /** The event changes the state. */
    record SetState(BlockEvent event, int state, int newState) implements BlkdebugRule {}

    /** The request that comes to the event is suspended, once. */
    record Suspend(BlockEvent event, String tag) implements BlkdebugRule {
        @Override
        public int state() {
            return 0;
        }
    }
}
