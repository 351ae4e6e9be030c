/**
 * Length of an instruction, and its access to memory: enough to tell a read fault from a write
 * fault where the host does not.
 *
 * It is no disassembler: operands are not evaluated. A wrong answer costs the guest at most a
 * second fault. Neighbours: `opcode_table.ts`, `fault_access.ts`. Source: Intel SDM vol. 2 ch. 2.
 */

import {
  MAP2_NARROWING_ROWS,
  MAP2_WRITES_EVEX,
  MAP2_WRITES_LEGACY,
  MAP2_WRITES_VEX,
  MAP3_WRITES,
  ONE_BYTE,
  TWO_BYTE,
  X87_WRITES,
} from "./opcode_table.ts";

/** Longest instruction of the architecture, bytes. */
export const MAX_INSTRUCTION_BYTES = 15;

export interface Instruction {
  /** Length in bytes; more than were given if the instruction continues behind them. */
  readonly length: number;
  /** A character of `opcode_table.ts`, without immediates: . n r w p q > < l s v */
  readonly kind: string;
}

/** Prefixes as VEX and EVEX count them. */
const NONE = 0, P66 = 1, PF3 = 2, PF2 = 3;
type Encoding = "legacy" | "vex" | "evex";

/**
 * Kinds with an immediate: the kind without it, and its bytes (4: or 2 with an operand-size
 * prefix).
 */
const IMMEDIATES: Readonly<Record<string, readonly [string, number]>> = {
  b: [".", 1],
  z: [".", 4],
  R: ["r", 1],
  Y: ["r", 4],
  W: ["w", 1],
  Z: ["w", 4],
  B: ["p", 1],
  t: ["q", 2],
  e: ["p", 3],
};

/** Decodes the first instruction of `bytes`, which must have at least one byte. */
export function decode(bytes: Uint8Array): Instruction {
  return new Decoder(bytes).decode();
}

class Decoder {
  readonly #bytes: Uint8Array;
  #at = 0;
  #prefix = NONE;
  #hasSmallOperand = false;
  #hasSmallAddress = false;
  #isWide = false;
  #encoding: Encoding = "legacy";

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  decode(): Instruction {
    let opcode = this.#prefixes();
    if (opcode === 0xc5 || opcode === 0xc4 || opcode === 0x62) return this.#vector(opcode);
    if (opcode !== 0x0f) return this.#operands(ONE_BYTE[opcode]!, 1, opcode);
    opcode = this.#next();
    if (opcode === 0x38) return this.#map2(this.#next());
    if (opcode === 0x3a) return this.#map3(this.#next());
    return this.#operands(TWO_BYTE[opcode]!, 2, opcode);
  }

