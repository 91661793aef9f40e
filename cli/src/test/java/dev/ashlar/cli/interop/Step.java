package dev.ashlar.cli.interop;

import dev.ashlar.testkit.model.ByteModel;
import dev.ashlar.testkit.model.DiskHistory;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** One operation on a disk with snapshots; its text form goes to other processes. */
sealed interface Step {
    /** Tells the history that the operation is about to be asked for; {@link DiskHistory#completed} follows. */
    void begin(DiskHistory history);

    record Write(long offset, int lengthBytes, int pattern) implements Step {
        @Override
        public void begin(DiskHistory history) {
            history.beginWrite(offset, content());
        }

        byte[] content() {
            byte[] bytes = new byte[lengthBytes];
            java.util.Arrays.fill(bytes, (byte) pattern);
            return bytes;
        }

        @Override
        public String toString() {
            return "write " + offset + " " + lengthBytes + " " + pattern;
        }
    }

    /** Whole clusters, or up to the end of the disk, compressed. */
    record WriteCompressed(long offset, int lengthBytes, int pattern) implements Step {
        @Override
        public void begin(DiskHistory history) {
            history.beginWrite(offset, new Write(offset, lengthBytes, pattern).content());
        }

        @Override
        public String toString() {
            return "compress " + offset + " " + lengthBytes + " " + pattern;
        }
    }

    record Zero(long offset, long lengthBytes) implements Step {
        @Override
        public void begin(DiskHistory history) {
            history.beginZero(offset, lengthBytes);
        }

        @Override
        public String toString() {
            return "zero " + offset + " " + lengthBytes;
        }
    }

    /** Whole clusters of a version 3 image: they read as zeros afterwards. */
    record Discard(long offset, long lengthBytes) implements Step {
        @Override
        public void begin(DiskHistory history) {
            history.beginZero(offset, lengthBytes);
        }

        @Override
        public String toString() {
            return "discard " + offset + " " + lengthBytes;
        }
    }

    record Flush() implements Step {
        @Override
        public void begin(DiskHistory history) {
            history.beginFlush();
        }

        @Override
        public String toString() {
            return "flush";
        }
    }

    record Reopen() implements Step {
        @Override
        public void begin(DiskHistory history) {
            history.beginFlush();
        }

        @Override
        public String toString() {
            return "reopen";
        }
    }

    record Create(String name) implements Step {
        @Override
        public void begin(DiskHistory history) {
            history.beginCreateSnapshot(name);
        }

        @Override
        public String toString() {
            return "create " + name;
        }
    }

    record Apply(String name) implements Step {
        @Override
        public void begin(DiskHistory history) {
            history.beginApplySnapshot(name);
        }

        @Override
        public String toString() {
            return "apply " + name;
        }
    }

    record Delete(String name) implements Step {
        @Override
        public void begin(DiskHistory history) {
            history.beginDeleteSnapshot(name);
        }

        @Override
        public String toString() {
            return "delete " + name;
        }
    }

    record Grow(long lengthBytes) implements Step {
        @Override
        public void begin(DiskHistory history) {
            history.beginResize(lengthBytes);
        }

        @Override
        public String toString() {
            return "grow " + lengthBytes;
        }
    }

    static Step parse(String text) {
        String[] words = text.split(" ");
        return switch (words[0]) {
            case "write" -> new Write(Long.parseLong(words[1]), Integer.parseInt(words[2]), Integer.parseInt(words[3]));
            case "compress" ->
                new WriteCompressed(Long.parseLong(words[1]), Integer.parseInt(words[2]), Integer.parseInt(words[3]));
            case "zero" -> new Zero(Long.parseLong(words[1]), Long.parseLong(words[2]));
            case "discard" -> new Discard(Long.parseLong(words[1]), Long.parseLong(words[2]));
            case "flush" -> new Flush();
            case "reopen" -> new Reopen();
            case "create" -> new Create(words[1]);
            case "apply" -> new Apply(words[1]);
            case "delete" -> new Delete(words[1]);
            case "grow" -> new Grow(Long.parseLong(words[1]));
            default -> throw new IllegalArgumentException(text);
        };
    }

    /** What random steps may be. @param maxLengthBytes where growth ends; the present length or less for none */
    record Menu(
            int clusterBytes,
            boolean discards,
            boolean snapshots,
            boolean compresses,
            long maxLengthBytes,
            String snapshotPrefix) {
        private static final int MAX_SNAPSHOTS = 5;

        Menu(int clusterBytes, boolean discards, boolean snapshots, long maxLengthBytes, String snapshotPrefix) {
            this(clusterBytes, discards, snapshots, true, maxLengthBytes, snapshotPrefix);
        }

        /** A list of steps that makes sense on a disk like the model, which is not changed. */
        List<Step> draw(Random random, ByteModel model, int count) {
            DiskHistory history = new DiskHistory(model.fork());
            List<Step> steps = new ArrayList<>();
            while (steps.size() < count) {
                Step step = draw(random, history.model());
                step.begin(history);
                history.completed();
                steps.add(step);
            }
            return steps;
        }

        private Step draw(Random random, ByteModel model) {
            long length = model.lengthBytes();
            List<String> names = List.copyOf(model.snapshots().keySet());
            int kind = random.nextInt(20);
            if (kind < 2) {
                return new Flush();
            } else if (kind < 5 && discards) {
                long at = random.nextLong(length) / clusterBytes * clusterBytes;
                long wanted = clusterBytes * (1L + random.nextInt(6));
                return new Discard(at, Math.min(wanted, (length - at) / clusterBytes * clusterBytes));
            } else if (kind < 7) {
                long at = random.nextLong(length / 512) * 512;
                return new Zero(at, Math.min(length - at, 512L * (1 + random.nextInt(clusterBytes / 512 * 4))));
            } else if (kind == 7 && maxLengthBytes > length) {
                return new Grow(Math.min(maxLengthBytes, length + 512L * (1 + random.nextInt(2000))));
            } else if (kind == 8) {
                return new Reopen();
            } else if (kind < 12 && snapshots && names.size() < MAX_SNAPSHOTS) {
                return new Create(snapshotPrefix + random.nextInt(1_000_000_000));
            } else if (kind < 14 && snapshots && !names.isEmpty()) {
                String name = names.get(random.nextInt(names.size()));
                return random.nextBoolean() ? new Apply(name) : new Delete(name);
            }
            if (kind < 16 && compresses) {
                long at = random.nextLong(length) / clusterBytes * clusterBytes;
                long wanted = clusterBytes * (1L + random.nextInt(5));
                return new WriteCompressed(at, (int) Math.min(wanted, length - at), 1 + random.nextInt(255));
            }
            long at = random.nextLong(length / 512) * 512;
            int most = Math.max(clusterBytes * 3, 4096) / 512;
            return new Write(
                    at, (int) Math.min(length - at, 512L * (1 + random.nextInt(most))), 1 + random.nextInt(255));
        }
    }
}
