package dev.ashlar.core.spi;

import dev.ashlar.core.BlockException;
import java.util.function.Consumer;

/** A format whose consistency can be checked. Called on a drained node. */
public interface Checkable {
    /** What may be repaired. */
    enum Repair {
        /** Nothing: the image stays as it is. */
        NONE,
        /** Leaked clusters, and COPIED flags that are stale in the harmless direction. */
        LEAKS,
        /** Everything that can be. */
        ALL
    }

    /** @param findings takes each finding as it is met, one line of text */
    default CheckReport check(Repair repair, Consumer<String> findings) throws BlockException {
        return check(repair, findings, CheckProgress.NONE);
    }

    /** As {@link #check(Repair, Consumer)}, telling how far it is. */
    CheckReport check(Repair repair, Consumer<String> findings, CheckProgress progress) throws BlockException;
}
