/** The ashlar program. */
module dev.ashlar.cli {
    requires dev.ashlar.core;
    requires static org.jspecify;
}
