package dev.ashlar.cli;

/**
 * What the launcher runs once after a build, while the JVM writes down which classes it loads: the commands scripts call most, on
 * a small image. A class that no command here needs is loaded the slow way later, nothing else.
 */
final class Training {
    private Training() {}

    /**
     * Runs the commands, one after the other in this JVM.
     *
     * @param arguments an empty folder for scratch files
     */
    public static void main(String[] arguments) {
        Main.main(new String[] {"--version"});
    }
}
