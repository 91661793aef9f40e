package dev.ashlar.testkit.host;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import java.nio.file.Path;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/**
 * Marks a {@link Path} parameter of a test that takes a fresh directory on a real file system, where O_DIRECT works; it is removed when the test has ended. The
 * place is /var/tmp, or what the property {@code ashlar.test.dir} says.
 */
@Target(ElementType.PARAMETER)
@Retention(RetentionPolicy.RUNTIME)
@ExtendWith(ScratchDir.Resolver.class)
public @interface ScratchDir {
    /** Makes and removes the directories. */
    final class Resolver implements ParameterResolver {
        private static final ExtensionContext.Namespace NAMESPACE = ExtensionContext.Namespace.create(ScratchDir.class);

        /** For JUnit. */
        public Resolver() {}

        @Override
        public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
            return parameter.isAnnotated(ScratchDir.class)
                    && parameter.getParameter().getType() == Path.class;
        }

        @Override
        public Path resolveParameter(ParameterContext parameter, ExtensionContext context) {
            ScratchDirectory directory = ScratchDirectory.create();
            // JUnit closes what the store of the test holds when the test has ended
            context.getStore(NAMESPACE).put(parameter.getIndex(), directory);
            return directory.path();
        }
    }
}
