package dev.ashlar.cli.interop;

import dev.ashlar.cli.Main;
import dev.ashlar.testkit.host.Command;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Who does what a command line says: this program in this virtual machine, or the real one in a process of its own. */
public enum Side {
    ASHLAR {
        @Override
        public Command.Result run(List<String> words) {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            ByteArrayOutputStream err = new ByteArrayOutputStream();
            String[] arguments = words.subList(1, words.size()).toArray(String[]::new);
            int status = Main.run(words.get(0), arguments, new ByteArrayInputStream(new byte[0]), out, err);
            return new Command.Result(
                    words, status, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
        }
    },
    QEMU {
        @Override
        public Command.Result run(List<String> words) {
            return Command.of(words).run();
        }
    };

    /** @param words the program's name, {@code qemu-img} or {@code qemu-io}, and its arguments */
    public abstract Command.Result run(List<String> words);

    public Side other() {
        return this == ASHLAR ? QEMU : ASHLAR;
    }

    /** The result of {@code qemu-img} with these arguments. */
    public Command.Result img(String... arguments) {
        List<String> words = new ArrayList<>(List.of("qemu-img"));
        words.addAll(List.of(arguments));
        return run(words);
    }

    @Override
    public String toString() {
        return this == ASHLAR ? "ashlar" : "qemu";
    }
}
