package dev.ashlar.fuzz;

import com.code_intelligence.jazzer.api.FuzzedDataProvider;
import com.code_intelligence.jazzer.junit.FuzzTest;

/** Sound images with some words changed, read in every way. */
class ReadPatchedFuzzTest {
    @FuzzTest
    void readsOrRefuses(FuzzedDataProvider data) {
        Exercise.read(Patches.apply(data));
    }
}
