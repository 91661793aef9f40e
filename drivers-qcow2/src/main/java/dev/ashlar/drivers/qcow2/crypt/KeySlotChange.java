package dev.ashlar.drivers.qcow2.crypt;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.OptionDescriptor;
import dev.ashlar.core.spi.OptionDescriptor.Type;
import dev.ashlar.core.spi.SecretSource;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A change of the key slots of a LUKS image: the options {@code encrypt.…} of an amendment. A slot is filled with another passphrase, or slots are erased, but
 * the last one that opens only by force. Source: QEMU's "LUKS amend" options.
 */
public final class KeySlotChange {
    /** As users should see them. */
    public static final List<OptionDescriptor> DESCRIPTORS = List.of(
            new OptionDescriptor(
                    "encrypt.state", Type.STRING, "Select new state of affected keyslots (active/inactive)", null),
            new OptionDescriptor(
                    "encrypt.new-secret",
                    Type.STRING,
                    "New secret to set in the matching keyslots. Empty string to erase",
                    null),
            new OptionDescriptor(
                    "encrypt.old-secret", Type.STRING, "Select all keyslots that match this password", null),
            new OptionDescriptor("encrypt.keyslot", Type.NUMBER, "Select a single keyslot to modify explicitly", null),
            new OptionDescriptor("encrypt.iter-time", Type.NUMBER, "Time to spend in PBKDF in milliseconds", null));

    private static final String PREFIX = "encrypt.";
    private static final long DEFAULT_MILLIS = 2000;

    private final boolean activate;
    private final @Nullable String newSecret;
    private final @Nullable String oldSecret;
    private final int slot;
    private final long iterationMillis;
    private final boolean force;

    private KeySlotChange(
            boolean activate,
            @Nullable String newSecret,
            @Nullable String oldSecret,
            int slot,
            long iterationMillis,
            boolean force) {
        this.force = force;
        this.activate = activate;
        this.newSecret = newSecret;
        this.oldSecret = oldSecret;
        this.slot = slot;
        this.iterationMillis = iterationMillis;
    }

    /**
     * @param force also what gives data up: the last passphrase
     * @return null where the options ask for none
     */
    public static @Nullable KeySlotChange parse(Map<String, String> options, boolean force) throws BlockException {
        boolean any = false;
        for (String name : options.keySet()) {
            any |= name.startsWith(PREFIX);
        }
        if (!any) {
            return null;
        }
        String state = options.get(PREFIX + "state");
        if (state == null) {
            throw invalid("Parameter 'state' is missing");
        }
        if (!state.equals("active") && !state.equals("inactive")) {
            throw invalid("Parameter 'state' does not accept value '" + state + "'");
        }
        boolean activate = state.equals("active");
        String newSecret = options.get(PREFIX + "new-secret");
        String oldSecret = options.get(PREFIX + "old-secret");
        String slotText = options.get(PREFIX + "keyslot");
        long slot = slotText == null ? -1 : number("keyslot", slotText);
        if (activate && newSecret == null) {
            throw invalid("'new-secret' is required to activate a keyslot");
        }
        if (activate && oldSecret != null) {
            throw invalid("'old-secret' must not be given when activating keyslots");
        }
        if (slotText != null && (slot < 0 || slot >= LuksHeader.SLOTS)) {
            throw invalid("Invalid keyslot " + Integer.toUnsignedString((int) slot)
                    + " specified, must be between 0 and " + (LuksHeader.SLOTS - 1));
        }
        if (!activate && newSecret != null) {
            throw invalid("'new-secret' must not be given when erasing keyslots");
        }
        if (!activate && slotText == null && oldSecret == null) {
            throw invalid("To erase keyslot(s), either explicit keyslot index or the password currently contained in"
                    + " them must be given");
        }
        String millis = options.get(PREFIX + "iter-time");
        if (!activate && millis != null) {
            throw invalid("'iter-time' must not be given when erasing keyslots");
        }
        return new KeySlotChange(
                activate,
                newSecret,
                oldSecret,
                (int) slot,
                millis == null ? DEFAULT_MILLIS : number("iter-time", millis),
                force);
    }

