package dev.ashlar.cli.interop.differential;

import dev.ashlar.cli.interop.Side;
import dev.ashlar.cli.interop.differential.Deed.Ending;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** Passphrases come and go, by slot and by themselves; the last one stays, and one that was erased opens nothing. */
final class KeySlotDeeds extends DeedFamily {
    private static final String ERASE = "encrypt.state=inactive,";

    private @Nullable Path erased;

    KeySlotDeeds(Random random, TestedImage image) {
        super(random, image);
    }

    @Override
    @Nullable
    Deed draw(Side doer) {
        KeyRing keys = image.keys;
        if (keys == null) {
            return null;
        }
        boolean last = keys.slots().size() == 1;
        if (last && oneIn(4)) {
            return img(Ending.REFUSED, () -> {}, "amend", "-q", "-o", lastSlot(keys));
        }
        if (last || keys.slots().size() < KeyRing.SLOTS && oneIn(3)) {
            return added(doer, keys);
        }
        if (erased != null && oneIn(4)) {
            return wrongPassphrase(erased);
        }
        return erased(keys);
    }

    private static String lastSlot(KeyRing keys) {
        return ERASE + "encrypt.keyslot=" + keys.slots().firstKey();
    }

    /** The real program takes seconds to measure how fast it derives keys: it adds one sometimes. */
    private @Nullable Deed added(Side doer, KeyRing keys) {
        if (doer == Side.QEMU && !oneIn(4)) {
            return null;
        }
        int slot = keys.freeSlot();
        Path passphrase = keys.newPassphrase();
        String options = "encrypt.state=active,encrypt.new-secret=" + KeyRing.NEW_ID + ",encrypt.iter-time=1"
                + (random.nextBoolean() ? ",encrypt.keyslot=" + slot : "");
        return amend(() -> keys.slots().put(slot, passphrase), KeyRing.object(KeyRing.NEW_ID, passphrase), options);
    }

    private Deed erased(KeyRing keys) {
        int slot = any(List.copyOf(keys.slots().keySet()));
        Path passphrase = Objects.requireNonNull(keys.slots().get(slot));
        Runnable effect = () -> {
            keys.slots().remove(slot);
            erased = passphrase;
        };
        return random.nextBoolean()
                ? amend(effect, List.of(), ERASE + "encrypt.keyslot=" + slot)
                : amend(
                        effect,
                        KeyRing.object(KeyRing.NEW_ID, passphrase),
                        ERASE + "encrypt.old-secret=" + KeyRing.NEW_ID);
    }

    private Deed amend(Runnable effect, List<String> objects, String options) {
        List<String> words = new ArrayList<>(List.of("amend", "-q"));
        words.addAll(objects);
        words.addAll(List.of("-o", options));
        return new Deed.Img(image.command(words), Ending.DONE, effect);
    }

    private Deed wrongPassphrase(Path passphrase) {
        List<String> words = new ArrayList<>(List.of("check"));
        words.addAll(KeyRing.object(KeyRing.ID, passphrase));
        words.addAll(List.of("--image-opts", image.name("")));
        return new Deed.Img(words, Ending.REFUSED, () -> {});
    }
}
