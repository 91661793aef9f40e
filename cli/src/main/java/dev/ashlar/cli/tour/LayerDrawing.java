package dev.ashlar.cli.tour;

import dev.ashlar.cli.output.Decimals;
import dev.ashlar.cli.output.SizeWords;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockNode;
import dev.ashlar.core.BlockStatus;
import dev.ashlar.core.ChildEdge;
import dev.ashlar.core.snapshot.SnapshotInfo;
import java.util.ArrayList;
import java.util.List;

/** Draws an image: a strip per snapshot and one for the live disk, and below them the files that hold it all. */
final class LayerDrawing {
    private static final int COLUMNS = 48;
    private static final int LABEL_COLUMNS = 22;

    private final Palette palette;

    LayerDrawing(Palette palette) {
        this.palette = palette;
    }

    /** Where each part of a disk lies: host offsets per column, -1 for nothing. */
    private record Strip(long[] hostOffsets, long dataBytes) {}

    /** The drawing, line by line. */
    List<String> draw(BlockBackend image) throws BlockException {
        List<String> labels = new ArrayList<>();
        List<Strip> strips = new ArrayList<>();
        labels.add("live disk");
        strips.add(strip(image));
        for (SnapshotInfo snapshot : image.snapshots().list()) {
            labels.add("snapshot \"" + snapshot.name() + "\"");
            try (BlockBackend view = image.snapshots().open(snapshot)) {
                strips.add(strip(view));
            }
        }
        List<String> lines = new ArrayList<>();
        String bar = palette.boxes() ? "─" : "-";
        lines.add(corner("┌", "+") + bar.repeat(LABEL_COLUMNS + COLUMNS + 16) + corner("┐", "+"));
        for (int i = 0; i < strips.size(); i++) {
            lines.add(row(labels.get(i), strips.get(i), i == 0 ? strips : List.of(), i == 0));
        }
        lines.add(corner("└", "+") + bar.repeat(LABEL_COLUMNS + COLUMNS + 16) + corner("┘", "+"));
        lines.add("  " + symbol('█', '#') + " data   " + symbol('▒', '%')
                + " data of its own, changed since the snapshot   " + symbol('·', '.') + " never written");
        tree(lines, image.root(), "  ");
        return lines;
    }

    private String row(String label, Strip strip, List<Strip> others, boolean live) {
        StringBuilder cells = new StringBuilder();
        for (int column = 0; column < COLUMNS; column++) {
            long offset = strip.hostOffsets[column];
            if (offset < 0) {
                cells.append(symbol('·', '.'));
            } else {
                cells.append(isOwn(offset, column, others) ? symbol('▒', '%') : symbol('█', '#'));
            }
        }
        String side = corner("│", "|");
        String picture = live ? palette.live(cells.toString()) : palette.kept(cells.toString());
        return side + " " + Decimals.left(label, LABEL_COLUMNS) + picture + "  "
                + Decimals.right(SizeWords.threeDigits(strip.dataBytes), 11) + "  " + side;
    }

    /** Whether no snapshot shares what the live disk has in a column. */
    private static boolean isOwn(long hostOffset, int column, List<Strip> strips) {
        for (int i = 1; i < strips.size(); i++) {
            if (strips.get(i).hostOffsets[column] == hostOffset) {
                return false;
            }
        }
        return strips.size() > 1;
    }

    private static Strip strip(BlockBackend disk) throws BlockException {
        long length = disk.lengthBytes();
        long perColumn = (length + COLUMNS - 1) / COLUMNS;
        long[] hostOffsets = new long[COLUMNS];
        long data = 0;
        for (int column = 0; column < COLUMNS; column++) {
            hostOffsets[column] = -1;
            long offset = column * perColumn;
            long end = Math.min(length, offset + perColumn);
            while (offset < end) {
                BlockStatus status = disk.status(offset, end - offset);
                if (status.data()) {
                    data += status.lengthBytes();
                    if (hostOffsets[column] < 0) {
                        hostOffsets[column] = Math.max(0, status.hostOffset());
                    }
                }
                offset += status.lengthBytes();
            }
        }
        return new Strip(hostOffsets, data);
    }

    private void tree(List<String> lines, BlockNode node, String indent) throws BlockException {
        String size = node.driverName().equals("file") ? "" : ", " + SizeWords.threeDigits(node.lengthBytes());
        lines.add(indent + palette.title(node.driverName()) + size + palette.faint("  " + shortName(node.fileName())));
        List<ChildEdge> children = node.children();
        for (ChildEdge child : children) {
            lines.add(indent + corner("└─", "+-") + " " + child.name() + ":");
            tree(lines, child.node(), indent + "     ");
        }
    }

    private static String shortName(String fileName) {
        return fileName.substring(fileName.lastIndexOf('/') + 1);
    }

    private String corner(String box, String ascii) {
        return palette.boxes() ? box : ascii;
    }

    private char symbol(char box, char ascii) {
        return palette.boxes() ? box : ascii;
    }
}
