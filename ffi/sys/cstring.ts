/**
 * Memory with a host address for arguments of system calls: scratch space, C strings, addresses of
 * buffers.
 *
 * Scratch space serves the call that is being prepared: its contents are not kept across any other
 * call. Neighbour: native.ts.
 */

import { MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE } from "../abi/mman.ts";
import { SYS_mmap } from "../abi/syscall_numbers.ts";
import { check } from "./errors.ts";
import { syscall, viewOf } from "./native.ts";

const SCRATCH_BYTES = 1 << 20;
const SLOT_BYTES = 8192;
const SLOTS = 4;
const AREA_BYTES = 65536;
/** Areas 0 to 14; the first 64 KiB are the string slots. */
const AREAS = SCRATCH_BYTES / AREA_BYTES - 1;

const encoder = new TextEncoder();

/** One MiB of private memory at a fixed address. */
class Scratch {
  /** Host address. */
  readonly base: number;
  readonly dv: DataView<ArrayBuffer>;
  readonly u8: Uint8Array<ArrayBuffer>;
  readonly #slots: readonly Uint8Array<ArrayBuffer>[];

  constructor() {
    const prot = PROT_READ | PROT_WRITE;
    const flags = MAP_PRIVATE | MAP_ANONYMOUS;
    this.base = check(syscall(SYS_mmap, 0, SCRATCH_BYTES, prot, flags, -1, 0), "mmap scratch");
    const buffer = viewOf(this.base, SCRATCH_BYTES);
    this.dv = new DataView(buffer);
    this.u8 = new Uint8Array(buffer);
    this.#slots = Array.from({ length: SLOTS }, (_, i) => {
      return new Uint8Array(buffer, i * SLOT_BYTES, SLOT_BYTES);
    });
  }

  /**
   * Writes a NUL-terminated string and returns its host address. Slots hold 8 KiB each.
   *
   * @throws RangeError if it does not fit, or has a NUL inside: the kernel would see another string
   */
  cstr(s: string | Uint8Array, slot: 0 | 1 | 2 | 3 = 0): number {
    const to = this.#slots[slot] ?? this.u8;
    let length: number;
    if (typeof s === "string") {
      const { read, written } = encoder.encodeInto(s, to);
      length = read === s.length ? written : SLOT_BYTES;
    } else {
      length = s.length;
      if (length < SLOT_BYTES) to.set(s);
    }
    if (length >= SLOT_BYTES) throw new RangeError("string argument of a system call is too long");
    to[length] = 0;
    if (to.indexOf(0) !== length) throw new RangeError("string argument has a NUL inside");
    return this.base + slot * SLOT_BYTES;
  }

  /** Offset in `dv` and `u8` of area `i`, 0 to 14, each of 64 KiB. */
  areaOffset(i: number): number {
    if (!(i >= 0 && i < AREAS)) throw new RangeError(`there is no scratch area ${i}`);
    return (i + 1) * AREA_BYTES;
  }

  /** Host address of area `i`. */
  area(i: number): number {
    return this.base + this.areaOffset(i);
  }
}

export const scratch: Scratch = new Scratch();

/** A zeroed buffer whose host address stays the same as long as it lives. */
export function allocBuffer(lenBytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(lenBytes));
}

/**
 * Host address of the first byte of a buffer; 0 if it is empty.
 *
 * SAFETY: valid while the buffer is reachable and neither transferred nor resized; the caller keeps
 * it so.
 */
export function addressOf(buffer: Uint8Array): number {
  // Access to `.buffer` moves the bytes of a small array out of V8's moving heap, for good.
  if (buffer.buffer.byteLength === 0 || buffer.length === 0) return 0;
  const pointer = Deno.UnsafePointer.of(buffer as Uint8Array<ArrayBuffer>);
  return Number(Deno.UnsafePointer.value(pointer));
}
