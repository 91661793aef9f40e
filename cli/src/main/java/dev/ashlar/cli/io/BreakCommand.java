package dev.ashlar.cli.io;

import dev.ashlar.cli.Console;
import dev.ashlar.core.filter.Breakpoints;
import dev.ashlar.core.spi.BlockEvent;
import java.util.Optional;

/** {@code break}, {@code remove_break}, {@code resume} and {@code wait_break}: requests that stop at an event of a {@code blkdebug} node. */
final class BreakCommand {
    private static final String NOT_SUPPORTED = "Operation not supported";

    private final Console console;
    private final OpenImage image;

    BreakCommand(Console console, OpenImage image) {
        this.console = console;
        this.image = image;
    }

    boolean set(String event, String tag) {
        Optional<Breakpoints> breakpoints = breakpoints();
        if (breakpoints.isEmpty()) {
            return fail("Could not set breakpoint: " + NOT_SUPPORTED);
        }
        Optional<BlockEvent> known = BlockEvent.find(event);
        if (known.isEmpty()) {
            return fail("Could not set breakpoint: No such file or directory");
        }
        breakpoints.get().listen(new Reporter(console));
        breakpoints.get().add(known.get(), tag);
        return true;
    }

    boolean remove(String tag) {
        Optional<Breakpoints> breakpoints = breakpoints();
        if (breakpoints.isEmpty()) {
            return fail("Could not remove breakpoint " + tag + ": " + NOT_SUPPORTED);
        }
        return breakpoints.get().remove(tag)
                || fail("Could not remove breakpoint " + tag + ": No such file or directory");
    }

    boolean resume(String tag) {
        Optional<Breakpoints> breakpoints = breakpoints();
        if (breakpoints.isEmpty()) {
            return fail("Could not resume request: " + NOT_SUPPORTED);
        }
        if (!breakpoints.get().resume(tag)) {
            return fail("Could not resume request: No such file or directory");
        }
        image.settleRequests();
        return true;
    }

    boolean await(String tag) {
        Optional<Breakpoints> breakpoints = breakpoints();
        if (breakpoints.isPresent()) {
            console.flush();
            breakpoints.get().awaitSuspended(tag);
            return true;
        }
        return fail("There is no blkdebug node to wait for");
    }

    private Optional<Breakpoints> breakpoints() {
        return Breakpoints.under(image.backend().root());
    }

    private boolean fail(String message) {
        console.out().print(message + "\n");
        return false;
    }

    /** Tells of requests that stop and go on. */
    private record Reporter(Console console) implements Breakpoints.Listener {
        @Override
        public void suspended(String tag) {
            console.out().print("blkdebug: Suspended request '" + tag + "'\n");
        }

        @Override
        public void resumed(String tag) {
            console.out().print("blkdebug: Resuming request '" + tag + "'\n");
        }
    }
}
