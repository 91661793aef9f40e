package dev.ashlar.cli.interop.differential;

import dev.ashlar.testkit.SparseBytes;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Which parts of an image are its own and which show what is below, as {@code map} tells. */
record Extents(List<Extent> list) {
    private static final Pattern LINE =
            Pattern.compile("\"start\": (\\d+), \"length\": (\\d+), \"depth\": (\\d+), \"present\": (true|false)");

    record Extent(long start, long lengthBytes, boolean own) {}

    static Extents parse(String json) {
        List<Extent> list = new ArrayList<>();
        Matcher matcher = LINE.matcher(json);
        while (matcher.find()) {
            boolean own = matcher.group(3).equals("0") && matcher.group(4).equals("true");
            list.add(new Extent(Long.parseLong(matcher.group(1)), Long.parseLong(matcher.group(2)), own));
        }
        return new Extents(List.copyOf(list));
    }

    /** What the content becomes when something else is below. @param below null for nothing */
    SparseBytes above(@Nullable BackingFile below, SparseBytes content) {
        long length = content.lengthBytes();
        SparseBytes result = below == null ? new SparseBytes(length) : below.shownTo(length);
        for (Extent each : list) {
            if (each.own) {
                byte[] bytes = content.read(each.start, (int) each.lengthBytes);
                result.fill(each.start, bytes.length, (byte) 0);
                result.write(each.start, bytes, 0, bytes.length);
            }
        }
        return result;
    }
}
