package dev.ashlar.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.testkit.host.Command;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The script that starts the program, in a tree of its own where everything is built and {@code java} is a script that tells what it was given. */
class LauncherTest {
    private static final String JAVA = """
        #!/bin/sh
        streams=$(for stream in 0 1 2; do
          echo "$stream $(readlink /proc/$$/fd/$stream)"
        done)
        echo "$streams" >"${0%/*}/streams"
        echo "${LC_ALL:-none}" >"${0%/*}/locale"
        for word in "$@"; do
          printf '<%s>' "$word"
        done
        echo said
        """;

    @TempDir
    Path tree;

    private Path java;

    @BeforeEach
    void tree() throws IOException {
        Path real = Path.of("..").toAbsolutePath().normalize();
        Files.copy(real.resolve("ashlar"), tree.resolve("ashlar"));
        Files.createDirectories(tree.resolve("cli/src/main"));
        Files.createFile(tree.resolve("pom.xml"));
        Files.createFile(tree.resolve("cli/pom.xml"));
        Files.createDirectory(tree.resolve(".mvn"));
        // No JDK of this machine counts here, except through the variables that a test sets.
        String search = Files.readString(real.resolve(".mvn/jdk.sh"))
                .replace("/usr/lib/jvm/* /opt/* /opt/java/*", tree + "/jvm/*");
        Files.writeString(tree.resolve(".mvn/jdk.sh"), search);
        java = script("bin/java", JAVA);
    }

    private Path script(String name, String text) throws IOException {
        Path script = tree.resolve(name);
        Files.createDirectories(script.getParent());
        Files.writeString(script, text);
        assertTrue(script.toFile().setExecutable(true));
        return script;
    }

    private void built() throws IOException {
        Path build = Files.createDirectories(tree.resolve("cli/target/launch/build.1"));
        Files.writeString(
                build.resolveSibling("current"), build + "\n\n" + java + "\n-XX:AOTCache=" + build + "/cache\n");
    }

    /** Runs a line of the shell, with the tree's folder as {@code $T}. */
    private Command.Result shell(String line, String... variables) {
        List<String> words =
                new ArrayList<>(List.of("env", "-u", "JAVA_HOME", "-u", "LC_ALL", "-u", "LC_CTYPE", "-u", "LANG"));
        words.addAll(List.of("HOME=" + tree, "T=" + tree));
        words.addAll(List.of(variables));
        words.addAll(List.of("sh", "-c", line));
        return new Command(words, null, Map.of(), Duration.ofMinutes(1)).run();
    }

    @Test
    void hearsArgumentsAsTheyAre() throws IOException {
        built();
        Command.Result result =
                shell("\"$T/ashlar\" info -- '-a b' 'c\nd' '' '*'").orFail();
        assertTrue(result.output().endsWith("dev.ashlar.cli.Main><info><--><-a b><c\nd><><*>said\n"), result.output());
        assertTrue(result.output().contains("<-Dashlar.program=ashlar>"), result.output());
        Files.createSymbolicLink(tree.resolve("qemu-img"), Path.of("ashlar"));
        result = shell("cd \"$T/bin\" && PATH=$T:$PATH qemu-img info").orFail();
        assertTrue(result.output().contains("<-Dashlar.program=qemu-img>"), result.output());
    }

    /** A closed stream is none that a file could be opened as. */
    @Test
    void leavesNoStreamClosed() throws IOException {
        built();
        shell("\"$T/ashlar\" <&- >/dev/null 2>/dev/null").orFail();
        assertEquals("0 /dev/null\n1 /dev/null\n2 /dev/null\n", Files.readString(tree.resolve("bin/streams")));
        assertEquals("", shell("\"$T/ashlar\" 2>&-; exec >&-").errors());
        assertTrue(Files.readString(tree.resolve("bin/streams")).endsWith("2 /dev/null\n"));
        Command.Result result = shell("\"$T/ashlar\" >&-");
        assertEquals("", result.output());
        assertTrue(Files.readString(tree.resolve("bin/streams")).contains("1 /dev/null\n"));
        assertTrue(result.exitCode() != 0, "what is said to a closed stream is lost");
    }

    @Test
    void readsNamesAsUtf8WhateverTheLocale() throws IOException {
        built();
        for (String locale : List.of("LC_ALL=C", "LC_ALL=POSIX", "LANG=de_DE.ISO-8859-1", "LC_ALL=xx_YY", "LC_ALL=")) {
            shell("\"$T/ashlar\"", locale).orFail();
            assertEquals("C.UTF-8\n", Files.readString(tree.resolve("bin/locale")), locale);
        }
        // One that is asked for need not be installed; where this one is not, it is the best there is.
        boolean installed = Files.isDirectory(Path.of("/usr/lib/locale/C.utf8"))
                || Files.isDirectory(Path.of("/usr/lib/locale/C.UTF-8"));
        for (String locale : List.of("LANG=xx_YY.UTF-8", "LC_CTYPE=C.utf8")) {
            shell("\"$T/ashlar\"", locale).orFail();
            assertEquals(installed ? "C.UTF-8\n" : "none\n", Files.readString(tree.resolve("bin/locale")), locale);
        }
    }

    @Test
    void saysWhichJdkIsMissing() throws IOException {
        jdk("jvm/old", "17.0.1");
        Command.Result result = shell("\"$T/ashlar\" tour", "PATH=" + tree + "/jvm/old/bin:/usr/bin:/bin");
        assertEquals(1, result.exitCode());
        assertTrue(
                result.errors()
                        .startsWith(
                                "ashlar: no JDK 22 or newer in JAVA_HOME, on the PATH or under /usr/lib/jvm; install"
                                        + " one"),
                result.errors());
        assertEquals(1, result.errors().lines().count());
        assertEquals("", result.output());
    }

    /** A java that went away since the build is looked for anew; without its JDK there is no other choice. */
    @Test
    void findsAnotherJavaThanTheOneItWasBuiltWith() throws IOException {
        built();
        Files.move(java, tree.resolve("away"));
        jdk("jvm/old", "21");
        Command.Result result = shell("\"$T/ashlar\"", "PATH=" + tree + "/jvm/old/bin:/usr/bin:/bin");
        assertEquals(1, result.exitCode());
        assertTrue(result.errors().startsWith("ashlar: no JDK 22 or newer"), result.errors());
        jdk("jvm/new", "22.0.2");
        result = shell("\"$T/ashlar\" x", "PATH=" + tree + "/jvm/old/bin:/usr/bin:/bin")
                .orFail();
        assertTrue(result.output().endsWith("<x>said\n"), result.output());
        assertTrue(!result.output().contains("AOTCache"), "the cache is that of another java: " + result.output());
    }

    private void jdk(String name, String version) throws IOException {
        script(name + "/bin/java", JAVA);
        script(name + "/bin/javac", JAVA);
        Files.writeString(
                tree.resolve(name).resolve("release"), "IMPLEMENTOR=\"x\"\nJAVA_VERSION=\"" + version + "\"\n");
    }
}
