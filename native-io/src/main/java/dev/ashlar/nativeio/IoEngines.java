package dev.ashlar.nativeio;

/** Makes {@link IoEngine}s. */
public final class IoEngines {
    /** Largest capacity of an engine. */
    public static final int MAX_CAPACITY = 16_384;

    private IoEngines() {}

    /** An engine that may move between threads, through {@code io_uring} where possible. */
    public static IoEngine open(int capacity) {
        try {
            return open(capacity, EnginePreference.AUTOMATIC, EngineOwnership.MOVABLE);
        } catch (ErrnoException e) {
            throw new AssertionError("the synchronous engine needs nothing from the kernel", e);
        }
    }

    /**
     * Opens an engine.
     *
     * @param capacity largest number of operations in flight, 1 to {@link #MAX_CAPACITY}
     * @throws ErrnoException with {@link EnginePreference#IO_URING} only: the kernel or a policy does
     *     not allow it
     */
    public static IoEngine open(int capacity, EnginePreference preference, EngineOwnership ownership)
            throws ErrnoException {
        return open(capacity, preference, ownership, RingKernel.LINUX);
    }

    static IoEngine open(int capacity, EnginePreference preference, EngineOwnership ownership, RingKernel kernel)
            throws ErrnoException {
        if (capacity < 1 || capacity > MAX_CAPACITY) {
            throw new IllegalArgumentException("capacity must be 1 to 16384: " + capacity);
        }
        if (preference != EnginePreference.SYNCHRONOUS) {
            try {
                return UringEngine.open(capacity, ownership, kernel);
            } catch (ErrnoException e) {
                // Missing, forbidden by a policy, or over a limit: whatever it is, plain calls still work.
                if (preference == EnginePreference.IO_URING) {
                    throw e;
                }
            }
        }
        return new SynchronousEngine(capacity);
    }
}
