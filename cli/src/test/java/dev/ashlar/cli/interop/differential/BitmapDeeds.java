package dev.ashlar.cli.interop.differential;

import dev.ashlar.cli.interop.Side;
import dev.ashlar.cli.interop.differential.Deed.Ending;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** Dirty bitmaps that the image keeps. */
final class BitmapDeeds extends DeedFamily {
    private static final int MAX_BITMAPS = 3;

    BitmapDeeds(Random random, TestedImage image) {
        super(random, image);
    }

    @Override
    @Nullable
    Deed draw(Side doer) {
        if (!image.modern) {
            return null;
        }
        List<String> names = List.copyOf(image.bitmaps.keySet());
        if (names.isEmpty() || names.size() < MAX_BITMAPS && oneIn(3)) {
            return added();
        }
        String name = any(names);
        BitmapModel model = Objects.requireNonNull(image.bitmaps.get(name));
        return switch (random.nextInt(7)) {
            case 0 -> bitmap(() -> image.bitmaps.remove(name), name, "--remove");
            case 1 -> bitmap(model::clear, name, "--clear");
            case 2 -> bitmap(() -> model.enable(true), name, "--enable");
            case 3 -> bitmap(() -> model.enable(false), name, "--disable");
            default -> {
                String source = any(names);
                BitmapModel from = Objects.requireNonNull(image.bitmaps.get(source));
                yield bitmap(() -> model.merge(from, image.model.lengthBytes()), name, "--merge", source);
            }
        };
    }

    private Deed added() {
        String name = image.newName("b");
        int granularity = 512 << random.nextInt(10);
        List<String> action = new ArrayList<>(List.of("--add", "-g", Integer.toString(granularity)));
        BitmapModel model = new BitmapModel(granularity);
        if (oneIn(4)) {
            action.add("--disable");
            model.enable(false);
        }
        return bitmap(() -> image.bitmaps.put(name, model), name, action.toArray(String[]::new));
    }

    private Deed bitmap(Runnable effect, String name, String... action) {
        List<String> words = new ArrayList<>(List.of("bitmap"));
        words.addAll(List.of(action));
        return new Deed.Img(image.command(words, drawNodeOptions(), name), Ending.DONE, effect);
    }
}
