package dev.ashlar.cli.architecture;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.methods;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.lang.ArchRule;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The arrows between modules, held over the compiled classes of the whole project. The module descriptors forbid most of them
 * already; this test also holds those that a descriptor would let through, and those that a new {@code requires} would open.
 */
class ModuleArrowsTest {
    private static final List<String> MODULES =
            List.of("native-io", "core", "testkit", "drivers-file", "drivers-raw", "drivers-qcow2", "cli");

    private static JavaClasses classes;

    @BeforeAll
    static void importAllModules() {
        List<Path> folders = MODULES.stream()
                .map(module -> Path.of("..", module, "target", "classes"))
                .toList();
        for (Path folder : folders) {
            assertTrue(Files.exists(folder.resolve("module-info.class")), folder + " is not compiled");
        }
        classes = new ClassFileImporter().importPaths(folders);
    }

    @ParameterizedTest(name = "{0} does not know {1}")
    @CsvSource({
        "dev.ashlar.core.., dev.ashlar.nativeio..",
        "dev.ashlar.core.., dev.ashlar.drivers..",
        "dev.ashlar.core.., dev.ashlar.cli..",
        "dev.ashlar.nativeio.., dev.ashlar.core..",
        "dev.ashlar.nativeio.., dev.ashlar.drivers..",
        "dev.ashlar.nativeio.., dev.ashlar.cli..",
        "dev.ashlar.drivers.file.., dev.ashlar.drivers.raw..",
        "dev.ashlar.drivers.file.., dev.ashlar.drivers.qcow2..",
        "dev.ashlar.drivers.raw.., dev.ashlar.drivers.file..",
        "dev.ashlar.drivers.raw.., dev.ashlar.drivers.qcow2..",
        "dev.ashlar.drivers.raw.., dev.ashlar.nativeio..",
        "dev.ashlar.drivers.qcow2.., dev.ashlar.drivers.file..",
        "dev.ashlar.drivers.qcow2.., dev.ashlar.drivers.raw..",
        "dev.ashlar.drivers.., dev.ashlar.cli..",
        "dev.ashlar.cli.., dev.ashlar.drivers..",
        "dev.ashlar.cli.., dev.ashlar.nativeio..",
        "dev.ashlar.testkit.., dev.ashlar.nativeio..",
        "dev.ashlar.testkit.., dev.ashlar.drivers..",
        "dev.ashlar.testkit.., dev.ashlar.cli..",
    })
    void forbiddenArrow(String from, String to) {
        noArrow(from, to).check(classes);
    }

    @Test
    void nothingKnowsTheBenchmarks() {
        noArrow("dev.ashlar..", "dev.ashlar.benchmarks..").check(classes);
    }

    @Test
    void productionCodeDoesNotKnowTheTestkit() {
        noClasses()
                .that(resideInAPackage("dev.ashlar..").and(not(resideInAPackage("dev.ashlar.testkit.."))))
                .should()
                .dependOnClassesThat()
                .resideInAPackage("dev.ashlar.testkit..")
                .check(classes);
    }

    @Test
    void qcow2UsesNativeCodeForCompressionOnly() {
        noClasses()
                .that(resideInAPackage("dev.ashlar.drivers.qcow2..")
                        .and(not(resideInAPackage("dev.ashlar.drivers.qcow2.compress.."))))
                .should()
                .dependOnClassesThat()
                .resideInAPackage("dev.ashlar.nativeio..")
                .allowEmptyShould(true)
                .check(classes);
    }

    @Test
    void coreNeedsTheJdkAlone() {
        classes()
                .that()
                .resideInAPackage("dev.ashlar.core..")
                .should()
                .onlyDependOnClassesThat(
                        resideInAnyPackage("dev.ashlar.core..", "java..", "org.jspecify.annotations.."))
                .check(classes);
    }

    @Test
    void noMethodIsNative() {
        methods()
                .should()
                .notHaveModifier(JavaModifier.NATIVE)
                .because("foreign code is reached through the FFM API, not JNI")
                .check(classes);
    }

    /** An arrow that does exist is seen: the rules above are not silent for want of classes. */
    @Test
    void anArrowThatExistsIsReported() {
        assertTrue(noArrow("dev.ashlar.core.spi..", "dev.ashlar.core..")
                .evaluate(classes)
                .hasViolation());
    }

    private static ArchRule noArrow(String from, String to) {
        return noClasses()
                .that()
                .resideInAPackage(from)
                .should()
                .dependOnClassesThat()
                .resideInAPackage(to)
                .allowEmptyShould(true);
    }
}
