package dev.ashlar.cli.option;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The rules of {@code getopt_long}, manual page getopt(3). */
class OptionScannerTest {
    private static final LongOption[] LONG_OPTIONS = {
        new LongOption("alpha", false, 'a'),
        new LongOption("beta", true, 'b'),
        new LongOption("better", true, 300),
        new LongOption("gamma", false, 301),
    };

    @ParameterizedTest(name = "[{0}] {1}")
    @CsvSource(delimiter = '|', textBlock = """
        ab:c  | -a -c                | a c ; ;
        ab:c  | -ac                  | a c ; ;
        ab:c  | -acb x y             | a c b=x ; y ;
        ab:c  | -abx y               | a b=x ; y ;
        ab:c  | y -a z -b x          | a b=x ; y z ;
        +ab:c | y -a z               | ; y -a z ;
        +ab:c | -a y -b z            | a ; y -b z ;
        ab:c  | -a -- -c y           | a ; -c y ;
        ab:c  | y -- -c              | ; y -c ;
        ab:c  | - -a                 | a ; - ;
        ab:c  | --alpha --beta x     | a b=x ; ;
        ab:c  | --beta=x=y --gam     | b=x=y 301 ; ;
        ab:c  | --bet x              | ? ; x ; p: option '--bet' is ambiguous; possibilities: '--beta' '--better'
        ab:c  | --bett x --al        | 300=x a ; ;
        ab:c  | --nosuch             | ? ; ; p: unrecognized option '--nosuch'
        ab:c  | --alpha=1            | ? ; ; p: option '--alpha' doesn't allow an argument
        ab:c  | --beta               | ? ; ; p: option '--beta' requires an argument
        :ab:c | --beta               | : ; ;
        ab:c  | -b                   | ? ; ; p: option requires an argument -- 'b'
        :ab:c | -b                   | : ; ;
        ab:c  | -xa                  | ? a ; ; p: invalid option -- 'x'
        :ab:c | -xa                  | ? a ; ;
        ab:c  | 1 2 -a 3 4 -c 5 -- 6 | a c ; 1 2 3 4 5 6 ;
        """)
    void options(String letters, String line, String expected) {
        ByteArrayOutputStream complaints = new ByteArrayOutputStream();
        PrintStream stream = new PrintStream(complaints, false, StandardCharsets.UTF_8);
        OptionScanner scanner = new OptionScanner(("p " + line).split(" "), letters, LONG_OPTIONS, stream);
        StringBuilder seen = new StringBuilder();
        for (int option = scanner.next(); option != OptionScanner.END; option = scanner.next()) {
            seen.append(option < 256 ? Character.toString(option) : Integer.toString(option));
            if (option == 'b' || option == 300) {
                seen.append('=').append(scanner.argument());
            }
            seen.append(' ');
        }
        seen.append(';');
        for (int i = 0; i < scanner.operandCount(); i++) {
            seen.append(' ').append(scanner.operand(i));
        }
        stream.flush();
        seen.append(" ; ").append(complaints.toString(StandardCharsets.UTF_8).strip());
        assertEquals(expected.strip(), seen.toString().strip());
    }
}
