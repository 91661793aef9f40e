package dev.ashlar.cli.interop;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** A process that does the steps it reads, a line each, on an image and says the number of each when it is done; somebody will kill it. */
final class KillableWorker {
    private KillableWorker() {}

    /** @param arguments the image, and whether to use direct I/O */
    public static void main(String[] arguments) throws Exception {
        AshlarDisk disk = AshlarDisk.readWrite(Path.of(arguments[0]), Boolean.parseBoolean(arguments[1]));
        BufferedReader steps = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        int number = 0;
        for (String line = steps.readLine(); line != null; line = steps.readLine()) {
            disk.run(Step.parse(line));
            System.out.println(++number);
        }
        disk.close();
        System.out.println("closed");
    }
}
