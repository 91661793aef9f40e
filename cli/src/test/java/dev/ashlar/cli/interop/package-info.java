/**
 * Real files, real devices, real programs: images that go back and forth between Ashlar and {@code qemu-img}/{@code qemu-io}, processes that are killed, loop
 * devices, direct I/O. Everything goes through the public API with the drivers that are installed.
 */
package dev.ashlar.cli.interop;
