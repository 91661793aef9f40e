package dev.ashlar.core.spi;

import dev.ashlar.core.BlockException;
import java.util.List;
import java.util.Map;

/** A format whose encryption keeps its key under several passphrases. Called on a drained, writable node. */
public interface KeySlotCapable {
    /** The options that {@link #changeKeySlots} understands, in the order in which users should see them. */
    List<OptionDescriptor> keySlotOptions();

    /**
     * Adds or erases passphrases. Each slot changes as a whole or not at all.
     *
     * @param force the last passphrase may be erased, which gives up all data, and a slot that has one may be given another
     * @param secrets of the ids that the options name
     * @throws BlockException INVALID for what can't be asked, UNSUPPORTED for an image without key slots; then nothing was changed
     */
    void changeKeySlots(Map<String, String> options, boolean force, SecretSource secrets) throws BlockException;
}