    /** @param key the master key, stays the caller's */
    void apply(LuksVolume volume, byte[] key, SecretSource secrets) throws BlockException {
        if (activate) {
            fill(volume, key, secrets);
        } else if (oldSecret != null) {
            eraseMatching(volume, oldSecret, secrets);
        } else {
            eraseOne(volume);
        }
    }

    private void fill(LuksVolume volume, byte[] key, SecretSource secrets) throws BlockException {
        int chosen = slot;
        if (chosen < 0) {
            chosen = firstInactive(volume);
            if (chosen == LuksHeader.SLOTS) {
                throw invalid("Can't add a keyslot - all keyslots are in use");
            }
        } else if (isActive(volume, chosen) && !force) {
            throw invalid("Refusing to overwrite active keyslot " + chosen + " - please erase it first");
        }
        if (newSecret == null) {
            throw new IllegalStateException("a slot without a secret");
        }
        byte[] passphrase = secrets.secret(newSecret);
        try {
            if (isActive(volume, chosen)) {
                replace(volume, chosen, key, passphrase);
            } else {
                volume.fillSlot(chosen, key, passphrase, iterationMillis);
            }
        } finally {
            Arrays.fill(passphrase, (byte) 0);
        }
    }

    /** A slot that is in use is gone while it is filled: meanwhile another one has the new passphrase, if one is free. */
    private void replace(LuksVolume volume, int number, byte[] key, byte[] passphrase) throws BlockException {
        int spare = firstInactive(volume);
        if (spare < LuksHeader.SLOTS) {
            volume.fillSlot(spare, key, passphrase, iterationMillis);
        }
        volume.eraseSlot(number);
        volume.fillSlot(number, key, passphrase, iterationMillis);
        if (spare < LuksHeader.SLOTS) {
            volume.eraseSlot(spare);
        }
    }

    private static int firstInactive(LuksVolume volume) {
        int number = 0;
        while (number < LuksHeader.SLOTS && isActive(volume, number)) {
            number++;
        }
        return number;
    }

    private void eraseMatching(LuksVolume volume, String secretId, SecretSource secrets) throws BlockException {
        byte[] passphrase = secrets.secret(secretId);
        List<Integer> matching;
        try {
            matching = volume.slotsOf(passphrase);
        } finally {
            Arrays.fill(passphrase, (byte) 0);
        }
        if (slot >= 0) {
            if (!matching.contains(slot)) {
                throw invalid("Given keyslot " + slot + " doesn't contain the given old password for erase operation");
            }
            eraseOne(volume);
            return;
        }
        if (matching.isEmpty()) {
            throw invalid("No keyslots match given (old) password for erase operation");
        }
        if (matching.size() == volume.activeSlots() && !force) {
            throw invalid("All the active keyslots match the (old) password that was given and erasing them will erase"
                    + " all the data in the image irreversibly - refusing operation");
        }
        for (int each : matching) {
            volume.eraseSlot(each);
        }
    }

    private void eraseOne(LuksVolume volume) throws BlockException {
        if (!isActive(volume, slot) && !force) {
            throw invalid("Given keyslot " + slot + " is already erased (inactive) ");
        }
        if (volume.activeSlots() == 1 && !force) {
            throw invalid("Attempt to erase the only active keyslot " + slot
                    + " which will erase all the data in the image irreversibly - refusing operation");
        }
        volume.eraseSlot(slot);
    }

    private static boolean isActive(LuksVolume volume, int number) {
        return volume.header().slots().get(number).active();
    }

    private static long number(String name, String text) throws BlockException {
        try {
            return Long.parseLong(text);
        } catch (NumberFormatException e) {
            throw new BlockException(Kind.INVALID, "Parameter 'encrypt." + name + "' expects a number", e);
        }
    }

    private static BlockException invalid(String message) {
        return new BlockException(Kind.INVALID, message);
    }
}
