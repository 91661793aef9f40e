package dev.ashlar.drivers.qcow2.crypt;

/** Names from a header, made fit for a message. */
final class Names {
    private Names() {}

    static String printable(String text) {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            out.append(c < ' ' || c > '~' ? '?' : c);
        }
        return out.toString();
    }
}
