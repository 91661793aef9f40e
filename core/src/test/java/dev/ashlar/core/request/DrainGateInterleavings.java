package dev.ashlar.core.request;

import org.jetbrains.lincheck.datastructures.ManagedStrategyGuaranteeKt;
import org.jetbrains.lincheck.datastructures.ModelCheckingOptions;
import org.jetbrains.lincheck.datastructures.Operation;
import org.junit.jupiter.api.Test;

/**
 * The gate of a node under Lincheck's model checker, which switches threads between any two accesses to shared memory: who comes in by one
 * compare-and-set beside who closes the gate and then looks. What an operation returns must be what some order of whole operations
 * returns.
 *
 * <p>{@code -Dashlar.interleavings=20000} tries more interleavings per pair. Runs in a JVM of its own, on the class path.
 */
class DrainGateInterleavings {
    private static final int INTERLEAVINGS = Integer.getInteger("ashlar.interleavings", 600);

    /** D1: no ordinary request sees a drain from inside. */
    @Test
    void userAndDrain() {
        check(UserAndDrain.class);
    }

    /** D1: nor does one that runs alone. */
    @Test
    void serialisingUserAndDrain() {
        check(SerialisingUserAndDrain.class);
    }

    /** F2: who runs alone is alone. */
    @Test
    void userAndSerialisingUser() {
        check(UserAndSerialisingUser.class);
    }

    private static void check(Class<?> pair) {
        new ModelCheckingOptions()
                .iterations(1)
                .invocationsPerIteration(INTERLEAVINGS)
                .threads(2)
                .actorsPerThread(1)
                .actorsBefore(0)
                .actorsAfter(0)
                .minimizeFailedScenario(false)
                // Looking through all slots and spinning for the lock are no livelocks.
                .loopBound(500)
                .loopIterationsBeforeThreadSwitch(5)
                // Sixty-four loads that nothing depends on one by one.
                .addGuarantee(ManagedStrategyGuaranteeKt.forClasses(RequestSlots.class.getName())
                        .methods("<init>", "taken", "overlaps", "isInside")
                        .ignore())
                .check(pair);
    }

    /** One in each thread: operations of a group never run beside one another. Each leaves a sign while it is inside. */
    abstract static class Pair {
        private final RequestTracker tracker = new RequestTracker();
        private volatile boolean used;
        private volatile boolean usedAlone;
        private volatile boolean standing;

        /** @return whether somebody was inside who must not be */
        boolean use() {
            TrackedRequest request = tracker.enter(0, 4096, Origin.BACKEND);
            used = true;
            boolean seen = standing || usedAlone;
            used = false;
            tracker.exit(request);
            return seen;
        }

        /** As {@link #use}. */
        boolean useAlone() {
            TrackedRequest request = tracker.enterSerialising(0, 4096, Origin.BACKEND);
            usedAlone = true;
            boolean seen = standing || used;
            usedAlone = false;
            tracker.exit(request);
            return seen;
        }

        /** As {@link #use}. */
        boolean drain() {
            tracker.drainBegin(-1);
            tracker.awaitIdle();
            standing = true;
            boolean seen = used || usedAlone || tracker.inFlight() > 0;
            standing = false;
            tracker.drainEnd(-1);
            return seen;
        }
    }

    public static class UserAndDrain extends Pair {
        @Override
        @Operation(nonParallelGroup = "user")
        public boolean use() {
            return super.use();
        }

        @Override
        @Operation(nonParallelGroup = "control")
        public boolean drain() {
            return super.drain();
        }
    }

    public static class SerialisingUserAndDrain extends Pair {
        @Override
        @Operation(nonParallelGroup = "user")
        public boolean useAlone() {
            return super.useAlone();
        }

        @Override
        @Operation(nonParallelGroup = "control")
        public boolean drain() {
            return super.drain();
        }
    }

    public static class UserAndSerialisingUser extends Pair {
        @Override
        @Operation(nonParallelGroup = "user")
        public boolean use() {
            return super.use();
        }

        @Override
        @Operation(nonParallelGroup = "control")
        public boolean useAlone() {
            return super.useAlone();
        }
    }
}
