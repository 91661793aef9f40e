@org.jspecify.annotations.NullMarked
package dev.ashlar.core.filter;
