package dev.ashlar.cli.interop.differential;

import dev.ashlar.cli.interop.Side;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** Deeds of one kind. Each family knows what makes sense on the image as it is, and what the real program must not be asked to do. */
abstract class DeedFamily {
    static final int SECTOR_BYTES = 512;
    static final long MAX_BYTES = 10 << 20;

    final Random random;
    final TestedImage image;

    DeedFamily(Random random, TestedImage image) {
        this.random = random;
        this.image = image;
    }

    /** @param doer who will do it: each has what only the other can do. @return null where what was drawn makes no sense now */
    abstract @Nullable Deed draw(Side doer);

    /** Sometimes options of the image's node that change nothing of what it holds. */
    final String drawNodeOptions() {
        return random.nextInt(4) == 0 ? ",discard=unmap" + Opening.drawPassed(random) : "";
    }

    final Deed.Img img(Deed.Ending ending, Runnable effect, String... words) {
        return new Deed.Img(image.command(List.of(words), drawNodeOptions()), ending, effect);
    }

    final <T> T any(List<T> list) {
        return list.get(random.nextInt(list.size()));
    }

    final boolean oneIn(int count) {
        return random.nextInt(count) == 0;
    }
}
