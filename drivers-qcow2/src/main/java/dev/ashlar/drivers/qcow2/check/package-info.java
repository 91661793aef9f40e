/** Consistency of an image: what refers to each cluster against its refcount, flags, repair. */
@org.jspecify.annotations.NullMarked
package dev.ashlar.drivers.qcow2.check;
