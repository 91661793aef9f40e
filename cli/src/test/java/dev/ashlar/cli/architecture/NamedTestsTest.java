package dev.ashlar.cli.architecture;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Tests that a document names as proof are there. */
class NamedTestsTest {
    private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
    private static final Pattern NAMED = Pattern.compile("`(\\w+(?:Test|Properties))(?:\\.(\\w+))?`");

    @Test
    void everyRuleAboutHostileImagesNamesAMethod() throws IOException {
        Map<String, String> sources = sources();
        List<String> missing = new ArrayList<>();
        int named = 0;
        int rows = 0;
        for (String line : Files.readAllLines(ROOT.resolve("docs/hostile.md"))) {
            if (!line.startsWith("| ") || line.endsWith("| test |")) {
                continue;
            }
            rows++;
            Matcher test = NAMED.matcher(line);
            boolean any = false;
            while (test.find()) {
                named++;
                any = true;
                String source = sources.get(test.group(1));
                String method = test.group(2);
                if (source == null || method == null || !source.matches("(?s).*\\b" + method + "\\(.*")) {
                    missing.add(test.group());
                }
            }
            if (!any) {
                missing.add(line);
            }
        }
        assertEquals(List.of(), missing);
        assertTrue(rows > 30 && named > rows, rows + " rows, " + named + " tests");
    }

    private static Map<String, String> sources() throws IOException {
        Map<String, String> sources = new HashMap<>();
        try (Stream<Path> modules = Files.list(ROOT)) {
            for (Path module : modules.map(each -> each.resolve("src/test/java"))
                    .filter(Files::isDirectory)
                    .toList()) {
                try (Stream<Path> files = Files.walk(module)) {
                    for (Path file : files.filter(each -> each.toString().endsWith(".java"))
                            .toList()) {
                        sources.put(file.getFileName().toString().replace(".java", ""), Files.readString(file));
                    }
                }
            }
        }
        return sources;
    }
}
