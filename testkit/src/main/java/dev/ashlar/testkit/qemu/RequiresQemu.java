package dev.ashlar.testkit.qemu;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * Skips, with a message, where {@code qemu-img} and {@code qemu-io} are not installed. With {@code ASHLAR_REQUIRE_INTEROP=1} in the environment their absence is
 * a failure instead.
 */
@Target({ElementType.TYPE, ElementType.METHOD})
@Retention(RetentionPolicy.RUNTIME)
@ExtendWith(RequiresQemu.Condition.class)
public @interface RequiresQemu {
    /** Looks for the programs. */
    final class Condition implements ExecutionCondition {
        /** For JUnit. */
        public Condition() {}

        @Override
        public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
            if (QemuTools.areInstalled()) {
                return ConditionEvaluationResult.enabled("qemu-img and qemu-io are installed");
            }
            String message = "qemu-img and qemu-io are not installed: interoperability is not tested";
            if ("1".equals(System.getenv("ASHLAR_REQUIRE_INTEROP"))) {
                throw new AssertionError(message + ", but ASHLAR_REQUIRE_INTEROP=1");
            }
            return ConditionEvaluationResult.disabled(message);
        }
    }
}
