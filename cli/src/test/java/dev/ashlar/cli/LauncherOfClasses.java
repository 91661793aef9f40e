package dev.ashlar.cli;

import java.io.File;
import java.lang.module.ResolvedModule;
import java.net.URI;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/** What a Java process of its own needs to know to find the program and classes of tests, however this one was started. */
final class LauncherOfClasses {
    private LauncherOfClasses() {}

    /** @param classes of the places that are to be on the class path */
    static List<String> words(Class<?>... classes) {
        List<ResolvedModule> modules = ModuleLayer.boot().configuration().modules().stream()
                .filter(each -> each.name().startsWith("dev.ashlar.")
                        && (each.name().contains(".drivers.")
                                || each.name().endsWith(".core")
                                || each.name().endsWith(".nativeio")))
                .toList();
        if (modules.isEmpty()) {
            return List.of("--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path"));
        }
        Set<String> classPath = new LinkedHashSet<>();
        classPath.add(Path.of("target", "test-classes").toAbsolutePath().toString());
        for (Class<?> each : classes) {
            classPath.add(place(URI.create(
                    each.getProtectionDomain().getCodeSource().getLocation().toString())));
        }
        String modulePath = modules.stream()
                .map(each -> place(each.reference().location().orElseThrow()))
                .collect(Collectors.joining(File.pathSeparator));
        return new ArrayList<>(List.of(
                "-p",
                modulePath,
                "--add-modules",
                modules.stream().map(ResolvedModule::name).collect(Collectors.joining(",")),
                "--enable-native-access=dev.ashlar.nativeio",
                "-cp",
                String.join(File.pathSeparator, classPath)));
    }

    private static String place(URI uri) {
        return Path.of(uri).toString();
    }
}
