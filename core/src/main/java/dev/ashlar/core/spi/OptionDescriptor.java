package dev.ashlar.core.spi;

import java.util.Objects;

/**
 * One option of a driver.
 *
 * @param name as users spell it, for instance {@code cluster_size}
 * @param type what its text must look like
 * @param help one line
 * @param defaultValue text of the default, or null where there is none
 */
public record OptionDescriptor(
        String name,
        Type type,
        String help,
        @org.jspecify.annotations.Nullable String defaultValue) {
    /** Text form of a value. */
    public enum Type {
        /** Any text. */
        STRING("str"),
        /** {@code on} or {@code off}. */
        BOOLEAN("bool (on/off)"),
        /** A whole number. */
        NUMBER("num"),
        /** Bytes, with an optional suffix k, M, G, T, P or E (powers of 1024). */
        SIZE("size");

        private final String label;

        Type(String label) {
            this.label = label;
        }

        /** How help texts name the type. */
        public String label() {
            return label;
        }
    }

    public OptionDescriptor {
        Objects.requireNonNull(name, "name");
        Objects.requireNonNull(type, "type");
        Objects.requireNonNull(help, "help");
    }
}
