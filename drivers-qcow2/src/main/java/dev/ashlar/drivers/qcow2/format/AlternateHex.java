package dev.ashlar.drivers.qcow2.format;

/** Numbers as QEMU's messages have them: hexadecimal with {@code 0x}, but a plain 0. Source: printf(3), the flag {@code #}. */
public final class AlternateHex {
    private AlternateHex() {}

    /** @param value not negative */
    public static String of(long value) {
        return value == 0 ? "0" : "0x" + Long.toHexString(value);
    }
}
