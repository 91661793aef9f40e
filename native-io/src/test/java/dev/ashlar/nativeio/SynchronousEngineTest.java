package dev.ashlar.nativeio;

import static org.junit.jupiter.api.Assertions.assertFalse;

import org.junit.jupiter.api.Test;

/** The contract on the synchronous engine. */
class SynchronousEngineTest extends IoEngineContract {
    @Override
    IoEngine open(int capacity) throws ErrnoException {
        return IoEngines.open(capacity, EnginePreference.SYNCHRONOUS, EngineOwnership.MOVABLE);
    }

    @Test
    void saysWhatItIs() throws Exception {
        try (IoEngine engine = open(1)) {
            assertFalse(engine.isAsynchronous());
        }
    }
}
