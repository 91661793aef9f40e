package dev.ashlar.drivers.qcow2.amend;

import dev.ashlar.core.BlockException;
import dev.ashlar.drivers.qcow2.format.L2Layout;
import dev.ashlar.drivers.qcow2.format.SnapshotEntry;
import dev.ashlar.drivers.qcow2.format.TableEntry;
import dev.ashlar.drivers.qcow2.metadata.L1Table;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import dev.ashlar.drivers.qcow2.snapshot.Snapshots;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The L2 tables of an image's live disk and snapshots, each once, however many layers share it. */
final class LayerTables {
    private final L2Layout layout;
    private final Map<Long, Table> byOffset = new LinkedHashMap<>();

    /**
     * A table as one of its layers knows it.
     *
     * @param layer the live disk where that names it, a snapshot otherwise
     * @param references how often it is named by all of them
     */
    record Table(L1Table layer, int l1Index, int references) {}

    private LayerTables(L2Layout layout) {
        this.layout = layout;
    }

    static LayerTables of(MetadataContext context, Snapshots snapshots) throws BlockException {
        List<L1Table> layers = new ArrayList<>(List.of(context.active()));
        for (SnapshotEntry entry : snapshots.entries()) {
            layers.add(snapshots.loadL1(entry));
        }
        LayerTables tables = new LayerTables(context.layout());
        for (L1Table layer : layers) {
            for (int i = 0; i < layer.length(); i++) {
                long offset = layer.l2Offset(i);
                if (offset != 0) {
                    Table known = tables.byOffset.get(offset);
                    tables.byOffset.put(
                            offset,
                            known == null
                                    ? new Table(layer, i, 1)
                                    : new Table(known.layer(), known.l1Index(), known.references() + 1));
                }
            }
        }
        return tables;
    }

    Collection<Table> distinct() {
        return byOffset.values();
    }

    boolean anyCompressed() throws BlockException {
        for (Table table : distinct()) {
            MemorySegment words = table.layer().l2View(table.l1Index());
            for (int i = 0; words != null && i < layout.geometry().l2Entries(); i++) {
                if (TableEntry.isCompressed(layout.word(words, i))) {
                    return true;
                }
            }
        }
        return false;
    }

    static boolean anyZero(L2Layout layout, MemorySegment words) {
        for (int i = 0; i < layout.geometry().l2Entries(); i++) {
            if (isZero(layout.word(words, i))) {
                return true;
            }
        }
        return false;
    }

    /** Whether a standard word says what only version 3 can. */
    static boolean isZero(long word) {
        return !TableEntry.isCompressed(word) && (word & TableEntry.ZERO) != 0;
    }
}
