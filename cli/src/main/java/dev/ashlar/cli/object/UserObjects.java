package dev.ashlar.cli.object;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.ProgramExit;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.filter.ThrottleDriver;
import dev.ashlar.core.filter.ThrottleLimits;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.SecretSource;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The objects that a command line defined, by id; ids are common to all types. {@link #close} wipes the secrets. Used by one thread, but
 * for {@link #secret}.
 */
public final class UserObjects implements SecretSource, AutoCloseable {
    private static final String[] TYPES = {"secret", "throttle-group"};

    private final Map<String, Object> objects = new LinkedHashMap<>();
    private final Consumer<String> notices;
    private final @Nullable List<BlockDriver> drivers;

    /**
     * @param notices takes what graphs have to say about damage that they notice in passing
     * @param drivers of the graphs; null: those that are installed
     */
    public UserObjects(Consumer<String> notices, @Nullable List<BlockDriver> drivers) {
        this.notices = notices;
        this.drivers = drivers;
    }

    /**
     * Takes the argument of one {@code --object}. Prints help and ends the program where that is asked for.
     *
     * @throws BlockException INVALID for a mistake, NOT_FOUND for a file or a secret that is not there
     */
    public void define(Console console, String text) throws BlockException {
        if (text.equals("help") || text.equals("?")) {
            console.out().print("List of user creatable objects:\n");
            for (String type : TYPES) {
                console.out().print("  " + type + "\n");
            }
            throw new ProgramExit(0);
        }
        ObjectProperties properties = ObjectProperties.of(text);
        String type = properties.type();
        if (properties.isHelpWanted()) {
            printHelp(console, type);
            throw new ProgramExit(0);
        }
        String id = properties.id();
        Object object = switch (type) {
            case "throttle-group" -> ThrottleLimitsText.of(properties);
            case "secret" -> Secret.of(properties, this);
            default ->
                throw new BlockException(Kind.INVALID, "Parameter 'qom-type' does not accept value '" + type + "'");
        };
        synchronized (objects) {
            if (objects.putIfAbsent(id, object) != null) {
                throw new BlockException(
                        Kind.EXISTS, "attempt to add duplicate property '" + id + "' to object (type 'container')");
            }
        }
    }

    /** A graph whose drivers know these objects. */
    public BlockGraph newGraph() throws BlockException {
        BlockGraph graph = drivers == null ? BlockGraph.create() : BlockGraph.create(drivers);
        graph.useSecrets(this);
        graph.onNotice(notices);
        for (Map.Entry<String, Object> entry : objects.entrySet()) {
            if (entry.getValue() instanceof ThrottleLimits limits
                    && graph.driver("throttle").orElse(null) instanceof ThrottleDriver driver) {
                driver.group(entry.getKey()).configure(limits);
            }
        }
        return graph;
    }

    @Override
    public byte[] secret(String id) throws BlockException {
        Object object;
        synchronized (objects) {
            object = objects.get(id);
        }
        if (object == null) {
            return SecretSource.NONE.secret(id);
        }
        if (object instanceof Secret secret) {
            return secret.copy();
        }
        throw new BlockException(Kind.INVALID, "Object with id '" + id + "' is not a secret");
    }

    /** Wipes the secrets and forgets everything. */
    @Override
    public void close() {
        synchronized (objects) {
            for (Object object : objects.values()) {
                if (object instanceof Secret secret) {
                    secret.wipe();
                }
            }
            objects.clear();
        }
    }

    private static void printHelp(Console console, String type) throws BlockException {
        Iterable<String> lines = switch (type) {
            case "throttle-group" -> ThrottleLimitsText.properties();
            case "secret" -> List.of(Secret.PROPERTIES);
            default ->
                throw new BlockException(Kind.INVALID, "Parameter 'qom-type' does not accept value '" + type + "'");
        };
        console.out().print(type + " options:\n");
        for (String line : lines) {
            console.out().print("  " + line + "\n");
        }
    }
}
