package dev.ashlar.nativeio;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which engine is made when the kernel, or a policy, plays along less and less. */
class EngineChoiceTest {
    /** A kernel that refuses a call with an errno and passes on the others. */
    private record Refusing(int setupErrno, int registerErrno) implements RingKernel {
        @Override
        public int setup(int entries, MemorySegment params) {
            return setupErrno != 0 ? -setupErrno : LINUX.setup(entries, params);
        }

        @Override
        public int enter(int ring, int toSubmit, int minComplete, int flags, long argument, long argumentBytes) {
            return LINUX.enter(ring, toSubmit, minComplete, flags, argument, argumentBytes);
        }

        @Override
        public int register(int ring, int operation, long argument, int count) {
            return registerErrno != 0 ? -registerErrno : LINUX.register(ring, operation, argument, count);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {Errno.ENOSYS, Errno.EPERM, Errno.EACCES, Errno.ENOMEM, Errno.EINVAL, Errno.EMFILE})
    void fallsBackWhenRingsAreRefused(int errno) throws Exception {
        RingKernel kernel = new Refusing(errno, 0);
        try (IoEngine engine = IoEngines.open(4, EnginePreference.AUTOMATIC, EngineOwnership.MOVABLE, kernel)) {
            assertFalse(engine.isAsynchronous());
            assertTrue(engine.prepareNop(1));
            assertEquals(1, engine.await(1, (token, result) -> {}));
        }
        ErrnoException e = assertThrows(
                ErrnoException.class,
                () -> IoEngines.open(4, EnginePreference.IO_URING, EngineOwnership.MOVABLE, kernel));
        assertEquals(errno, e.errno());
        assertEquals(errno, RingFeatures.probe(kernel).refusal());
        assertFalse(RingFeatures.probe(kernel).isSufficient());
    }

    @Test
    void fallsBackWhenTheProbeIsRefused() throws Exception {
        try (IoEngine engine =
                IoEngines.open(4, EnginePreference.AUTOMATIC, EngineOwnership.MOVABLE, new Refusing(0, Errno.EINVAL))) {
            assertFalse(engine.isAsynchronous());
        }
    }

    @Test
    void asksForLessWhenTheKernelDoesNotKnowAFlag() throws Exception {
        List<Integer> asked = new ArrayList<>();
        RingKernel old = new RingKernel() {
            @Override
            public int setup(int entries, MemorySegment params) {
                int flags = params.get(java.lang.foreign.ValueLayout.JAVA_INT, RingSetup.FLAGS);
                asked.add(flags);
                return (flags & ~RingSetup.CLAMP) != 0 ? -Errno.EINVAL : LINUX.setup(entries, params);
            }

            @Override
            public int enter(int ring, int toSubmit, int minComplete, int flags, long argument, long bytes) {
                return LINUX.enter(ring, toSubmit, minComplete, flags, argument, bytes);
            }

            @Override
            public int register(int ring, int operation, long argument, int count) {
                return LINUX.register(ring, operation, argument, count);
            }
        };
        boolean hasRings = RingFeatures.probe().isSufficient();
        try (IoEngine engine = IoEngines.open(4, EnginePreference.AUTOMATIC, EngineOwnership.FIRST_SUBMITTER, old)) {
            assertEquals(hasRings, engine.isAsynchronous());
            engine.prepareNop(1);
            assertEquals(1, engine.await(1, (token, result) -> {}));
        }
        assertEquals(4, asked.size(), asked::toString);
        assertEquals(RingSetup.CLAMP, asked.getLast());
    }

    @Test
    void refusesImpossibleCapacities() {
        assertThrows(IllegalArgumentException.class, () -> IoEngines.open(0));
        assertThrows(IllegalArgumentException.class, () -> IoEngines.open(IoEngines.MAX_CAPACITY + 1));
    }
}
