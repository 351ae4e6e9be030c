/** Networks: prefixes of addresses of 16 bytes (inet/address.ts). */

import { isV4 } from "../inet/address.ts";

/** Bits in front of those that an IPv4 address has. */
const MAPPED_BITS = 96;

/** How many bits an address of this family has. */
export function bitsOf(address: string): number {
  return isV4(address) ? 32 : 128;
}

/** Whether `address` is in the network of the first `bits` bits (of the family's own) of `network`. */
export function isInNetwork(address: string, network: string, bits: number): boolean {
  if (isV4(address) !== isV4(network)) return false;
  const all = isV4(network) ? bits + MAPPED_BITS : bits, whole = all >> 3;
  for (let i = 0; i < whole; i++) if (address.charCodeAt(i) !== network.charCodeAt(i)) return false;
  const rest = all & 7;
  if (rest === 0) return true;
  return (address.charCodeAt(whole) ^ network.charCodeAt(whole)) >> (8 - rest) === 0;
}

/** The network of an address: what is behind its first `bits` bits becomes 0. */
export function networkOf(address: string, bits: number): string {
  return fill(address, bits, 0);
}

/** The last address of a network. */
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
