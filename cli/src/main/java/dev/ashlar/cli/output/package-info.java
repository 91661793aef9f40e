/** How results look: sizes, numbers, tables and JSON as scripts written for qemu-img expect them. */
@org.jspecify.annotations.NullMarked
package dev.ashlar.cli.output;
