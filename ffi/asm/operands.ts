/**
 * Memory operands and the checks that all operands share.
 *
 * Not here: how an operand becomes ModRM and SIB bytes (`encoder.ts`). Neighbour: `registers.ts`.
 */

import type { Gpr, Reg64, Size, Xmm } from "./registers.ts";

type Segment = "fs" | "gs";

/** A memory operand. With `label` it is relative to rip, and has neither base nor index. */
export interface Mem {
  readonly kind: "mem";
  readonly base: Reg64 | null;
  readonly index: Reg64 | null;
  readonly scale: 1 | 2 | 4 | 8;
  readonly disp: number;
  readonly label: string | null;
  readonly seg: Segment | null;
}

/** An operand that ModRM.rm can name in integer instructions. */
export type RegMem = Gpr | Mem;

/**
 * `[base + index*scale + disp]`; without base and index, the absolute address `disp`.
 *
 * @throws RangeError if disp is not a signed 32-bit number, or if the index is rsp
 */
export function mem(
  base: Reg64 | null,
  disp = 0,
  index: Reg64 | null = null,
  scale: 1 | 2 | 4 | 8 = 1,
): Mem {
  checkDisp(disp);
  if (index?.code === 4) throw new RangeError("rsp cannot be an index register");
  return { kind: "mem", base, index, scale, disp, label: null, seg: null };
}

/** The same operand relative to the base of fs or gs. */
export function memSeg(seg: Segment, m: Mem): Mem {
  return { ...m, seg };
}

/** `[rip + label + addend]`: position-independent access to a label of the same code. */
export function rip(label: string, addend = 0): Mem {
  checkDisp(addend);
  return { kind: "mem", base: null, index: null, scale: 1, disp: addend, label, seg: null };
}

/** True if `n` is an integer that a two's complement field of `bits` bits can hold. */
export function fitsSigned(n: number, bits: number): boolean {
  return Number.isInteger(n) && n >= -(2 ** (bits - 1)) && n < 2 ** (bits - 1);
}

/**
 * The immediate of an operation on `size` bytes, as the signed number the processor sees. Both
 * signed and unsigned spellings pass (`-1` and `0xff` for one byte), except for 8 bytes, where the
 * field is a signed 32-bit one.
 */
export function immediate(n: number, size: Size): number {
  const bits = size * 8;
  if (size === 8 ? fitsSigned(n, 32) : fitsSigned(n, bits)) return n;
  if (size !== 8 && Number.isInteger(n) && n >= 0 && n < 2 ** bits) return n - 2 ** bits;
  throw new RangeError(`immediate ${n} does not fit an operation on ${size} bytes`);
}

/** The size on which all registers among the operands and the explicit `size` agree. */
export function operandSize(size: Size | undefined, ...operands: (RegMem | number)[]): Size {
  let found = size;
  for (const op of operands) {
    if (typeof op === "number" || op.kind === "mem") continue;
    if (found !== undefined && found !== op.size) {
      throw new TypeError(`operand sizes differ: ${op.name} is not of ${found} bytes`);
    }
    found = op.size;
  }
  if (found === undefined) throw new TypeError("operand size unknown: pass it as last argument");
  return found;
}

/** True for a memory operand. */
export function isMem(op: Gpr | Xmm | Mem | number): op is Mem {
  return typeof op !== "number" && op.kind === "mem";
}

function checkDisp(disp: number): void {
  if (!fitsSigned(disp, 32)) throw new RangeError(`displacement ${disp} is not a signed 32-bit`);
}
