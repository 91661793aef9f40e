package dev.ashlar.core;

/** What a parent keeps in a child; an edge carries one or more. */
public enum ChildRole {
    /** The child holds guest data of the parent. */
    DATA,
    /** The child holds the parent's metadata. */
    METADATA,
    /** The parent passes requests on to the child and changes nothing of the content; excludes all but PRIMARY. */
    FILTERED,
    /** The child answers for what the parent has not allocated (a backing file); excludes all others. */
    COW,
    /** The one child that stands for the parent, for instance in file names; at most one per parent. */
    PRIMARY
}
