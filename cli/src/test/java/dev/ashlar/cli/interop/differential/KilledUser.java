package dev.ashlar.cli.interop.differential;

import dev.ashlar.cli.Main;
import dev.ashlar.cli.interop.Side;
import dev.ashlar.testkit.host.Command;
import dev.ashlar.testkit.qcow2.StoredBitmap;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Random;

/**
 * A user of the image who writes, flushes and dies before anything is closed: the real one by a signal to itself; for Ashlar, which runs in this process, the files
 * are kept as they are between its last flush and its end. What was written is there; refcounts that were put off and clusters in reserve are to be repaired, and
 * bitmaps are not to be trusted any more.
 */
final class KilledUser {
    private static final int KILLED = 128 + 9;

    private final Random random;
    private final TestedImage image;
    private final Shell shell;
    private final WriteDeeds writes;

    KilledUser(Random random, TestedImage image, Shell shell, WriteDeeds writes) {
        this.random = random;
        this.image = image;
        this.shell = shell;
        this.writes = writes;
    }

    /** The real program forgets the snapshots of an image that is dirty and has a bitmap in use. */
    boolean canBe() {
        return image.model.lengthBytes() > 0
                && (image.bitmaps.isEmpty() || image.model.snapshots().isEmpty());
    }

    void run(Side side) throws IOException {
        writes.openedAs(Opening.PLAIN);
        List<String> commands = new ArrayList<>();
        for (int left = 1 + random.nextInt(3); left > 0; left--) {
            if (writes.draw(side) instanceof Deed.Io io) {
                commands.addAll(io.command().lines().toList());
                io.effect().run();
                if (io.command().contains("write -c")) {
                    break; // the real program compresses once only
                }
            }
        }
        commands.add("flush");
        List<String> words = new ArrayList<>(List.of("qemu-io"));
        words.addAll(image.addressed("", true));
        if (side == Side.QEMU) {
            commands.add("sigraise 9");
            commands.forEach(each -> words.addAll(List.of("-c", each)));
            words.add(image.name(""));
            Command.Result result = shell.run(side, words);
            if (result.exitCode() != KILLED) {
                throw new AssertionError("not killed: " + result);
            }
        } else {
            words.add(image.name(""));
            runUntilFlushed(words, commands);
        }
    }

    private void runUntilFlushed(List<String> words, List<String> commands) throws IOException {
        List<String> told = new ArrayList<>(words);
        commands.forEach(each -> told.addAll(List.of("-c", each)));
        told.add("(killed)");
        shell.tell(Side.ASHLAR, told);
        List<Path> files = new ArrayList<>(List.of(image.path));
        if (image.features.hasDataFile()) {
            files.add(ImageFeatures.dataFilePath(image.path));
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        String[] arguments = words.subList(1, words.size()).toArray(String[]::new);
        int status = Main.run("qemu-io", arguments, new Lines(commands, files), out, out);
        String said = out.toString(StandardCharsets.UTF_8);
        if (status != 0 || said.contains("failed")) {
            throw new AssertionError(told + ": " + status + " " + said);
        }
        for (Path file : files) {
            Files.move(kept(file), file, StandardCopyOption.REPLACE_EXISTING);
        }
    }

    private static Path kept(Path file) {
        return file.resolveSibling(file.getFileName() + ".kept");
    }

    /** Gives one line at a time; who asks for more than all has done them all, and the files are copied before it hears that there are none. */
    private static final class Lines extends InputStream {
        private final Iterator<String> lines;
        private final List<Path> files;
        private byte[] line = {};
        private int at;

        Lines(List<String> lines, List<Path> files) {
            this.lines = lines.iterator();
            this.files = files;
        }

        @Override
        public int read() {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0];
        }

        @Override
        public int read(byte[] bytes, int offset, int length) {
            if (at == line.length) {
                if (!lines.hasNext()) {
                    keep();
                    return -1;
                }
                line = (lines.next() + "\n").getBytes(StandardCharsets.UTF_8);
                at = 0;
            }
            int count = Math.min(length, line.length - at);
            System.arraycopy(line, at, bytes, offset, count);
            at += count;
            return count;
        }

        private void keep() {
            try {
                for (Path file : files) {
                    if (!Files.exists(kept(file))) {
                        Files.copy(file, kept(file));
                    }
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    /** Those that were in use are incomplete, and good for nothing but to be removed; where nothing was written before the end, none was. */
    void removeBitmaps() throws IOException {
        if (image.bitmaps.isEmpty()) {
            return;
        }
        for (StoredBitmap each : StoredBitmap.readAll(image.path)) {
            if (!each.isInUse()) {
                continue; // its bits are compared like those of any other
            }
            image.bitmaps.remove(each.name());
            shell.run(shell.drawSide(), image.command(List.of("bitmap", "--remove"), "", each.name()))
                    .orFail();
        }
    }
}
