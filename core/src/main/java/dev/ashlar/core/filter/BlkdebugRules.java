package dev.ashlar.core.filter;

import dev.ashlar.core.spi.BlockEvent;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The state machine of a {@code blkdebug} node: events arm errors and change the state, requests meet the armed errors. Rules that are
 * added later come first; the first error rule at an event disarms those armed before. Thread-safe.
 */
final class BlkdebugRules {
    /** An error rule that is armed, with the requests it has met. */
    private static final class Armed {
        final BlkdebugRule.InjectError rule;
        long met;

        Armed(BlkdebugRule.InjectError rule) {
            this.rule = rule;
        }
    }

    private final ArrayDeque<BlkdebugRule> rules = new ArrayDeque<>();
    private final ArrayDeque<Armed> armed = new ArrayDeque<>();
    private int state = 1;

    BlkdebugRules(List<BlkdebugRule> inOrder) {
        inOrder.forEach(rules::addFirst);
        List<String> tags = event(BlockEvent.NONE);
        assert tags.isEmpty();
    }

    synchronized void add(BlkdebugRule rule) {
        rules.addFirst(rule);
    }

    /** Removes the breakpoints of that tag. @return whether there were any */
    synchronized boolean removeBreakpoints(String tag) {
        return rules.removeIf(rule ->
                rule instanceof BlkdebugRule.Suspend suspend && suspend.tag().equals(tag));
    }

    /** Handles an event. @return tags under which the request is to be suspended, one after the other */
    synchronized List<String> event(BlockEvent event) {
        List<String> tags = List.of();
        int newState = state;
        boolean disarmed = false;
        for (Iterator<BlkdebugRule> all = rules.iterator(); all.hasNext(); ) {
            BlkdebugRule rule = all.next();
            if (rule.event() != event || (rule.state() != 0 && rule.state() != state)) {
                continue;
            }
            switch (rule) {
                case BlkdebugRule.InjectError error -> {
                    if (!disarmed) {
                        armed.clear();
                        disarmed = true;
                    }
                    armed.addFirst(new Armed(error));
                }
                case BlkdebugRule.SetState change -> newState = change.newState();
                case BlkdebugRule.Suspend suspend -> {
                    if (tags.isEmpty()) {
                        tags = new ArrayList<>(1);
                    }
                    tags.add(suspend.tag());
                    all.remove();
                }
            }
        }
        state = newState;
        return tags;
    }

    /** The error that a request meets, or null. An error that strikes once is gone for good. */
    synchronized BlkdebugRule.@Nullable InjectError errorFor(
            BlkdebugRule.RequestType type, long offset, long lengthBytes) {
        for (Iterator<Armed> all = armed.iterator(); all.hasNext(); ) {
            Armed candidate = all.next();
            BlkdebugRule.InjectError rule = candidate.rule;
            if (!rule.matches(type, offset, lengthBytes)) {
                continue;
            }
            if (++candidate.met < rule.nth()) {
                continue;
            }
            if (rule.once()) {
                all.remove();
                rules.remove(rule);
            }
            return rule.errno() == 0 ? null : rule;
        }
        return null;
    }
}
