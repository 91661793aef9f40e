/**
 * Protocols for tests. A {@link dev.ashlar.testkit.protocol.MemoryFile} holds content, a {@link
 * dev.ashlar.testkit.protocol.MemoryProtocol} is one open instance on it, and {@link dev.ashlar.testkit.protocol.MemoryDriver} lets a
 * graph open such files by name. Around any protocol go {@link dev.ashlar.testkit.protocol.RecordingProtocol}, which logs what
 * changes the disk, and {@link dev.ashlar.testkit.protocol.FaultProtocol}, which makes calls fail. {@link
 * dev.ashlar.testkit.protocol.DirectChild} shows a protocol to a format driver without a graph in between.
 */
@org.jspecify.annotations.NullMarked
package dev.ashlar.testkit.protocol;
