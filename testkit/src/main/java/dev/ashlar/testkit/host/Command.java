package dev.ashlar.testkit.host;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Runs a program of the host to its end, within a time limit, and keeps what it said. */
public record Command(List<String> words, @Nullable String input, Map<String, String> environment, Duration timeout) {
    /** What a program answered. */
    public record Result(List<String> command, int exitCode, String output, String errors) {
        /** @return this, if the program ended with 0 */
        public Result orFail() {
            if (exitCode != 0) {
                throw new AssertionError("exit code " + this);
            }
            return this;
        }

        @Override
        public String toString() {
            return exitCode + " of " + String.join(" ", command) + "\n" + output + errors;
        }
    }

    public Command {
        words = List.copyOf(words);
        environment = Map.copyOf(environment);
    }

    /** A minute for a command without input. */
    public static Command of(String... words) {
        return of(List.of(words));
    }

    public static Command of(List<String> words) {
        return new Command(words, null, Map.of("LC_ALL", "C"), Duration.ofMinutes(1));
    }

    public Command withInput(String text) {
        return new Command(words, text, environment, timeout);
    }

    public Command withTimeout(Duration limit) {
        return new Command(words, input, environment, limit);
    }

    /** @throws AssertionError when the time limit passes; the program is ended */
    public Result run() {
        try {
            ProcessBuilder builder = new ProcessBuilder(words);
            builder.environment().putAll(environment);
            Process process = builder.start();
            CompletableFuture<String> output = drain(process.getInputStream());
            CompletableFuture<String> errors = drain(process.getErrorStream());
            try (var stdin = process.getOutputStream()) {
                if (input != null) {
                    stdin.write(input.getBytes(StandardCharsets.UTF_8));
                }
            } catch (IOException e) {
                // the program ended without reading its input: its exit code tells
                process.onExit().join();
            }
            if (!process.waitFor(timeout.toMillis(), TimeUnit.MILLISECONDS)) {
                process.destroyForcibly().waitFor();
                throw new AssertionError("no end within " + timeout + ": " + String.join(" ", words) + "\n"
                        + output.join() + errors.join());
            }
            return new Result(words, process.exitValue(), output.join(), errors.join());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted: " + words, e);
        }
    }

    private static CompletableFuture<String> drain(InputStream stream) {
        CompletableFuture<String> text = new CompletableFuture<>();
        Thread.ofVirtual().start(() -> {
            try (stream) {
                text.complete(new String(stream.readAllBytes(), StandardCharsets.UTF_8));
            } catch (IOException e) {
                text.complete("(" + e + ")");
            }
        });
        return text;
    }
}
