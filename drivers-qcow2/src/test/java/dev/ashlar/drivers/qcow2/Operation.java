package dev.ashlar.drivers.qcow2;

import java.util.Random;

/**
 * One step of a random test. The numbers mean something only together with the image they are applied to, so that any list of steps, also a shortened one, can
 * be run.
 *
 * @param kind what to do
 * @param place where, from 0 to 2^20 - 1, a fraction of the disk
 * @param amount how much, from 0 to 2^10 - 1
 */
record Operation(Kind kind, int place, int amount) {
    static final int PLACES = 1 << 20;
    static final int AMOUNTS = 1 << 10;

    enum Kind {
        WRITE(10),
        WRITE_CLUSTERS(6),
        WRITE_COMPRESSED(7),
        CROSSED_WRITES(3),
        WRITE_ACROSS_FLUSH(2),
        ZERO(4),
        ZERO_PART(4),
        DISCARD(4),
        FLUSH(6),
        SNAPSHOT_CREATE(4),
        SNAPSHOT_APPLY(3),
        SNAPSHOT_DELETE(3),
        GROW(2),
        GROW_PREALLOCATED(1),
        SHRINK(2),
        REOPEN(2);

        final int weight;

        Kind(int weight) {
            this.weight = weight;
        }
    }

    static Operation random(Random random) {
        int total = 0;
        for (Kind kind : Kind.values()) {
            total += kind.weight;
        }
        int ticket = random.nextInt(total);
        for (Kind kind : Kind.values()) {
            ticket -= kind.weight;
            if (ticket < 0) {
                return new Operation(kind, random.nextInt(PLACES), random.nextInt(AMOUNTS));
            }
        }
        throw new IllegalStateException("weights");
    }
}
