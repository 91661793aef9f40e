package dev.ashlar.cli.img;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.ProgramExit;
import dev.ashlar.cli.option.NumberText;
import dev.ashlar.cli.option.OptionList;
import dev.ashlar.cli.option.SizeText;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.OnOff;
import dev.ashlar.core.spi.OptionDescriptor;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Values of options that a driver declares: checked for name and form as they are set. A mistake ends the program. */
final class OptionValues {
    private final Console console;
    private final String messagePrefix;
    private final List<OptionDescriptor> descriptors;
    private final Map<String, String> values = new HashMap<>();

    OptionValues(Console console) {
        this(console, "", List.of());
    }

    /** @param messagePrefix what messages start with, for instance {@code image.qcow2: } */
    OptionValues(Console console, String messagePrefix, List<OptionDescriptor> descriptors) {
        this.console = console;
        this.messagePrefix = messagePrefix;
        this.descriptors = descriptors;
    }

    boolean has(String name) {
        for (OptionDescriptor descriptor : descriptors) {
            if (descriptor.name().equals(name)) {
                return true;
            }
        }
        return false;
    }

    void setAll(OptionList list) {
        for (OptionList.Entry entry : list.entries()) {
            set(entry.name(), entry.value());
        }
    }

    void set(String name, String value) {
        OptionDescriptor.Type type = typeOf(name);
        switch (type) {
            case STRING -> values.put(name, value);
            case BOOLEAN -> values.put(name, onOff(name, value));
            case NUMBER -> values.put(name, number(name, value));
            case SIZE -> values.put(name, Long.toString(size(name, value)));
        }
    }

    @Nullable
    String get(String name) {
        return values.get(name);
    }

    /** What was set, by name. */
    Map<String, String> asMap() {
        return values;
    }

    /** All options that are set or have a default, {@code name=value}, in the order of the descriptors. */
    String summary() {
        StringBuilder text = new StringBuilder();
        for (OptionDescriptor descriptor : descriptors) {
            String value = values.getOrDefault(descriptor.name(), descriptor.defaultValue());
            if (value == null) {
                continue;
            }
            if (text.length() > 0) {
                text.append(' ');
            }
            text.append(descriptor.name()).append('=');
            boolean isText = descriptor.type() == OptionDescriptor.Type.STRING;
            text.append(isText ? value.replace(",", ",,") : value);
        }
        return text.toString();
    }

    /** Reads a size in bytes. */
    long size(String name, String value) {
        SizeText size = SizeText.of(value);
        if (size.deprecatedSuffix()) {
            ImgOptions.warnOfSuffix(console, value);
        }
        if (size.problem() == SizeText.Problem.OUT_OF_RANGE) {
            throw fail("Value '" + value + "' is out of range for parameter '" + name + "'");
        }
        if (size.problem() == SizeText.Problem.INVALID) {
            fail("Parameter '" + name + "' expects a non-negative number below 2^64");
            console.hint("Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\n"
                    + "and exabytes, respectively.");
            throw new ProgramExit(1);
        }
        return size.bytes();
    }

    private OptionDescriptor.Type typeOf(String name) {
        for (OptionDescriptor descriptor : descriptors) {
            if (descriptor.name().equals(name)) {
                return descriptor.type();
            }
        }
        throw fail("Invalid parameter '" + name + "'");
    }

    private String onOff(String name, String value) {
        try {
            return OnOff.parse(name, value) ? "on" : "off";
        } catch (BlockException e) {
            throw fail(String.valueOf(e.getMessage()));
        }
    }

    private String number(String name, String value) {
        NumberText number = NumberText.of(value, 0);
        if (number.end() == 0 || number.end() != value.length()) {
            throw fail("Parameter '" + name + "' expects a number");
        }
        if (number.overflow()) {
            throw fail("Value '" + value + "' is too large for parameter '" + name + "'");
        }
        return Long.toString(number.value());
    }

    private ProgramExit fail(String message) {
        console.error(messagePrefix + message);
        return new ProgramExit(1);
    }
}
