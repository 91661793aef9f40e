/**
 * The data plane of a node: admission and tracking of requests, padding and bouncing of what a driver can't take, and the way of
 * a read, write, zero, discard and flush through a protocol, a format or a filter. Not exported: users see it through {@link
 * dev.ashlar.core.BlockBackend} and {@link dev.ashlar.core.BlockQueue}, drivers through {@link dev.ashlar.core.spi.ChildAccess}.
 *
 * <p>Nothing here changes the graph or holds a lock of the graph. The one lock is that of a node's {@link
 * dev.ashlar.core.request.RequestTracker}, which is never held while a driver is called.
 */
@org.jspecify.annotations.NullMarked
package dev.ashlar.core.request;
