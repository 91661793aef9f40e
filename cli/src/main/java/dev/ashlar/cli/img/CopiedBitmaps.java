package dev.ashlar.cli.img;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.ProgramExit;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockNode;
import dev.ashlar.core.bitmap.DirtyBitmap;
import dev.ashlar.core.bitmap.NodeBitmaps;
import dev.ashlar.core.spi.BitmapStore;
import java.util.List;

/** The bitmaps of {@code convert --bitmaps}: those that the source keeps, made anew in the target. */
final class CopiedBitmaps {
    private final Console console;
    private final BlockNode source;
    private final boolean skipBroken;

    private CopiedBitmaps(Console console, BlockNode source, boolean skipBroken) {
        this.console = console;
        this.source = source;
        this.skipBroken = skipBroken;
    }

    /** Looks whether they can be copied, or ends the program. */
    static CopiedBitmaps of(Console console, List<BlockBackend> sources, boolean skipBroken) {
        if (sources.size() > 1) {
            throw fail(console, "Copying bitmaps only possible with single source");
        }
        BlockNode source = sources.get(0).root();
        if (source.capability(BitmapStore.class).isEmpty()) {
            throw fail(console, "Source lacks bitmap support");
        }
        for (DirtyBitmap bitmap : source.bitmaps().list().reversed()) {
            if (bitmap.isInconsistent() && !skipBroken) {
                console.error("Cannot copy inconsistent bitmap '" + bitmap.name() + "'");
                console.hint("Try --skip-broken-bitmaps, or use 'qemu-img bitmap --remove' to delete it");
                throw new ProgramExit(1);
            }
        }
        return new CopiedBitmaps(console, source, skipBroken);
    }

    /** Looks whether the target can keep them, or ends the program. */
    void requireSupport(BlockNode target) {
        if (target.capability(BitmapStore.class).isEmpty()) {
            throw fail(console, "Format driver '" + target.driverName() + "' does not support bitmaps");
        }
    }

    /** To be called when all content has been written, which the copies are not to record. */
    void copyTo(BlockNode target) throws BlockException {
        List<DirtyBitmap> bitmaps = source.bitmaps().list();
        for (DirtyBitmap bitmap : bitmaps.reversed()) {
            if (bitmap.isInconsistent() && skipBroken) {
                console.warn("Skipping inconsistent bitmap '" + bitmap.name() + "'");
            }
        }
        for (DirtyBitmap bitmap : bitmaps) {
            String name = bitmap.name();
            if (name != null && bitmap.isPersistent() && !bitmap.isInconsistent()) {
                copy(bitmap, name, target.bitmaps());
            }
        }
    }

    private static void copy(DirtyBitmap bitmap, String name, NodeBitmaps copies) throws BlockException {
        DirtyBitmap copy;
        try {
            copy = copies.createPersistent(name, bitmap.granularityBytes());
        } catch (BlockException e) {
            throw new BlockException(e.kind(), "Failed to create bitmap " + name + ": " + e.getMessage(), e);
        }
        try {
            if (!bitmap.isEnabled()) {
                copy.disable();
            }
            copy.merge(List.of(bitmap));
        } catch (BlockException e) {
            copies.remove(copy);
            throw new BlockException(e.kind(), "Failed to populate bitmap " + name + ": " + e.getMessage(), e);
        }
    }

    private static ProgramExit fail(Console console, String message) {
        console.error(message);
        return new ProgramExit(1);
    }
}
