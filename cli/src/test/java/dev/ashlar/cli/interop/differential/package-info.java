/**
 * Random images under random commands, drawn between Ashlar and the real programs and compared with a model. {@code DifferentialTest} says how; each family of deeds
 * has a file of its own, and there stands what the real program cannot do or does wrong.
 */
package dev.ashlar.cli.interop.differential;
