/**
 * The qcow2 driver, versions 2 and 3. {@code format} holds codecs, {@code metadata} tables between memory and disk, {@code alloc} refcounts and allocation,
 * {@code snapshot} internal snapshots, {@code check} the checker; the instance here puts them together and answers core.
 */
@org.jspecify.annotations.NullMarked
package dev.ashlar.drivers.qcow2;
