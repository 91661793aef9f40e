package dev.ashlar.cli.output;

import java.io.IOException;
import java.io.OutputStream;
import org.jspecify.annotations.Nullable;

/** A stream that remembers why it failed first, and drops what comes after that. May be used by any thread. */
public final class WatchedOutput extends OutputStream {
    private final OutputStream out;
    private volatile @Nullable IOException failure;

    public WatchedOutput(OutputStream out) {
        this.out = out;
    }

    @Override
    public void write(int b) {
        write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) {
        if (failure != null) {
            return;
        }
        try {
            out.write(bytes, offset, length);
        } catch (IOException e) {
            failure = e;
        }
    }

    @Override
    public void flush() {
        if (failure != null) {
            return;
        }
        try {
            out.flush();
        } catch (IOException e) {
            failure = e;
        }
    }

    /** Why nothing arrives any more, or null while everything does. */
    public @Nullable IOException failure() {
        return failure;
    }
}
