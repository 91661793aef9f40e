package dev.ashlar.nativeio.codec;

import java.util.concurrent.atomic.AtomicBoolean;

/** Keeps a second thread, and any use after the end, away from state that a C library shares with nobody. */
final class OneUser {
    private final AtomicBoolean busy = new AtomicBoolean();

    /** Takes the state. @throws IllegalStateException if somebody has it, or it has ended */
    void enter() {
        if (!busy.compareAndSet(false, true)) {
            throw new IllegalStateException("the codec is closed or in use by another thread");
        }
    }

    /** Gives the state back; who never does has ended it. */
    void exit() {
        busy.set(false);
    }
}
