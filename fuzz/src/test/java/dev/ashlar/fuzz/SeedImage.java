package dev.ashlar.fuzz;

import dev.ashlar.core.BlockException;
import dev.ashlar.drivers.qcow2.Qcow2Driver;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.hostile.HostileImage;
import dev.ashlar.testkit.hostile.HostileTables;
import dev.ashlar.testkit.hostile.UsedImage;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Images to start from: sound ones with all that the format has, in few and small clusters, and the known hostile ones. */
final class SeedImage {
    private static final long DISK_BYTES = 96 << 10;

    private SeedImage() {}

    /** Sound images; not to be changed, but forked. */
    static List<SparseBytes> sound() throws BlockException {
        List<SparseBytes> images = new ArrayList<>();
        images.add(HostileImage.sound());
        images.add(used("cluster_size", "512"));
        images.add(used("cluster_size", "4096", "refcount_bits", "1"));
        images.add(used("cluster_size", "512", "refcount_bits", "64"));
        images.add(used("cluster_size", "65536"));
        images.add(used("cluster_size", "1024", "compat", "0.10"));
        return images;
    }

    /** Sound and hostile ones. */
    static List<SparseBytes> all() throws BlockException {
        List<SparseBytes> images = sound();
        List<HostileImage> hostile = new ArrayList<>(HostileImage.all());
        hostile.addAll(HostileImage.refusedByAshlarAlone());
        hostile.addAll(HostileTables.unreadable());
        hostile.addAll(HostileTables.illNamed());
        hostile.addAll(HostileTables.refused());
        hostile.addAll(HostileTables.damaged());
        for (HostileImage each : hostile) {
            images.add(each.content());
        }
        return images;
    }

    private static SparseBytes used(String... options) throws BlockException {
        Map<String, String> all = new HashMap<>();
        all.put("size", Long.toString(DISK_BYTES));
        for (int i = 0; i < options.length; i += 2) {
            all.put(options[i], options[i + 1]);
        }
        return UsedImage.of(new Qcow2Driver(), (int) DISK_BYTES, all);
    }
}