  /** Reads 0 behind the bytes; the length then exceeds them. */
  #next(): number {
    return this.#bytes[this.#at++] ?? 0;
  }

  #prefixes(): number {
    for (;;) {
      const byte = this.#next();
      if (byte === 0x66) this.#hasSmallOperand = true;
      else if (byte === 0x67) this.#hasSmallAddress = true;
      else if (byte === 0xf3) this.#prefix = PF3;
      else if (byte === 0xf2) this.#prefix = PF2;
      else if ((byte & 0xf0) === 0x40) {
        this.#isWide = (byte & 8) !== 0;
        return this.#settle(this.#next());
      } else if (![0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0xf0].includes(byte)) {
        return this.#settle(byte);
      }
      if (this.#at > MAX_INSTRUCTION_BYTES) return this.#settle(0x90);
    }
  }

  #settle(opcode: number): number {
    if (this.#prefix === NONE && this.#hasSmallOperand) this.#prefix = P66;
    return opcode;
  }

  #vector(opcode: number): Instruction {
    const first = this.#next();
    let map = 1, last = first;
    if (opcode === 0x62) {
      map = first & 7;
      last = this.#next();
      this.#next();
      this.#encoding = "evex";
    } else {
      if (opcode === 0xc4) {
        map = first & 0x1f;
        last = this.#next();
      }
      this.#encoding = "vex";
    }
    this.#prefix = last & 3;
    this.#hasSmallOperand = false;
    const code = this.#next();
    if (map === 2) return this.#map2(code);
    if (map === 3) return this.#map3(code);
    if (map === 1 && this.#encoding === "vex" && (code & 0xf0) === 0x90) { // KMOV in place of SETcc
      return this.#modrm(code === 0x91 ? "w" : "r", 0);
    }
    if (map === 1) return this.#operands(TWO_BYTE[code]!, 2, code);
    return this.#modrm(code === 0x11 || code === 0x7e && this.#prefix !== PF3 ? "w" : "r", 0);
  }

  #map2(opcode: number): Instruction {
    let writes = MAP2_WRITES_LEGACY.includes(opcode) && this.#prefix !== PF2;
    if (this.#encoding === "vex") writes = MAP2_WRITES_VEX.includes(opcode);
    if (this.#encoding === "evex") {
      const isNarrowing = MAP2_NARROWING_ROWS.includes(opcode & 0xf8) && (opcode & 7) < 6;
      writes = MAP2_WRITES_EVEX.includes(opcode) || isNarrowing && this.#prefix === PF3;
    }
    return this.#modrm(writes ? "w" : "r", 0);
  }

  #map3(opcode: number): Instruction {
    return this.#modrm(MAP3_WRITES.includes(opcode) ? "w" : "r", 1);
  }

  #operands(entry: string, map: 1 | 2, opcode: number): Instruction {
    if (entry === "g") entry = this.#group(map, opcode);
    if (entry === "I") return this.#done(".", this.#isWide ? 8 : this.#hasSmallOperand ? 2 : 4);
    if (entry === "P") return this.#done("p", 4);
    if (entry === "o" || entry === "O") {
      return this.#done(entry === "o" ? "r" : "w", this.#hasSmallAddress ? 4 : 8);
    }
    const [kind, size] = IMMEDIATES[entry] ?? [entry, 0];
    const immediate =
      size === 4 && this.#hasSmallOperand && !this.#isWide && !isNearJump(map, opcode) ? 2 : size;
    if (kind === "S") return this.#modrm("s", 0);
    return "rwn><".includes(kind) ? this.#modrm(kind, immediate) : this.#done(kind, immediate);
  }

  /** The kind of an opcode that depends on the reg field of ModRM, without advancing. */
  #group(map: 1 | 2, opcode: number): string {
    const modrm = this.#bytes[this.#at] ?? 0;
    const reg = modrm >> 3 & 7;
    if (map === 1) {
      if (opcode === 0x81) return reg === 7 ? "Y" : "Z";
      if (opcode === 0x80 || opcode === 0x83) return reg === 7 ? "R" : "W";
      if (opcode === 0x8f) return "<";
      if (opcode === 0xf6) return "RRwwrrrr"[reg]!;
      if (opcode === 0xf7) return "YYwwrrrr"[reg]!;
      if (opcode === 0xfe) return "w";
      if (opcode === 0xff) return "ww>>rr>n"[reg]!;
      return X87_WRITES[opcode & 7]!.includes(String(reg)) ? "w" : "r";
    }
    if (opcode === 0x7e) return this.#prefix === PF3 ? "r" : "w";
    if (opcode === 0xae) return "wrrwwrwr"[reg]!;
    if (opcode === 0xba) return reg === 4 ? "R" : "W";
    if (opcode === 0xc7) return reg === 3 ? "r" : "w";
    return "S";
  }

  #modrm(kind: string, immediate: number): Instruction {
    const modrm = this.#next();
    const mod = modrm >> 6, rm = modrm & 7;
    if (mod === 3) return this.#done(withoutMemory(kind), immediate);
    let displacement = [0, 1, 4][mod]!;
    const base = rm === 4 ? this.#next() & 7 : rm;
    if (mod === 0 && base === 5) displacement = 4;
    return this.#done(kind, displacement + immediate);
  }

  #done(kind: string, more: number): Instruction {
    return { length: this.#at + more, kind };
  }
}

/** Kinds of an instruction whose ModRM names a register. */
function withoutMemory(kind: string): string {
  if (kind === ">") return "p";
  if (kind === "<") return "q";
  return kind === "s" ? kind : ".";
}

/** Opcodes whose displacement has 4 bytes even with an operand-size prefix (Intel; AMD takes 2). */
function isNearJump(map: 1 | 2, opcode: number): boolean {
  return map === 1 ? opcode === 0xe9 : (opcode & 0xf0) === 0x80;
}
