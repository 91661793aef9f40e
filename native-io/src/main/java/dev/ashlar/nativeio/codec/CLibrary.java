package dev.ashlar.nativeio.codec;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import org.jspecify.annotations.Nullable;

/**
 * A shared library of the host and calls into it, all of one shape: a pointer, seven words, a word back. C functions with fewer or narrower
 * integer and pointer arguments can be called that way on both supported processors, as the caller cleans up and a callee looks at the low bits
 * it was promised only. One shape costs the start of the program one set of adapter classes.
 */
final class CLibrary {
    private static final ValueLayout.OfLong WORD = ValueLayout.JAVA_LONG;
    private static final FunctionDescriptor SHAPE =
            FunctionDescriptor.of(WORD, ValueLayout.ADDRESS, WORD, WORD, WORD, WORD, WORD, WORD, WORD);

    private final SymbolLookup symbols;

    private CLibrary(SymbolLookup symbols) {
        this.symbols = symbols;
    }

    /** The library of that file name, never unloaded; null where the host has none, or one without one of the functions. */
    static @Nullable CLibrary open(String fileName, String... functions) {
        SymbolLookup symbols;
        try {
            symbols = SymbolLookup.libraryLookup(fileName, Arena.global());
        } catch (IllegalArgumentException e) {
            return null;
        }
        for (String function : functions) {
            if (symbols.find(function).isEmpty()) {
                return null;
            }
        }
        return new CLibrary(symbols);
    }

    /** A function that {@link #open} was told of. */
    MethodHandle function(String name) {
        return Linker.nativeLinker().downcallHandle(symbols.find(name).orElseThrow(), SHAPE);
    }

    static long call(MethodHandle function, MemorySegment first, long second, long third, long fourth, long fifth) {
        return call(function, first, second, third, fourth, fifth, 0, 0, 0);
    }

    static long call(
            MethodHandle function,
            MemorySegment first,
            long second,
            long third,
            long fourth,
            long fifth,
            long sixth,
            long seventh,
            long eighth) {
        try {
            return (long) function.invokeExact(first, second, third, fourth, fifth, sixth, seventh, eighth);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }
}
