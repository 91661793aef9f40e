package dev.ashlar.core.spi;

import java.util.List;

/**
 * What a check found.
 *
 * @param corruptions inconsistencies that endanger data, after repair
 * @param leaks clusters counted but not referenced, after repair
 * @param checkErrors places that could not be checked
 * @param corruptionsFixed repaired in this run
 * @param leaksFixed repaired in this run
 * @param totalClusters clusters of the virtual disk
 * @param allocatedClusters of those, with data
 * @param fragmentedClusters of those, not next to their predecessor
 * @param compressedClusters of those, compressed
 * @param imageEndOffset host offset behind the last cluster in use
 * @param findings one line each, in the order found, at most a bounded number
 */
public record CheckReport(
        long corruptions,
        long leaks,
        long checkErrors,
        long corruptionsFixed,
        long leaksFixed,
        long totalClusters,
        long allocatedClusters,
        long fragmentedClusters,
        long compressedClusters,
        long imageEndOffset,
        List<String> findings) {
    public CheckReport {
        findings = List.copyOf(findings);
    }
}
