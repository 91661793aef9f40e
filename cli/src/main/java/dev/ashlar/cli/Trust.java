package dev.ashlar.cli;

import dev.ashlar.cli.option.OptionList;
import dev.ashlar.cli.option.SizeText;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.ImageLimits;
import dev.ashlar.core.OpenGate;
import dev.ashlar.core.OpenOptions;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Whether the images of a command are trusted. With {@code --untrusted}, which every command takes, an image is only read, opens no file that it names, and may not
 * claim more than {@link ImageLimits#UNTRUSTED}, or than {@code --untrusted=max-size=SIZE,max-snapshots=N,max-table=SIZE} says.
 */
public final class Trust {
    private static final String OPTION = "--untrusted";

    /** Null: images are trusted. */
    private final @Nullable ImageLimits limits;

    private Trust(@Nullable ImageLimits limits) {
        this.limits = limits;
    }

    /** Images are trusted. */
    static Trust full() {
        return new Trust(null);
    }

    /** What a command line says. @param words the command line; only what stands before {@code --} counts */
    static Trust of(Console console, String[] words) {
        @Nullable ImageLimits limits = null;
        for (String word : words) {
            if (word.equals("--")) {
                break;
            }
            if (word.equals(OPTION)) {
                limits = ImageLimits.UNTRUSTED;
            } else if (word.startsWith(OPTION + "=")) {
                limits = limits(console, word.substring(OPTION.length() + 1));
            }
        }
        return new Trust(limits);
    }

    /** The command line without the option. */
    static String[] without(String[] words) {
        List<String> rest = new ArrayList<>();
        boolean options = true;
        for (String word : words) {
            options &= !word.equals("--");
            if (!options || !(word.equals(OPTION) || word.startsWith(OPTION + "="))) {
                rest.add(word);
            }
        }
        return rest.toArray(new String[0]);
    }

    private static ImageLimits limits(Console console, String text) {
        long maxDisk = ImageLimits.UNTRUSTED.maxDiskBytes();
        long maxSnapshots = ImageLimits.UNTRUSTED.maxSnapshots();
        long maxTable = ImageLimits.UNTRUSTED.maxTableBytes();
        for (OptionList.Entry entry : OptionList.of(text).entries()) {
            switch (entry.name()) {
                case "max-size" -> maxDisk = size(console, entry);
                case "max-snapshots" -> maxSnapshots = size(console, entry);
                case "max-table" -> maxTable = size(console, entry);
                default ->
                    throw console.usageError(
                            "Unknown limit '" + entry.name() + "': there are max-size, max-snapshots and max-table");
            }
        }
        return new ImageLimits(maxDisk, maxSnapshots, maxTable);
    }

    private static long size(Console console, OptionList.Entry entry) {
        SizeText size = SizeText.of(entry.value());
        if (size.problem() == SizeText.Problem.INVALID || !size.fitsLong() || size.bytes() < 0) {
            throw console.usageError("Invalid limit '" + entry.name() + "=" + entry.value() + "'");
        }
        return size.bytes();
    }

    /** Whether images are trusted. */
    public boolean isFull() {
        return limits == null;
    }

    /** How to open an image that stands on the command line. @throws BlockException PERMISSION for writing to one that is not trusted */
    public OpenOptions apply(OpenOptions how, String name) throws BlockException {
        if (limits == null) {
            return how;
        }
        if (!how.isReadOnly()) {
            throw new BlockException(Kind.PERMISSION, "'" + name + "' is not trusted: it is opened for reading only");
        }
        return how.untrusted(true).limits(limits);
    }

    /**
     * How to open what a command writes its result to: a file that it has just created, or one without a format. Where images are not trusted, the target opens only
     * files that the command line gave it.
     *
     * @param given names of such files, as they stand in the target
     */
    public OpenOptions applyToTarget(OpenOptions how, Set<String> given) {
        if (limits == null) {
            return how;
        }
        return how.openGate((imageFileName, childName, reference) -> given.contains(reference.fileName())
                ? reference
                : OpenGate.REFUSE.permit(imageFileName, childName, reference));
    }
}
