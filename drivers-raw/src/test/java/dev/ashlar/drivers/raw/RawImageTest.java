package dev.ashlar.drivers.raw;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.ChildRole;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.CreateRequest;
import dev.ashlar.core.spi.ImageReference;
import dev.ashlar.core.spi.Mapping;
import dev.ashlar.core.spi.OpenRequest;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.core.spi.WritePlan;
import dev.ashlar.testkit.protocol.DirectChild;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class RawImageTest {
    private static final long MIB = 1 << 20;

    private final RawDriver driver = new RawDriver();
    private final MemoryProtocol protocol = new MemoryProtocol(MemoryFile.empty("file"));
    private final DirectChild child = new DirectChild("file", protocol);

    @BeforeEach
    void fillFile() throws BlockException {
        child.truncate(MIB, Preallocation.OFF);
    }

    private record Request(ChildAccess file, Map<String, String> options, Set<Flag> flags) implements OpenRequest {
        @Override
        public String nodeName() {
            return "node";
        }

        @Override
        public boolean has(Flag flag) {
            return flags.contains(flag);
        }

        @Override
        public ChildAccess openReference(String childName, Set<ChildRole> roles, ImageReference reference) {
            throw new IllegalStateException("raw refers to nothing");
        }
    }

    private RawImage open(String... options) throws BlockException {
        Map<String, String> map = new java.util.HashMap<>();
        for (int i = 0; i < options.length; i += 2) {
            map.put(options[i], options[i + 1]);
        }
        return assertInstanceOf(RawImage.class, driver.open(new Request(child, map, Set.of())));
    }

    private String refusal(String... options) {
        return String.valueOf(
                assertThrows(BlockException.class, () -> open(options)).getMessage());
    }

    @Test
    void isTheChildItself() throws Exception {
        RawImage image = open();
        assertEquals(MIB, image.lengthBytes());
        assertEquals(new Mapping.Data(child, 1000, 500), image.map(1000, 500));
        assertEquals(new Mapping.Data(child, MIB - 100, 100), image.map(MIB - 100, 500), "cut at the end");
        assertInstanceOf(Mapping.EndOfImage.class, image.map(MIB, 1));
        assertEquals(1000, image.mapDirect(1000, 500));
        assertEquals(-1, image.mapDirect(MIB - 100, 500));
        assertEquals(1, driver.probe(MemorySegment.ofArray(new byte[512])));
        image.close();
    }

    @Test
    void isAWindowOnTheChild() throws Exception {
        RawImage image = open("offset", "64k", "size", "4096");
        assertEquals(4096, image.lengthBytes());
        assertEquals(new Mapping.Data(child, 65536 + 10, 4086), image.map(10, MIB));
        assertEquals(65536 + 4095, image.planInPlace(4095, 1));
        assertEquals(-1, image.planInPlace(4095, 2));
        WritePlan plan = image.planWrite(10, 20);
        assertEquals(65546, plan.hostOffset());
        assertEquals(20, plan.lengthBytes());
        assertEquals(0, plan.copyBeforeBytes() + plan.copyAfterBytes());
        child.write(0, MemorySegment.ofArray(new byte[(int) MIB]).fill((byte) 1));
        assertEquals(1024, image.writeZeroes(1024, 1024, true));
        byte[] read = new byte[1026];
        child.read(65536 + 1023, MemorySegment.ofArray(read));
        assertEquals(1, read[0]);
        assertEquals(0, read[1]);
        assertEquals(0, read[1024]);
        assertEquals(1, read[1025]);
        assertEquals(MIB - 512, open("offset", "512").lengthBytes());
    }

    @Test
    void showsWholeSectors() throws Exception {
        child.truncate(1000, Preallocation.OFF);
        assertEquals(1024, open().lengthBytes());
    }

    @Test
    void refusesWindowsThatDoNotFit() {
        assertEquals(
                "Offset (1048577) cannot be greater than size of the containing file (1048576)",
                refusal("offset", "1048577"));
        assertEquals(
                "The sum of offset (512) and size (1048576) has to be smaller or equal to the  actual size of the"
                        + " containing file (1048576)",
                refusal("offset", "512", "size", "1M"));
        assertEquals("Specified size is not multiple of 512", refusal("size", "1000"));
        assertEquals("Parameter 'size' expects a size", refusal("size", "-1"));
        assertEquals("Parameter 'size' expects a size", refusal("size", "9000000000G"));
        assertEquals("Parameter 'offset' expects a size", refusal("offset", "1x"));
        assertEquals("Block format 'raw' does not support the option 'colour'", refusal("colour", "red"));
    }

    @Test
    void resizesUnlessItsSizeIsGiven() throws Exception {
        RawImage image = open("offset", "512");
        image.resize(2 * MIB, Preallocation.OFF, null);
        assertEquals(2 * MIB, image.lengthBytes());
        assertEquals(2 * MIB + 512, child.lengthBytes());
        image.resize(MIB, Preallocation.OFF, null);
        assertEquals(MIB + 512, child.lengthBytes());
        BlockException e =
                assertThrows(BlockException.class, () -> image.resize(Long.MAX_VALUE - 600, Preallocation.OFF, null));
        assertEquals("Disk size too large for the chosen offset", e.getMessage());
        RawImage fixed = open("size", "512");
        e = assertThrows(BlockException.class, () -> fixed.resize(1024, Preallocation.OFF, null));
        assertEquals(Kind.UNSUPPORTED, e.kind());
    }

    @Test
    void createsByGivingTheFileItsSize() throws Exception {
        create(Map.of("size", "1000"));
        assertEquals(1024, child.lengthBytes());
        BlockException e =
                assertThrows(BlockException.class, () -> create(Map.of("size", "1", "preallocation", "perhaps")));
        assertEquals("Parameter 'preallocation' does not accept value 'perhaps'", e.getMessage());
        assertThrows(BlockException.class, () -> create(Map.of("size", "" + Long.MAX_VALUE)));
    }

    private void create(Map<String, String> options) throws BlockException {
        driver.create(new CreateRequest() {
            @Override
            public Map<String, String> options() {
                return options;
            }

            @Override
            public ChildAccess file() {
                return child;
            }
        });
    }
}
