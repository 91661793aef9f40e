package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.FormatInstance;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/** The driver, which notes each method that is called on it and on what it opens, and each option that is given. */
final class CalledDriver {
    /** As {@code Interface.method}, and {@code Interface.method:option}. */
    private final Set<String> calls = new TreeSet<>();

    BlockDriver driver() {
        return wrapped(BlockDriver.class, new Qcow2Driver());
    }

    Set<String> calls() {
        return calls;
    }

    private <T> T wrapped(Class<T> type, Object target) {
        return type.cast(Proxy.newProxyInstance(
                type.getClassLoader(), new Class<?>[] {type}, (proxy, method, given) -> {
                    Object[] arguments = given == null ? new Object[0] : given;
                    String name = method.getDeclaringClass().getSimpleName() + "." + method.getName();
                    calls.add(name);
                    for (Object argument : arguments) {
                        if (argument instanceof Map<?, ?> options) {
                            options.keySet().forEach(option -> calls.add(name + ":" + option));
                        } else if (argument instanceof dev.ashlar.core.spi.CreateRequest request) {
                            request.options().keySet().forEach(option -> calls.add(name + ":" + option));
                        }
                    }
                    Object result;
                    try {
                        result = method.invoke(target, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                    if (result instanceof FormatInstance instance) {
                        return wrapped(FormatInstance.class, instance);
                    }
                    if (method.getName().equals("capability")
                            && result instanceof Optional<?> found
                            && found.isPresent()) {
                        return Optional.of(wrapped((Class<?>) arguments[0], found.get()));
                    }
                    return result;
                }));
    }
}
