/** Drivers small enough to be seen through, strict enough to catch core when it breaks a promise. */
package dev.ashlar.core.toy;
