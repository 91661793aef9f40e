/** Parts of the qcow2 format read and written by code of the tests' own, which shares nothing with the driver: what both find is found twice. */
@org.jspecify.annotations.NullMarked
package dev.ashlar.testkit.qcow2;
