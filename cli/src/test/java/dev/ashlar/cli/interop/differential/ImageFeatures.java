package dev.ashlar.cli.interop.differential;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * What an image of the differential test is made with. Drawn at random among everything that QEMU combines.
 *
 * @param refcountBits 16 in version 2
 * @param backing the length of the backing file in relation to the image's
 * @param backingFormat qcow2 or raw; of no meaning without a backing file
 */
record ImageFeatures(
        boolean modern,
        int clusterBits,
        int refcountBits,
        boolean lazyRefcounts,
        boolean extendedL2,
        DataFile dataFile,
        Backing backing,
        String backingFormat,
        String preallocation,
        String compressionType,
        boolean encrypted,
        long sizeBytes) {

    enum DataFile {
        NONE,
        PLAIN,
        RAW
    }

    enum Backing {
        NONE,
        SHORTER,
        EQUAL,
        LONGER;

        /** With a file. */
        static Backing any(Random random) {
            return values()[1 + random.nextInt(3)];
        }
    }

    private static final int MIN_EXTENDED_CLUSTER_BITS = 14;

    int clusterBytes() {
        return 1 << clusterBits;
    }

    boolean hasDataFile() {
        return dataFile != DataFile.NONE;
    }

    /** Only sub-clusters are allocated ahead above a backing file, and without their space. */
    boolean canHaveBacking() {
        return dataFile != DataFile.RAW
                && (preallocation.equals("off") || extendedL2 && preallocation.equals("metadata"));
    }

    /** Whether clusters are there before they are written, as they are wherever a data file is to be read without the image. */
    boolean isAllocatedAhead() {
        return !preallocation.equals("off") || dataFile == DataFile.RAW;
    }

    boolean hasBacking() {
        return backing != Backing.NONE;
    }

    static ImageFeatures draw(Random random) {
        boolean modern = random.nextInt(5) > 0;
        int clusterBits = random.nextInt(3) == 0 ? 16 : 9 + random.nextInt(13);
        boolean extendedL2 = modern && clusterBits >= MIN_EXTENDED_CLUSTER_BITS && random.nextInt(3) == 0;
        DataFile dataFile = modern && random.nextInt(5) == 0
                ? (random.nextBoolean() ? DataFile.RAW : DataFile.PLAIN)
                : DataFile.NONE;
        Backing backing = dataFile == DataFile.RAW || random.nextInt(5) < 3 ? Backing.NONE : Backing.any(random);
        String preallocation = "off";
        if ((backing == Backing.NONE || extendedL2) && random.nextInt(3) == 0) {
            preallocation = List.of("metadata", "falloc", "full").get(random.nextInt(backing == Backing.NONE ? 3 : 1));
        }
        return new ImageFeatures(
                modern,
                clusterBits,
                modern && random.nextBoolean() ? 1 << random.nextInt(7) : 16,
                modern && random.nextInt(3) == 0,
                extendedL2,
                dataFile,
                backing,
                random.nextBoolean() ? "qcow2" : "raw",
                preallocation,
                modern && random.nextBoolean() ? "zstd" : "zlib",
                random.nextInt(6) == 0,
                drawSize(random, clusterBits));
    }

    private static long drawSize(Random random, int clusterBits) {
        long most = clusterBits <= 10 ? 2 << 20 : clusterBits >= 20 ? 8 << 20 : 4 << 20;
        return 512L * (1 + random.nextLong(most / 512));
    }

    ImageFeatures withSize(long newSizeBytes) {
        return new ImageFeatures(
                modern,
                clusterBits,
                refcountBits,
                lazyRefcounts,
                extendedL2,
                dataFile,
                backing,
                backingFormat,
                preallocation,
                compressionType,
                encrypted,
                newSizeBytes);
    }

    /** The words behind {@code -o}, without those of the backing file. */
    String options(Path image) {
        List<String> options = new ArrayList<>();
        options.add("compat=" + (modern ? "1.1" : "0.10"));
        options.add("cluster_size=" + clusterBytes());
        if (modern) {
            options.add("refcount_bits=" + refcountBits);
            options.add("lazy_refcounts=" + (lazyRefcounts ? "on" : "off"));
            options.add("compression_type=" + compressionType);
        }
        if (extendedL2) {
            options.add("extended_l2=on");
        }
        if (hasDataFile()) {
            options.add("data_file=" + dataFilePath(image));
            if (dataFile == DataFile.RAW) {
                options.add("data_file_raw=on");
            }
        }
        if (encrypted) {
            options.add("encrypt.format=luks,encrypt.key-secret=" + KeyRing.ID + ",encrypt.iter-time=1");
        }
        if (!preallocation.equals("off")) {
            options.add("preallocation=" + preallocation);
        }
        return String.join(",", options);
    }

    static Path dataFilePath(Path image) {
        return image.resolveSibling(image.getFileName() + ".data");
    }
}
