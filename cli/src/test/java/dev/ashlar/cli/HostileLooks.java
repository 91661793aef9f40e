package dev.ashlar.cli;

import dev.ashlar.testkit.hostile.HostileImage;
import dev.ashlar.testkit.hostile.HostileTables;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A process that looks at every hostile image, in each way; {@link HostileCorpusTest} gives it a small heap. */
public final class HostileLooks {
    private HostileLooks() {}

    static List<HostileImage> corpus() {
        List<HostileImage> all = new ArrayList<>(HostileImage.all());
        all.addAll(HostileImage.refusedByAshlarAlone());
        all.addAll(HostileTables.refused());
        all.addAll(HostileTables.damaged());
        all.addAll(HostileTables.unreadable());
        all.addAll(HostileTables.illNamed());
        return all;
    }

    /** @param command @ stands for the image, % for a file beside it */
    static String[] words(String command, Path image) {
        return command.replace("@", image.toString())
                .replace("%", image + ".raw")
                .split(" ");
    }

    /** @param arguments a folder */
    public static void main(String[] arguments) throws IOException {
        Path file = Path.of(arguments[0], "image");
        int looked = 0;
        for (HostileImage image : corpus()) {
            image.content().writeTo(file);
            for (String command : List.of("info @", "check @", "map -f qcow2 @", "snapshot -l @")) {
                ByteArrayOutputStream out = new ByteArrayOutputStream();
                ByteArrayOutputStream err = new ByteArrayOutputStream();
                Main.run("qemu-img", words(command, file), InputStream.nullInputStream(), out, err);
                String said = err.toString(StandardCharsets.UTF_8);
                if (said.contains("internal error") || said.contains("memory")) {
                    throw new IllegalStateException(image + ": " + said);
                }
            }
            looked++;
        }
        System.out.println("looked at " + looked + " images");
    }
}
