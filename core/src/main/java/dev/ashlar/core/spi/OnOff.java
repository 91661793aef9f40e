package dev.ashlar.core.spi;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;

/** Values of options that are on or off, in all the spellings that QEMU takes. */
public final class OnOff {
    private OnOff() {}

    /**
     * Whether a value says on. Any thread.
     *
     * @param name of the option, for the message
     * @throws BlockException INVALID for a value that says neither
     */
    public static boolean parse(String name, String value) throws BlockException {
        return switch (value) {
            case "on", "yes", "true", "y" -> true;
            case "off", "no", "false", "n" -> false;
            default -> throw new BlockException(Kind.INVALID, "Parameter '" + name + "' expects 'on' or 'off'");
        };
    }
}
