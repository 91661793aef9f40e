/**
 * Encryption of guest data: AES by sectors (XTS is built here on the block cipher that the JDK has), the LUKS1 header with its key slots, and the way
 * between core and the file on which data is encrypted and decrypted. Keys never stand in messages, and arrays that held one are wiped; what the JDK's
 * ciphers keep of them lives until they are collected.
 */
@org.jspecify.annotations.NullMarked
package dev.ashlar.drivers.qcow2.crypt;
