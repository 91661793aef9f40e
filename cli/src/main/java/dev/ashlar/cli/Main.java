package dev.ashlar.cli;

/** Where the program starts. */
public final class Main {
    private Main() {}

    /**
     * Runs the program.
     *
     * @param arguments the command line behind the program's name
     */
    public static void main(String[] arguments) {
        System.out.println("ashlar 0.1.0-SNAPSHOT");
    }
}
