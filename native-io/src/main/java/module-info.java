/**
 * Linux for the rest of the project: files, locks, mappings, block devices and asynchronous I/O
 * through the Java FFM API. The only module that calls restricted methods; its exported face is
 * safe to use from any other module.
 */
@org.jspecify.annotations.NullMarked
module dev.ashlar.nativeio {
    requires static transitive org.jspecify;

    exports dev.ashlar.nativeio;
    exports dev.ashlar.nativeio.codec;
}
