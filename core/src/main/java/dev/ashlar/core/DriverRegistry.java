package dev.ashlar.core;

import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.DriverKind;
import dev.ashlar.core.spi.PrintableName;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.ServiceLoader;
import org.jspecify.annotations.Nullable;

/** The drivers of a graph: given, or found by {@link ServiceLoader} when first asked for. */
final class DriverRegistry {
    /** A driver that knows the file itself, whatever its name looks like. */
    private static final int CERTAIN = 100;

    private volatile @Nullable List<BlockDriver> drivers;

    DriverRegistry(@Nullable List<BlockDriver> drivers) {
        this.drivers = drivers == null ? null : List.copyOf(drivers);
    }

    List<BlockDriver> all() {
        List<BlockDriver> known = drivers;
        if (known == null) {
            List<BlockDriver> found = new ArrayList<>();
            for (BlockDriver driver : ServiceLoader.load(BlockDriver.class)) {
                found.add(driver);
            }
            known = Collections.unmodifiableList(found);
            drivers = known;
        }
        return known;
    }

    @Nullable
    BlockDriver find(String name) {
        for (BlockDriver driver : all()) {
            if (driver.name().equals(name)) {
                return driver;
            }
        }
        return null;
    }

    BlockDriver require(String name) throws BlockException {
        BlockDriver driver = find(name);
        if (driver == null) {
            throw new BlockException(Kind.NOT_FOUND, "Unknown driver '" + PrintableName.of(name) + "'");
        }
        return driver;
    }

    /** The format that fits best; the second one is told from a guess by {@link Probed#guessed}. */
    Probed probe(MemorySegment head) throws BlockException {
        BlockDriver best = null;
        int bestScore = 0;
        for (BlockDriver driver : all()) {
            int score = driver.kind() == DriverKind.FORMAT ? driver.probe(head) : 0;
            if (score > bestScore) {
                best = driver;
                bestScore = score;
            }
        }
        if (best == null) {
            throw new BlockException(Kind.CORRUPT, "Could not determine image format: no driver found");
        }
        return new Probed(best, bestScore <= 1);
    }

    /**
     * @param guessed nothing in the file speaks for the driver, it only takes what nobody else wants
     */
    record Probed(BlockDriver driver, boolean guessed) {}

    /** The protocol for a file name. */
    ProtocolChoice protocolFor(String fileName) throws BlockException {
        BlockDriver best = null;
        int bestScore = 0;
        for (BlockDriver driver : all()) {
            int score = driver.kind() == DriverKind.PROTOCOL ? driver.probeFileName(fileName) : 0;
            if (score > bestScore) {
                best = driver;
                bestScore = score;
            }
        }
        String prefix = FileNames.protocolOf(fileName);
        BlockDriver named = prefix == null ? null : find(prefix);
        if (prefix != null && named != null && named.kind() == DriverKind.PROTOCOL) {
            // What opens without a name has names that say nothing but which driver it is.
            boolean wantsWhole = !named.needsFileName();
            return new ProtocolChoice(named, wantsWhole ? fileName : fileName.substring(prefix.length() + 1));
        }
        if (best == null || (prefix != null && bestScore < CERTAIN)) {
            throw new BlockException(
                    Kind.NOT_FOUND,
                    prefix == null
                            ? "No driver opens '" + PrintableName.of(fileName) + "'"
                            : "Unknown protocol '" + PrintableName.of(prefix) + "'");
        }
        return new ProtocolChoice(best, fileName);
    }

    /** The filter that a name means (as {@code blkdebug:RULES:FILE} does), or null. */
    @Nullable
    BlockDriver filterNamedBy(String fileName) {
        String prefix = FileNames.protocolOf(fileName);
        BlockDriver named = prefix == null ? null : find(prefix);
        if (named == null || named.kind() != DriverKind.FILTER) {
            return null;
        }
        try {
            return named.parseFileName(fileName).isPresent() ? named : null;
        } catch (BlockException e) {
            // A name of this filter, but a wrong one.
            return named;
        }
    }

    /** @param fileName as the driver wants it */
    record ProtocolChoice(BlockDriver driver, String fileName) {}
}
