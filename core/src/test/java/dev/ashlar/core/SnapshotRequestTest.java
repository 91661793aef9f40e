package dev.ashlar.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.ashlar.core.snapshot.SnapshotRequest;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Names that a table can't hold are refused before anything is written. */
class SnapshotRequestTest {
    @ParameterizedTest
    @ValueSource(strings = {"a\0b", "\0", "\ud800", "x\udc00y"})
    void whatCanNotBeStoredIsRefused(String text) {
        assertThrows(IllegalArgumentException.class, () -> SnapshotRequest.named(text));
        assertThrows(
                IllegalArgumentException.class, () -> new SnapshotRequest(text, "s", 0, 0, 0, 0, OptionalLong.empty()));
    }

    @Test
    void anyOtherNameIsTaken() {
        assertEquals("\ud83e\uddf1 \n", SnapshotRequest.named("\ud83e\uddf1 \n").name());
    }
}
