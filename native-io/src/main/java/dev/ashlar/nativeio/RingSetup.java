package dev.ashlar.nativeio;

/**
 * One way to ask for a ring, and where {@code struct io_uring_params} has its fields.
 *
 * @param flags setup flags
 * @param completionEntries length of the completion queue, used with {@link #CQSIZE}
 */
record RingSetup(int flags, int completionEntries) {
    /*
     *   0 u32 sq_entries   4 u32 cq_entries   8 u32 flags   12 u32 sq_thread_cpu
     *  16 u32 sq_thread_idle                 20 u32 features 24 u32 wq_fd   28 u32[3]
     *  40 sq: u32 head, tail, ring_mask, ring_entries, flags, dropped, array, -, u64 -
     *  80 cq: u32 head, tail, ring_mask, ring_entries, overflow, cqes, flags, -, u64 -
     */
    static final int PARAMS_BYTES = 120;
    static final int SQ_ENTRIES = 0;
    static final int CQ_ENTRIES = 4;
    static final int FLAGS = 8;
    static final int FEATURES = 20;
    static final int SQ_OFFSETS = 40;
    static final int CQ_OFFSETS = 80;

    static final int CQSIZE = 1 << 3;
    static final int CLAMP = 1 << 4;
    static final int R_DISABLED = 1 << 6;
    static final int SUBMIT_ALL = 1 << 7;
    static final int COOP_TASKRUN = 1 << 8;
    static final int TASKRUN_FLAG = 1 << 9;
    static final int SINGLE_ISSUER = 1 << 12;
    static final int DEFER_TASKRUN = 1 << 13;

    /** The choices for an engine, best first; a kernel refuses flags it does not know with EINVAL. */
    static RingSetup[] choices(EngineOwnership ownership) {
        RingSetup plain = new RingSetup(CLAMP, 0);
        RingSetup submitAll = new RingSetup(CLAMP | SUBMIT_ALL, 0);
        if (ownership == EngineOwnership.MOVABLE) {
            return new RingSetup[] {submitAll, plain};
        }
        RingSetup cooperative = new RingSetup(CLAMP | SUBMIT_ALL | COOP_TASKRUN | TASKRUN_FLAG, 0);
        // Disabled until the first submission, which makes its thread the ring's only one.
        RingSetup deferred =
                new RingSetup(CLAMP | SUBMIT_ALL | TASKRUN_FLAG | SINGLE_ISSUER | DEFER_TASKRUN | R_DISABLED, 0);
        return new RingSetup[] {deferred, cooperative, submitAll, plain};
    }
}
