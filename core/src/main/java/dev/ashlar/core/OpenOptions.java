package dev.ashlar.core;

import dev.ashlar.core.spi.OpenRequest.Flag;
import java.util.EnumSet;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** How to open an image. Immutable: each method returns a changed copy. */
public final class OpenOptions {
    private static final OpenOptions READ_WRITE = new OpenOptions();

    private EnumSet<Flag> flags = EnumSet.noneOf(Flag.class);
    private @Nullable String format;
    private @Nullable String nodeName;
    private @Nullable String deviceName;
    private boolean backing = true;
    private OpenGate gate = OpenGate.ALLOW;
    private ImageLimits limits = ImageLimits.NONE;
    private Map<String, String> driverOptions = Map.of();

    private OpenOptions() {}

    /** For reading; the backing chain is opened as well. */
    public static OpenOptions readOnly() {
        return READ_WRITE.with(Flag.READ_ONLY, true);
    }

    /** For reading and writing; backing files are opened read-only. */
    public static OpenOptions readWrite() {
        return READ_WRITE;
    }

    /** The driver that interprets the file, instead of probing. Names of protocol drivers open the bare file. */
    public OpenOptions format(@Nullable String name) {
        OpenOptions copy = copy();
        copy.format = name;
        return copy;
    }

    /** O_DIRECT for data: past the host's page cache. */
    public OpenOptions direct(boolean on) {
        return with(Flag.DIRECT, on);
    }

    /** Flushes do not reach the host; only for scratch copies. */
    public OpenOptions noFlush(boolean on) {
        return with(Flag.NO_FLUSH, on);
    }

    /** Take no locks against other processes. For reading only. */
    public OpenOptions forceShare(boolean on) {
        return with(Flag.FORCE_SHARE, on);
    }

    /** For checking and repairing: dirty and corrupt images open. */
    public OpenOptions checking(boolean on) {
        return with(Flag.CHECK, on);
    }

    /** Only facts about the image are wanted: exactly one file is opened, no backing file. */
    public OpenOptions noIo(boolean on) {
        return with(Flag.NO_IO, on);
    }

    /** Discards are carried out; otherwise they succeed and do nothing. */
    public OpenOptions unmap(boolean on) {
        return with(Flag.UNMAP, on);
    }

    /** Whether to open the backing chain. Without it, what the image has not allocated reads as zeros. */
    public OpenOptions backing(boolean on) {
        OpenOptions copy = copy();
        copy.backing = on;
        return copy;
    }

    /**
     * The image is not trusted: read-only, format given or by magic only, no file named inside is opened, dirty and corrupt images are refused, and what it may claim
     * is limited ({@link ImageLimits#UNTRUSTED}).
     */
    public OpenOptions untrusted(boolean on) {
        OpenOptions copy = with(Flag.UNTRUSTED, on);
        copy.gate = on ? OpenGate.REFUSE : OpenGate.ALLOW;
        copy.limits = on ? ImageLimits.UNTRUSTED : ImageLimits.NONE;
        return copy;
    }

    /** What the image may claim at most. */
    public OpenOptions limits(ImageLimits imageLimits) {
        OpenOptions copy = copy();
        copy.limits = Objects.requireNonNull(imageLimits, "imageLimits");
        return copy;
    }

    /**
     * Options of drivers by flattened name, for instance {@code driver=raw}, {@code offset=1M}, {@code file.filename=disk.img},
     * {@code backing.driver=qcow2}.
     */
    public OpenOptions driverOptions(Map<String, String> options) {
        OpenOptions copy = copy();
        copy.driverOptions = Map.copyOf(options);
        return copy;
    }

    /** Decides about files named inside images. */
    public OpenOptions openGate(OpenGate openGate) {
        OpenOptions copy = copy();
        copy.gate = Objects.requireNonNull(openGate, "openGate");
        return copy;
    }

    /** Name of the topmost node, unique in the graph; generated if not given. */
    public OpenOptions nodeName(@Nullable String name) {
        OpenOptions copy = copy();
        copy.nodeName = name;
        return copy;
    }

    /** Name of the device that the backend is, unique among devices and nodes. */
    public OpenOptions deviceName(@Nullable String name) {
        OpenOptions copy = copy();
        copy.deviceName = name;
        return copy;
    }

    /** Whether writing is excluded. */
    public boolean isReadOnly() {
        return flags.contains(Flag.READ_ONLY) || flags.contains(Flag.UNTRUSTED);
    }

    /** Whether no locks are taken against other processes. */
    public boolean isForceShare() {
        return flags.contains(Flag.FORCE_SHARE);
    }

    /** The name given with {@link #format}, or null. */
    public @Nullable String format() {
        return format;
    }

    Set<Flag> flags() {
        return flags;
    }

    boolean has(Flag flag) {
        return flags.contains(flag);
    }

    @Nullable
    String nodeName() {
        return nodeName;
    }

    @Nullable
    String deviceName() {
        return deviceName;
    }

    OpenGate gate() {
        return gate;
    }

    ImageLimits limits() {
        return limits;
    }

    Map<String, String> driverOptions() {
        return driverOptions;
    }

    boolean wantsBacking() {
        return backing && !flags.contains(Flag.NO_IO);
    }

    private OpenOptions with(Flag flag, boolean on) {
        OpenOptions copy = copy();
        if (on) {
            copy.flags.add(flag);
        } else {
            copy.flags.remove(flag);
        }
        return copy;
    }

    private OpenOptions copy() {
        OpenOptions copy = new OpenOptions();
        copy.flags = EnumSet.copyOf(flags);
        copy.format = format;
        copy.nodeName = nodeName;
        copy.deviceName = deviceName;
        copy.backing = backing;
        copy.gate = gate;
        copy.limits = limits;
        copy.driverOptions = driverOptions;
        return copy;
    }
}
