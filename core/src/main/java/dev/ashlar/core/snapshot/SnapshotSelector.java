package dev.ashlar.core.snapshot;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * How a user names a snapshot: {@code snapshot.id=ID,snapshot.name=NAME} (one of them or both), or a bare word that is an id or else a
 * name. A comma in a value is doubled.
 *
 * @param id null where not given
 * @param name null where not given
 * @param idOrName the bare word, or null; then id or name is given
 */
public record SnapshotSelector(
        @Nullable String id,
        @Nullable String name,
        @Nullable String idOrName) {
    private static final String PREFIX = "snapshot.";

    public SnapshotSelector {
        if (idOrName == null ? id == null && name == null : id != null || name != null) {
            throw new IllegalArgumentException("either id or name, or a word that is one of them");
        }
    }

    /** Whether a text is of the form with parameters, and not a bare word. */
    public static boolean isLongForm(String text) {
        return text.startsWith(PREFIX);
    }

    /**
     * Reads the text.
     *
     * @throws BlockException INVALID for a parameter that is none of these two
     */
    public static SnapshotSelector parse(String text) throws BlockException {
        if (!isLongForm(text)) {
            return new SnapshotSelector(null, null, text);
        }
        String id = null;
        String name = null;
        int at = 0;
        while (at < text.length()) {
            StringBuilder part = new StringBuilder();
            at = readPart(text, at, part);
            int equals = part.indexOf("=");
            String key = equals < 0 ? part.toString() : part.substring(0, equals);
            String value = equals < 0 ? "on" : part.substring(equals + 1);
            switch (key) {
                case "snapshot.id" -> id = value;
                case "snapshot.name" -> name = value;
                case "id" -> {
                    // names the list of options, as everywhere
                }
                default -> throw new BlockException(Kind.INVALID, "Invalid parameter '" + key + "'");
            }
        }
        return new SnapshotSelector(id, name, null);
    }

    /** Reads up to a single comma. @return where the next part starts */
    private static int readPart(String text, int from, StringBuilder part) {
        int at = from;
        while (at < text.length()) {
            char c = text.charAt(at);
            if (c == ',') {
                if (at + 1 == text.length() || text.charAt(at + 1) != ',') {
                    return at + 1;
                }
                at++;
            }
            part.append(c);
            at++;
        }
        return at;
    }

    /** The snapshot that is meant, if there is one. */
    public Optional<SnapshotInfo> find(SnapshotIndex index) {
        if (idOrName == null) {
            return index.find(id, name);
        }
        Optional<SnapshotInfo> byId = index.find(idOrName, null);
        return byId.isPresent() ? byId : index.find(null, idOrName);
    }

    /** What was asked for, in words for a message. */
    @Override
    public String toString() {
        return idOrName == null ? describe(id, name) : "id or name '" + idOrName + "'";
    }

    static String describe(@Nullable String id, @Nullable String name) {
        if (id == null) {
            return "name '" + name + "'";
        }
        return name == null ? "id '" + id + "'" : "id '" + id + "' and name '" + name + "'";
    }
}
