package dev.ashlar.core;

/** Tells of the dirty bitmaps of a node. Any thread; must not wait. */
@FunctionalInterface
public interface ActiveBitmaps {
    /** Of a node that has none. */
    ActiveBitmaps NONE = new ActiveBitmaps() {
        @Override
        public boolean any() {
            return false;
        }
    };

    /** Whether at least one bitmap is active: it records writes, or stands for a backup under way. */
    boolean any();
}
