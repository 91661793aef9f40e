package dev.ashlar.fuzz;

import com.code_intelligence.jazzer.api.FuzzedDataProvider;
import com.code_intelligence.jazzer.junit.FuzzTest;

/** Sound images with some words changed, checked and repaired. */
class RepairPatchedFuzzTest {
    @FuzzTest
    void repairsOrRefuses(FuzzedDataProvider data) {
        Exercise.repair(Patches.apply(data));
    }
}
