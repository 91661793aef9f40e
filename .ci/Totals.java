import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/**
 * Adds up the Surefire reports of all modules and fails unless the interoperability tests ran: those are the test classes whose
 * name ends in {@code InteropTest}, or whose package has {@code interop} in it. The last line says how many tests passed,
 * failed and were skipped.
 */
public final class Totals {
    private Totals() {}

    public static void main(String[] arguments) throws Exception {
        int passed = 0;
        int failed = 0;
        int skipped = 0;
        int interopRan = 0;
        List<String> complaints = new ArrayList<>();
        for (Path report : reports(Path.of(""))) {
            Element suite = DocumentBuilderFactory.newInstance()
                    .newDocumentBuilder()
                    .parse(report.toFile())
                    .getDocumentElement();
            NodeList cases = suite.getElementsByTagName("testcase");
            for (int i = 0; i < cases.getLength(); i++) {
                Element test = (Element) cases.item(i);
                boolean interop = isInterop(test.getAttribute("classname"));
                if (has(test, "failure") || has(test, "error")) {
                    failed++;
                } else if (has(test, "skipped")) {
                    skipped++;
                    String name = test.getAttribute("classname") + "." + test.getAttribute("name");
                    System.out.println("skipped: " + name);
                    if (interop) {
                        complaints.add("interoperability test skipped: " + name);
                    }
                } else {
                    passed++;
                    interopRan += interop ? 1 : 0;
                }
            }
        }
        if (interopRan == 0) {
            complaints.add("no interoperability test ran");
        }
        complaints.forEach(System.out::println);
        System.out.printf("%d passed, %d failed, %d skipped%n", passed, failed, skipped);
        if (failed > 0 || passed == 0 || !complaints.isEmpty()) {
            System.exit(1);
        }
    }

    private static boolean isInterop(String className) {
        int dot = className.lastIndexOf('.');
        String simpleName = className.substring(dot + 1);
        return simpleName.replaceFirst("\\$.*", "").endsWith("InteropTest")
                || List.of(className.split("\\.")).contains("interop");
    }

    private static boolean has(Element test, String child) {
        return test.getElementsByTagName(child).getLength() > 0;
    }

    private static List<Path> reports(Path root) throws Exception {
        try (Stream<Path> modules = Files.list(root)) {
            List<Path> found = new ArrayList<>();
            for (Path module : modules.toList()) {
                Path folder = module.resolve("target/surefire-reports");
                if (Files.isDirectory(folder)) {
                    try (Stream<Path> files = Files.list(folder)) {
                        files.filter(file -> file.getFileName().toString().matches("TEST-.*\\.xml"))
                                .sorted()
                                .forEach(found::add);
                    }
                }
            }
            return found;
        }
    }
}
