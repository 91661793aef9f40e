package dev.ashlar.core.filter;

/** Protocol {@code null-aio}: {@link NullDriver} under QEMU's other name. */
public final class NullAioDriver extends NullDriver {
    public NullAioDriver() {
        super("null-aio");
    }
}
