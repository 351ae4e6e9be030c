/**
 * Memory at absolute host addresses, accessed so that a fault is a result and does not end the
 * process.
 *
 * A page of guest memory or of a donated file can vanish at any moment (another thread unmaps it, a
 * file is truncated). Every access that is not known to be safe uses these functions, since typed
 * arrays and `DataView` do not survive a fault. Addresses and 64-bit values are numbers below 2^53.
 * The code is in ffi/sys/memory_code.ts.
 *
 * SAFETY (all exports): an address is used as it is; the memory there may be overwritten without
 * further checks.
 */

import { memoryFunctions } from "../sys/native.ts";

const native = memoryFunctions();

/**
 * What loads, stores, atomics, `findZero` and `compare` return when the address cannot be accessed.
 */
export const FAULT = -1;

/**
 * Copies between ranges that do not overlap.
 *
 * @param lenBytes at most 2^31 - 1; nothing is copied when it is not positive
 * @returns bytes copied: less than `lenBytes` if one side faulted there, exact to the byte
 */
export function copy(dst: number, src: number, lenBytes: number): number { // HOT
  return native.copy(dst, src, lenBytes);
}

/** Fills with one byte (0 to 255). Returns bytes written, less than `lenBytes` at a fault. */
export function fill(dst: number, byte: number, lenBytes: number): number { // HOT
  return native.fill(dst, byte, lenBytes);
}

/**
 * Copies into a JS buffer. Returns bytes copied.
 *
 * @throws RangeError if `[dstOffset, dstOffset + lenBytes)` is not inside of `dst`
 */
export function copyToBuffer(
  dst: Uint8Array,
  dstOffset: number,
  src: number,
  lenBytes: number,
): number { // HOT
  checkRange(dst, dstOffset, lenBytes);
  return native.copy_to_buffer(view(dst), dstOffset, src, lenBytes);
}

/**
 * Copies out of a JS buffer. Returns bytes copied.
 *
 * @throws RangeError if `[srcOffset, srcOffset + lenBytes)` is not inside of `src`
 */
export function copyFromBuffer(
  dst: number,
  src: Uint8Array,
  srcOffset: number,
  lenBytes: number,
): number { // HOT
  checkRange(src, srcOffset, lenBytes);
  return native.copy_from_buffer(view(src), srcOffset, dst, lenBytes);
}

/** Deno's types expect a buffer that is not shared; its FFI takes both. */
function view(buffer: Uint8Array): Uint8Array<ArrayBuffer> {
  return buffer as Uint8Array<ArrayBuffer>;
}

function checkRange(buffer: Uint8Array, offset: number, lenBytes: number): void {
  if (!(offset >= 0 && lenBytes >= 0 && offset + lenBytes <= buffer.length)) {
    throw new RangeError(
      `${lenBytes} bytes at ${offset} are not inside of a buffer of ${buffer.length}`,
    );
  }
}

/** An unsigned byte, or FAULT. */
export function load8(address: number): number { // HOT
  return native.load8(address);
}

/** An unsigned 16-bit value, or FAULT. Any alignment. */
export function load16(address: number): number { // HOT
  return native.load16(address);
}

/** An unsigned 32-bit value, or FAULT. Atomic if aligned. */
export function load32(address: number): number { // HOT
  return native.load32(address);
}

/** An unsigned 64-bit value, rounded to a double from 2^53 on, or FAULT. */
export function load64(address: number): number { // HOT
  return native.load64(address);
}

/** 0, or FAULT. Stores the low byte of `value`. */
export function store8(address: number, value: number): number { // HOT
  return native.store8(address, value | 0);
}

/** 0, or FAULT. Stores the low 16 bits of `value`. */
export function store16(address: number, value: number): number { // HOT
  return native.store16(address, value | 0);
}

/** 0, or FAULT. Stores the low 32 bits of `value`; atomic if aligned. */
export function store32(address: number, value: number): number { // HOT
  return native.store32(address, value | 0);
}

/** 0, or FAULT. `value` is an integer between -2^63 and 2^63. */
export function store64(address: number, value: number): number { // HOT
  return native.store64(address, value);
}

/**
 * If the word equals `expected` it becomes `desired`, atomically. Returns the old value (unsigned),
 * or FAULT.
 */
export function cas32(address: number, expected: number, desired: number): number { // HOT
  return native.cas32(address, expected | 0, desired | 0);
}

/** Adds atomically, modulo 2^32. Returns the old value (unsigned), or FAULT. */
export function xadd32(address: number, addend: number): number { // HOT
  return native.xadd32(address, addend | 0);
}

/** Exchanges atomically. Returns the old value (unsigned), or FAULT. */
export function xchg32(address: number, value: number): number { // HOT
  return native.xchg32(address, value | 0);
}

/** Index of the first NUL byte; `maxBytes` if there is none; FAULT if memory ends before either. */
export function findZero(address: number, maxBytes: number): number { // HOT
  return native.find_zero(address, maxBytes);
}

/** 0 if equal, 1 if not, FAULT if memory ends before the first difference. */
export function compare(a: number, b: number, lenBytes: number): number { // HOT
  return native.compare(a, b, lenBytes);
}
