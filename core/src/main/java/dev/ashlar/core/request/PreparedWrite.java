package dev.ashlar.core.request;

import java.util.List;

/** What {@link Layer#compress} has done ahead of a compressed write; nothing where a layer can do nothing ahead. */
public final class PreparedWrite implements AutoCloseable {
    static final PreparedWrite NOTHING = new PreparedWrite(List.of());

    private final List<EncodedUnits> units;

    PreparedWrite(List<EncodedUnits> units) {
        this.units = units;
    }

    List<EncodedUnits> units() {
        return units;
    }

    @Override
    public void close() {
        units.forEach(EncodedUnits::close);
    }
}
