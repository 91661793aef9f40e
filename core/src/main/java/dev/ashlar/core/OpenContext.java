package dev.ashlar.core;

import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.ImageReference;
import dev.ashlar.core.spi.OpenRequest;
import dev.ashlar.core.spi.SecretSource;
import java.util.Collections;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** What a driver is told when it opens. */
record OpenContext(
        String nodeName,
        Map<String, String> options,
        EnumSet<Flag> flagSet,
        @Nullable ChildAccess child,
        @Nullable References references,
        SecretSource secrets,
        Consumer<String> notices,
        ImageLimits limits)
        implements OpenRequest {

    /** Opens further children: files named inside the image, and what the options describe. */
    interface References {
        ChildAccess open(String childName, Set<ChildRole> roles, ImageReference reference) throws BlockException;

        ChildAccess open(String childName, Set<ChildRole> roles) throws BlockException;

        boolean describe(String childName);
    }

    @Override
    public byte[] secret(String id) throws BlockException {
        return secrets.secret(id);
    }

    @Override
    public boolean has(Flag flag) {
        return flagSet.contains(flag);
    }

    @Override
    public Set<Flag> flags() {
        return Collections.unmodifiableSet(flagSet);
    }

    @Override
    public ChildAccess file() {
        if (child == null) {
            throw new IllegalStateException("a protocol has no file child");
        }
        return child;
    }

    @Override
    public ChildAccess openReference(String childName, Set<ChildRole> roles, ImageReference reference)
            throws BlockException {
        if (references == null) {
            throw new IllegalStateException("a protocol has no children");
        }
        return references.open(childName, roles, reference);
    }

    @Override
    public ChildAccess openChild(String childName, Set<ChildRole> roles) throws BlockException {
        if (references == null) {
            throw new IllegalStateException("a protocol has no children");
        }
        return references.open(childName, roles);
    }

    @Override
    public boolean describesChild(String childName) {
        return references != null && references.describe(childName);
    }
}
