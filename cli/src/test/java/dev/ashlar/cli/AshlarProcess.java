package dev.ashlar.cli;

import java.io.File;
import java.lang.module.ResolvedModule;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/** The program in a virtual machine of its own, for what can't be seen from inside. */
final class AshlarProcess {
    private AshlarProcess() {}

    /** The words that start it, with default signals: what runs the tests may have been told to ignore some. */
    static List<String> command(String program, String... arguments) {
        List<String> words = new ArrayList<>(List.of(
                "env",
                "--default-signal",
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-Dashlar.program=" + program));
        if (Main.class.getModule().isNamed()) {
            words.addAll(List.of("--enable-native-access=dev.ashlar.nativeio", "-p", modulePath()));
            words.addAll(List.of("-m", "dev.ashlar.cli/" + Main.class.getName()));
        } else {
            words.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path")));
            words.add(Main.class.getName());
        }
        words.addAll(List.of(arguments));
        return words;
    }

    private static String modulePath() {
        return ModuleLayer.boot().configuration().modules().stream()
                .filter(AshlarProcess::belongsToProgram)
                .map(each -> Path.of(each.reference().location().orElseThrow()).toString())
                .collect(Collectors.joining(File.pathSeparator));
    }

    private static boolean belongsToProgram(ResolvedModule module) {
        return module.name().startsWith("dev.ashlar.") && !module.name().equals("dev.ashlar.testkit");
    }
}
