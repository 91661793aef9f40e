/**
 * Dirty bitmaps that the image keeps. {@link dev.ashlar.drivers.qcow2.bitmap.StoredBitmaps} loads them when the image is opened, marks them as in
 * use before the first write, and stores them when it is closed: new tables and a new directory in new clusters, put in force by one sector.
 */
@org.jspecify.annotations.NullMarked
package dev.ashlar.drivers.qcow2.bitmap;
