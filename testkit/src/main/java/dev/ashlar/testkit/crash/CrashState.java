package dev.ashlar.testkit.crash;

import dev.ashlar.testkit.SparseBytes;
import java.util.List;

/**
 * One image that a power cut could leave.
 *
 * @param position events of the log that had happened
 * @param marks values of the marks among them, in order
 * @param image the image; the visitor may change it
 * @param certain operations that had to be there
 * @param choices what became of those that did not have to
 */
public record CrashState(int position, List<Object> marks, SparseBytes image, int certain, List<Choice> choices) {
    /** How much of an operation reached the disk. */
    public enum Extent {
        NONE,
        SOME_SECTORS,
        ALL
    }

    /** What became of one operation. */
    public record Choice(int id, DiskOperation operation, Extent extent) {
        @Override
        public String toString() {
            return "#" + id + " " + operation + " " + extent;
        }
    }

    public CrashState {
        marks = List.copyOf(marks);
        choices = List.copyOf(choices);
    }

    /** The last mark of a type before the crash, or null. */
    public <T> @org.jspecify.annotations.Nullable T lastMark(Class<T> type) {
        for (int i = marks.size() - 1; i >= 0; i--) {
            if (type.isInstance(marks.get(i))) {
                return type.cast(marks.get(i));
            }
        }
        return null;
    }

    @Override
    public String toString() {
        StringBuilder text =
                new StringBuilder("crash after event " + position + ", " + certain + " operations certain");
        choices.forEach(choice -> text.append("\n  ").append(choice));
        return text.toString();
    }
}
