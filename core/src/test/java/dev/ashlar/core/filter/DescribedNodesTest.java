package dev.ashlar.core.filter;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockNode;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.spi.ImageReference;
import dev.ashlar.core.toy.ToyImage;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** Trees of nodes described by flattened options and by {@code json:} names. */
class DescribedNodesTest {
    private static final byte[] BELOW = FilterWorld.pattern(16384, 1);

    private static String chain(BlockBackend disk) {
        List<String> names = new ArrayList<>();
        BlockNode node = disk.root();
        while (true) {
            names.add(node.driverName());
            if (node.children().isEmpty()) {
                return String.join(" ", names);
            }
            names.add(node.children().get(0).name());
            node = node.children().get(0).node();
        }
    }

    @Test
    void treesAreBuiltFromOptions() throws Exception {
        try (FilterWorld world = new FilterWorld()) {
            world.overlay("image", 4096, BELOW);
            BlockBackend disk = world.open("driver=raw,node-name=top,file.driver=copy-on-read,file.file.driver=toy,"
                    + "file.file.node-name=middle,file.file.file.driver=blkdebug,file.file.file.image.filename=image");
            assertEquals("raw file copy-on-read file toy file blkdebug image mem", chain(disk));
            assertTrue(world.graph.node("middle").isPresent());
            assertEquals("top", disk.root().name());
            assertArrayEquals(BELOW, FilterWorld.read(disk, 0, BELOW.length));
            assertEquals(7, world.graph.nodes().size());
            disk.close();
            assertEquals(0, world.graph.nodes().size());
        }
    }

    @Test
    void jsonNamesDoTheSame() throws Exception {
        try (FilterWorld world = new FilterWorld()) {
            world.overlay("image", 4096, BELOW);
            String json = "json:{\"driver\":\"toy\",\"file\":{\"driver\":\"blkdebug\",\"align\":4096,"
                + "\"image\":\"\",\"image.filename\":\"json:{\\\"driver\\\":\\\"mem\\\",\\\"filename\\\":\\\"image\\\"}\"}}";
            String plain = json.replace("\"image\":\"\",", "");
            BlockBackend disk = world.openFile(plain, null);
            assertEquals("toy file blkdebug image mem", chain(disk));
            assertEquals("image", disk.fileName());
            assertArrayEquals(BELOW, FilterWorld.read(disk, 0, BELOW.length));
            disk.close();
            assertThrows(BlockException.class, () -> world.openFile(json, null));
            // A format that is given beside the name goes before the one in it.
            try (BlockBackend raw = world.openFile(plain, "raw")) {
                assertEquals("raw file blkdebug image mem", chain(raw));
            }
            BlockBackend without =
                    world.openFile(plain.replace("\"driver\":\"toy\"", "\"driver\":\"toy\",\"backing\":null"), null);
            assertArrayEquals(new byte[BELOW.length], FilterWorld.read(without, 0, BELOW.length));
        }
    }

    @Test
    void aFiltersChildIsABareFile() throws Exception {
        try (FilterWorld world = new FilterWorld()) {
            world.toy.image("image", 4096, 8192);
            world.memory
                    .disk("image", 0)
                    .write(
                            0,
                            java.lang.foreign.MemorySegment.ofArray(
                                    "TOY!".getBytes(java.nio.charset.StandardCharsets.US_ASCII)));
            try (BlockBackend disk = world.open("driver=copy-on-read,file.filename=image")) {
                assertEquals("copy-on-read file mem", chain(disk));
            }
            try (BlockBackend disk = world.open("driver=raw,file.driver=copy-on-read,file.file.filename=image")) {
                assertEquals("raw file copy-on-read file mem", chain(disk));
            }
        }
    }

    @Test
    void missingAndUnknownPartsAreNamed() throws Exception {
        try (FilterWorld world = new FilterWorld()) {
            world.memory.disk("disk", 512);
            assertEquals(
                    "A block device must be specified for \"file\"",
                    assertThrows(BlockException.class, () -> world.open("driver=copy-on-read"))
                            .getMessage());
            assertEquals(
                    "Block format 'copy-on-read' does not support the option 'bottom'",
                    assertThrows(
                                    BlockException.class,
                                    () -> world.open("driver=copy-on-read,bottom=x,file.filename=disk"))
                            .getMessage());
            String deep = "driver=copy-on-read,"
                    + java.util.stream.IntStream.range(0, 900)
                            .mapToObj(i -> "file.".repeat(i + 1) + "driver=copy-on-read")
                            .limit(600)
                            .collect(Collectors.joining(","));
            assertThrows(BlockException.class, () -> world.open(deep));
            assertEquals(0, world.memory.disks.get("disk").openInstances);
            assertEquals(0, world.graph.nodes().size());
        }
    }

    /** CVE-2024-4467 and kin: an image that is not trusted opens nothing by a clever name, whatever the gate says. */
    @Test
    void untrustedImagesNamePlainPathsOnly() throws Exception {
        try (FilterWorld world = new FilterWorld()) {
            ToyImage image = world.overlay("image", 4096, BELOW);
            image.backing = new ImageReference("json:{\"driver\":\"raw\",\"file.filename\":\"image.base\"}", null);
            try (BlockBackend trusted = world.openFile("image", "toy")) {
                assertArrayEquals(BELOW, FilterWorld.read(trusted, 0, BELOW.length));
            }
            OpenOptions untrusted =
                    OpenOptions.readOnly().format("toy").untrusted(true).openGate(dev.ashlar.core.OpenGate.ALLOW);
            BlockException refused = assertThrows(BlockException.class, () -> world.graph.open("image", untrusted));
            assertEquals(BlockException.Kind.PERMISSION, refused.kind());
            assertFalse(world.graph.nodes().iterator().hasNext());
        }
    }
}
