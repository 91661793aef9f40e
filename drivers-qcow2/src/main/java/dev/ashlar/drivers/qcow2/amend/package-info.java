/** Changes of an image's options after its creation: version, width of refcounts, lazy refcounts; each in force with one write of the header's sector. */
@org.jspecify.annotations.NullMarked
package dev.ashlar.drivers.qcow2.amend;
