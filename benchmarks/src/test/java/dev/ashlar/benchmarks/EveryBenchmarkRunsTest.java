package dev.ashlar.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.BenchmarkList;
import org.openjdk.jmh.runner.BenchmarkListEntry;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.format.OutputFormatFactory;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

/** Runs every benchmark for a moment, so that none rots. The first value of each parameter is taken: it is the small one. */
class EveryBenchmarkRunsTest {
    static Stream<String> benchmarks() {
        return entries().stream()
                .map(BenchmarkListEntry::getUsername)
                .distinct()
                .sorted();
    }

    @Test
    void theGeneratorHasSeenEveryBenchmark() throws ReflectiveOperationException {
        Set<String> classes =
                entries().stream().map(BenchmarkListEntry::getUserClassQName).collect(Collectors.toSet());
        assertTrue(classes.contains(FileChannelReadBenchmark.class.getName()), classes.toString());
        for (String name : classes) {
            long annotated = Stream.of(Class.forName(name).getDeclaredMethods())
                    .filter(method -> method.isAnnotationPresent(Benchmark.class))
                    .count();
            long listed = benchmarks()
                    .filter(benchmark ->
                            benchmark.substring(0, benchmark.lastIndexOf('.')).equals(name))
                    .count();
            assertEquals(annotated, listed, name);
        }
    }

    @ParameterizedTest
    @MethodSource("benchmarks")
    void runs(String benchmark) throws RunnerException, ReflectiveOperationException {
        Class<?> type = Class.forName(benchmark.substring(0, benchmark.lastIndexOf('.')));
        if (type.isAnnotationPresent(NeedsQemuImg.class)) {
            assumeTrue(
                    MappedImages.canBeMade(), "qemu-img, which makes the images of this benchmark, is not installed");
        }
        var options = new OptionsBuilder()
                .include("^" + Pattern.quote(benchmark) + "$")
                .forks(0)
                .warmupIterations(0)
                .measurementIterations(1)
                .measurementTime(TimeValue.milliseconds(5))
                .measurementBatchSize(1)
                .timeout(TimeValue.seconds(60))
                .verbosity(VerboseMode.SILENT)
                .shouldFailOnError(true);
        entries().stream()
                .filter(entry -> entry.getUsername().equals(benchmark))
                .map(entry -> entry.getParams().orElse(Map.of()))
                .flatMap(parameters -> parameters.entrySet().stream())
                .distinct()
                .forEach(
                        parameter -> options.param(parameter.getKey(), parameter.getValue()[0]));
        var results = new Runner(options.build()).run();
        assertTrue(!results.isEmpty(), "nothing ran");
        for (RunResult result : results) {
            assertTrue(result.getPrimaryResult().getSampleCount() > 0, "nothing was measured");
        }
    }

    private static List<BenchmarkListEntry> entries() {
        var silent = OutputFormatFactory.createFormatInstance(System.out, VerboseMode.SILENT);
        return List.copyOf(BenchmarkList.defaultList().getAll(silent, List.of()));
    }
}
