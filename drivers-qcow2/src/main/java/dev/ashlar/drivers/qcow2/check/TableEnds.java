package dev.ashlar.drivers.qcow2.check;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.drivers.qcow2.metadata.ImageFile;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;

/**
 * The L1 table and the refcount table of an image whose file ends within them: what is missing reads as zeros, and a repair makes the file longer by it. A table that
 * lies behind the end as a whole is no reason for a longer file; what follows from it is found elsewhere.
 */
final class TableEnds {
    private final MetadataContext context;
    private final ImageFile file;
    private final boolean repairing;

    TableEnds(MetadataContext context, boolean repairing) {
        this.context = context;
        this.file = context.file();
        this.repairing = repairing;
    }

    /** Before references are counted: the file may get longer. */
    void complete(Findings findings) throws BlockException {
        long l1Bytes = 8L * context.active().length();
        complete("L1 table", context.active().hostOffset(), l1Bytes, findings);
        long refcountBytes = 8L * context.refcounts().tableEntries();
        complete("refcount table", context.refcounts().tableOffset(), refcountBytes, findings);
    }

    private void complete(String name, long hostOffset, long lengthBytes, Findings findings) throws BlockException {
        long fileBytes = file.lengthBytes();
        if (hostOffset >= fileBytes || hostOffset + lengthBytes <= fileBytes) {
            return;
        }
        String line = " " + name + " reaches behind the end of the file";
        if (!repairing) {
            findings.corruption("ERROR" + line);
            return;
        }
        findings.say("Repairing" + line);
        file.grow(file.geometry().alignUp(hostOffset + lengthBytes), Preallocation.OFF);
        file.flush();
        findings.corruptionsFixed++;
    }
}
