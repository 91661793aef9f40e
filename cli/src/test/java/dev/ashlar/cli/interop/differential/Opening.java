package dev.ashlar.cli.interop.differential;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * How {@code qemu-io} opens an image for a few commands.
 *
 * @param options of the program
 * @param nodeOptions key=value words, each with a comma in front
 * @param discards whether the image gets to see discards
 */
record Opening(List<String> options, String nodeOptions, boolean discards) {
    static final Opening PLAIN = new Opening(List.of(), "", true);

    private static final List<String> PASSED = List.of("request", "snapshot", "other");

    static Opening draw(Random random) {
        List<String> options = new ArrayList<>();
        if (random.nextInt(4) == 0) {
            options.addAll(
                    List.of("-t", List.of("none", "writethrough", "directsync").get(random.nextInt(3))));
        }
        if (random.nextInt(3) > 0) {
            boolean discards = random.nextInt(8) > 0;
            if (!discards) {
                options.addAll(List.of("-d", random.nextBoolean() ? "ignore" : "off"));
            }
            return new Opening(options, "", discards);
        }
        boolean discards = random.nextInt(4) > 0;
        String zeroes = List.of("off", "on", discards ? "unmap" : "on").get(random.nextInt(3));
        String node = ",discard=" + (discards ? "unmap" : "ignore") + ",detect-zeroes=" + zeroes;
        return new Opening(options, node + drawPassed(random), discards);
    }

    /** Which discards go on to the file. */
    static String drawPassed(Random random) {
        StringBuilder text = new StringBuilder();
        for (String each : PASSED) {
            int kind = random.nextInt(3);
            if (kind > 0) {
                text.append(",pass-discard-").append(each).append(kind == 1 ? "=on" : "=off");
            }
        }
        return text.toString();
    }
}
