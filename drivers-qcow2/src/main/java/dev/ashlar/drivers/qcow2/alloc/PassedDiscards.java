package dev.ashlar.drivers.qcow2.alloc;

/** Which space that is given up goes back to the host: the options {@code pass-discard-request}, {@code -snapshot} and {@code -other}. */
public record PassedDiscards(boolean request, boolean snapshot, boolean other) {
    public boolean passes(Discard reason) {
        return switch (reason) {
            case REQUEST -> request;
            case SNAPSHOT -> snapshot;
            case OTHER -> other;
            case ALWAYS -> true;
        };
    }
}
