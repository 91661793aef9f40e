package dev.ashlar.testkit.host;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.ExtensionContext;

/** Skips, with a message, where the tests may not set up loop devices. */
@Target({ElementType.TYPE, ElementType.METHOD})
@Retention(RetentionPolicy.RUNTIME)
@ExtendWith(RequiresRoot.Condition.class)
public @interface RequiresRoot {
    /** Looks for root and for loop devices. */
    final class Condition implements ExecutionCondition {
        /** For JUnit. */
        public Condition() {}

        @Override
        public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
            if (!"root".equals(System.getProperty("user.name"))) {
                return ConditionEvaluationResult.disabled("loop devices need root");
            }
            return Files.exists(Path.of("/dev/loop-control"))
                    ? ConditionEvaluationResult.enabled("root, and loop devices are there")
                    : ConditionEvaluationResult.disabled("no /dev/loop-control: loop devices are not available here");
        }
    }
}
