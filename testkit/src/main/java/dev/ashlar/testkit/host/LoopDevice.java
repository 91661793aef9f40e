package dev.ashlar.testkit.host;

import java.nio.file.Path;

/** A loop device over a file, with sectors of a chosen size; detached by {@link #close}. Needs root. */
public record LoopDevice(Path device) implements AutoCloseable {
    /** @param sectorBytes 512 or 4096 */
    public static LoopDevice attach(Path file, int sectorBytes) {
        String name = Command.of(
                        "losetup",
                        "--find",
                        "--show",
                        "--direct-io=on",
                        "--sector-size",
                        Integer.toString(sectorBytes),
                        file.toString())
                .run()
                .orFail()
                .output()
                .strip();
        return new LoopDevice(Path.of(name));
    }

    /** One that refuses what is written. */
    public static LoopDevice attachReadOnly(Path file) {
        String name = Command.of("losetup", "--find", "--show", "--read-only", file.toString())
                .run()
                .orFail()
                .output()
                .strip();
        return new LoopDevice(Path.of(name));
    }

    @Override
    public void close() {
        Command.of("losetup", "--detach", device.toString()).run().orFail();
    }
}
