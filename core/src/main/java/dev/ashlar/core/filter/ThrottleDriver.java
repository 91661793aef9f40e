package dev.ashlar.core.filter;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.DriverInstance;
import dev.ashlar.core.spi.DriverKind;
import dev.ashlar.core.spi.OpenRequest;
import dev.ashlar.core.spi.OptionDescriptor;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Filter {@code throttle}: limits bytes and requests per second. {@code throttle-group} names the group; {@code limits.bps-total=…} and
 * its kin, at the node, make the group or change it, which is ours: QEMU sets limits at the group alone, as {@link #group} does. Groups
 * belong to this object, and so to the graph that found it.
 */
public final class ThrottleDriver implements BlockDriver {
    private final ThrottleClock clock;
    /** Groups that were asked for or have members; guarded by itself. */
    private final Map<String, ThrottleGroup> groups = new HashMap<>();

    private final Map<String, ThrottleGroup> kept = new HashMap<>();

    public ThrottleDriver() {
        this(ThrottleClock.SYSTEM);
    }

    ThrottleDriver(ThrottleClock clock) {
        this.clock = clock;
    }

    /** The group of that name, made if there is none; it stays, with members or without. */
    public ThrottleGroup group(String name) {
        synchronized (groups) {
            ThrottleGroup group = groups.computeIfAbsent(name, key -> new ThrottleGroup(key, clock));
            kept.put(name, group);
            return group;
        }
    }

    @Override
    public String name() {
        return "throttle";
    }

    @Override
    public DriverKind kind() {
        return DriverKind.FILTER;
    }

    @Override
    public List<String> strongOptions() {
        return List.of("throttle-group");
    }

    @Override
    public DriverInstance open(OpenRequest request) throws BlockException {
        FilterOptions options = new FilterOptions(name(), request.options());
        String groupName = options.text("throttle-group");
        Map<String, String> limitTexts = options.group("limits.");
        options.refuseRest();
        if (groupName == null) {
            throw new BlockException(Kind.INVALID, "Please specify a throttle group");
        }
        ThrottleLimits limits = ThrottleLimits.of(limitTexts);
        synchronized (groups) {
            ThrottleGroup group = groups.get(groupName);
            if (group == null) {
                if (limitTexts.isEmpty()) {
                    throw new BlockException(Kind.NOT_FOUND, "Throttle group '" + groupName + "' does not exist");
                }
                group = new ThrottleGroup(groupName, clock);
                groups.put(groupName, group);
            }
            if (!limitTexts.isEmpty()) {
                group.configure(limits);
            }
            return new ThrottleFilter(request.file(), group.join(), this);
        }
    }

    @Override
    public List<OptionDescriptor> openOptions() {
        return List.of(new OptionDescriptor(
                "throttle-group", OptionDescriptor.Type.STRING, "name of the throttle group", null));
    }

    void left(ThrottleGroup group) {
        synchronized (groups) {
            if (group.memberCount() == 0 && !kept.containsKey(group.name())) {
                groups.remove(group.name());
            }
        }
    }
}
