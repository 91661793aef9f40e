/** Images that must be refused: each breaks one rule of its format and says which word a good refusal contains. */
@org.jspecify.annotations.NullMarked
package dev.ashlar.testkit.hostile;
