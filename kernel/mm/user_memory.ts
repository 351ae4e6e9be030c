/**
 * User memory as system call handlers and files see it; the memory manager of a process implements
 * it (copy_user.ts). Everything is copied once and then checked. -EFAULT when any byte cannot be
 * reached, after what a fault of the guest would do (allocation, copy on write).
 */

export interface UserMemory {
  /** 0 or -EFAULT. */
  copyIn(dst: Uint8Array<ArrayBuffer>, dstOffset: number, addr: number, len: number): number;
  copyOut(addr: number, src: Uint8Array<ArrayBuffer>, srcOffset: number, len: number): number;
  /** Zeroes user memory: 0 or -EFAULT. */
  clear(addr: number, len: number): number;
  /** The unsigned value, or -1 at a fault. */
  load8(addr: number): number;
  load16(addr: number): number;
  load32(addr: number): number;
  /** The unsigned 64-bit value as a number (exact below 2^53), or -1 at a fault. */
  load64(addr: number): number;
  /** 0 or -EFAULT. The value is taken modulo 2^N. */
  store8(addr: number, value: number): number;
  store16(addr: number, value: number): number;
  store32(addr: number, value: number): number;
  store64(addr: number, value: number): number;
  /** Atomic compare and exchange of a u32: the old value, or -1 at a fault. */
  cas32(addr: number, expected: number, value: number): number;
  /**
   * A NUL-terminated string of at most `max` bytes with the NUL: a byte string, -EFAULT, or
   * -ENAMETOOLONG.
   */
  cstring(addr: number, max: number): string | number;
}
