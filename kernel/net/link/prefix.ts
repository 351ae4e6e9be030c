/** Networks as prefixes of addresses of 16 bytes (inet/address.ts). */

import { isV4 } from "../inet/address.ts";

/** Bits in front of a mapped IPv4 address. */
const MAPPED_BITS = 96;

/** The number of bits of an address of this family. */
export function bitsOf(address: string): number {
  return isV4(address) ? 32 : 128;
}

/**
 * Whether `address` is in the network `network`/`bits`; `bits` counts from the start of an address
 * of its family.
 */
export function isInNetwork(address: string, network: string, bits: number): boolean {
  if (isV4(address) !== isV4(network)) return false;
  const all = isV4(network) ? bits + MAPPED_BITS : bits, whole = all >> 3;
  for (let i = 0; i < whole; i++) if (address.charCodeAt(i) !== network.charCodeAt(i)) return false;
  const rest = all & 7;
  if (rest === 0) return true;
  return (address.charCodeAt(whole) ^ network.charCodeAt(whole)) >> (8 - rest) === 0;
}

/** What addresses of one network, and of no other of this prefix length, have in common. HOT */
export function networkKey(address: string, bits: number): string {
  const all = isV4(address) ? bits + MAPPED_BITS : bits, whole = all >> 3, rest = all & 7;
  const bytes = address.slice(0, whole);
  if (rest === 0) return bytes;
  return bytes + String.fromCharCode(address.charCodeAt(whole) & (0xff00 >> rest));
}

/** The network address: bits behind the prefix are 0. */
export function networkOf(address: string, bits: number): string {
  return fill(address, bits, 0);
}

/** The broadcast address: bits behind the prefix are 1. */
export function broadcastOf(address: string, bits: number): string {
  return fill(address, bits, 0xff);
}

function fill(address: string, bits: number, with_: number): string {
  const all = isV4(address) ? bits + MAPPED_BITS : bits;
  let out = "";
  for (let i = 0; i < 16; i++) {
    const own = Math.min(8, Math.max(0, all - 8 * i)), mask = 0xff >> own;
    out += String.fromCharCode((address.charCodeAt(i) & ~mask) | (with_ & mask));
  }
  return out;
}
