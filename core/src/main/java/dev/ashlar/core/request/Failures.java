package dev.ashlar.core.request;

import dev.ashlar.core.BlockException;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/** The reasons of the latest failed completions of a queue, a bounded number. */
final class Failures {
    private record Failed(long token, BlockException reason) {}

    private final int capacity;
    private final ArrayDeque<Failed> latest = new ArrayDeque<>(0);

    Failures(int capacity) {
        this.capacity = capacity;
    }

    void put(long token, BlockException reason) {
        if (latest.size() == capacity) {
            latest.remove();
        }
        latest.add(new Failed(token, reason));
    }

    @Nullable
    BlockException take(long token) {
        for (Failed failed : latest) {
            if (failed.token() == token) {
                latest.remove(failed);
                return failed.reason();
            }
        }
        return null;
    }
}
