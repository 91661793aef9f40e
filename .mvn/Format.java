import com.palantir.javaformat.java.Formatter;
import com.palantir.javaformat.java.FormatterException;
import com.palantir.javaformat.java.JavaFormatterOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.Stream;

/**
 * Formats the project's Java sources, or checks that they are formatted. The build runs it in a JVM of its own on the JDK that
 * also compiles, so that the syntax of new Java releases is no matter of Maven's JVM.
 *
 * <p>Arguments: the project's folder, then {@code check} or {@code write}.
 */
public final class Format {
    private static final Formatter FORMATTER = Formatter.createFormatter(JavaFormatterOptions.builder()
            .style(JavaFormatterOptions.Style.PALANTIR)
            .build());

    private Format() {}

    public static void main(String[] arguments) throws IOException {
        Path root = Path.of(arguments[0]);
        boolean write = arguments[1].equals("write");
        // What was formatted then and has not changed since needs no second look.
        Path stamp = root.resolve("target/formatted");
        long checkedAtMillis =
                Files.exists(stamp) ? Files.getLastModifiedTime(stamp).toMillis() : Long.MIN_VALUE;
        long startedAtMillis = System.currentTimeMillis();

        List<Path> sources = sources(root).stream()
                .filter(source -> modifiedMillis(source) >= checkedAtMillis)
                .toList();
        var unformatted = new ConcurrentLinkedQueue<String>();
        var unreadable = new ConcurrentLinkedQueue<String>();
        sources.parallelStream().forEach(source -> {
            try {
                String text = Files.readString(source);
                String formatted = FORMATTER.formatSourceAndFixImports(text);
                if (!formatted.equals(text)) {
                    if (write) {
                        Files.writeString(source, formatted);
                    }
                    unformatted.add(root.relativize(source).toString());
                }
            } catch (FormatterException e) {
                unreadable.add(root.relativize(source) + ":" + e.getMessage());
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        });

        unformatted.stream()
                .sorted()
                .forEach(name -> System.err.println((write ? "formatted " : "not formatted: ") + name));
        unreadable.forEach(System.err::println);
        if (!write && !unformatted.isEmpty()) {
            System.err.println("Format with: ./mvnw -q -N verify -Dformat");
        }
        if (!unreadable.isEmpty() || (!write && !unformatted.isEmpty())) {
            System.exit(1);
        }
        Files.createDirectories(stamp.getParent());
        Files.writeString(stamp, "");
        Files.setLastModifiedTime(stamp, java.nio.file.attribute.FileTime.fromMillis(startedAtMillis));
    }

    private static List<Path> sources(Path root) throws IOException {
        try (Stream<Path> modules = Files.list(root);
                Stream<Path> files = modules.map(module -> module.resolve("src"))
                        .filter(Files::isDirectory)
                        .flatMap(Format::walk)) {
            return Stream.concat(files, Stream.of(root.resolve(".mvn/Format.java"), root.resolve(".ci/Totals.java")))
                    .filter(file -> file.toString().endsWith(".java"))
                    .toList();
        }
    }

    private static Stream<Path> walk(Path folder) {
        try {
            return Files.walk(folder);
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private static long modifiedMillis(Path file) {
        try {
            return Files.getLastModifiedTime(file).toMillis();
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }
}
