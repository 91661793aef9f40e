package dev.ashlar.nativeio;

/** Kind of a file, from the upper bits of its mode ({@code inode(7)}). */
public enum FileType {
    /** Regular file. */
    REGULAR,
    /** Directory. */
    DIRECTORY,
    /** Symbolic link (never seen through an open file). */
    SYMBOLIC_LINK,
    /** Block device. */
    BLOCK_DEVICE,
    /** Character device. */
    CHARACTER_DEVICE,
    /** Named or anonymous pipe. */
    FIFO,
    /** Socket. */
    SOCKET,
    /** Anonymous inode or anything else. */
    OTHER;

    static FileType ofMode(int mode) {
        return switch (mode >>> 12 & 0xf) {
            case 0x1 -> FIFO;
            case 0x2 -> CHARACTER_DEVICE;
            case 0x4 -> DIRECTORY;
            case 0x6 -> BLOCK_DEVICE;
            case 0x8 -> REGULAR;
            case 0xa -> SYMBOLIC_LINK;
            case 0xc -> SOCKET;
            default -> OTHER;
        };
    }
}
