package dev.ashlar.drivers.qcow2.format;

/** Names from an image, made fit for a message: control characters become escapes. */
public final class PrintableName {
    private PrintableName() {}

    public static String of(String name) {
        StringBuilder text = new StringBuilder(name.length());
        for (int i = 0; i < name.length(); i++) {
            char c = name.charAt(i);
            if (Character.isISOControl(c)) {
                text.append("\\x").append(c < 16 ? "0" : "").append(Integer.toHexString(c));
            } else {
                text.append(c);
            }
        }
        return text.toString();
    }
}
