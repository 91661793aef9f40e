package dev.ashlar.fuzz;

import com.code_intelligence.jazzer.api.FuzzedDataProvider;
import com.code_intelligence.jazzer.junit.FuzzTest;

/** Sound images with some words changed, written to. */
class WritePatchedFuzzTest {
    @FuzzTest
    void writesOrRefuses(FuzzedDataProvider data) {
        Exercise.write(Patches.apply(data));
    }
}
