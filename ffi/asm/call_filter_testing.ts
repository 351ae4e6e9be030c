/**
 * For tests: the verdict of a filter of call_filter.ts for a call, computed without installing it.
 */

import { AUDIT_ARCH_X86_64, SECCOMP_RET_ALLOW } from "../abi/seccomp.ts";
import { SECCOMP_DATA } from "./bpf.ts";

const LD = 0x20, JA = 0x05, JEQ = 0x15, AND = 0x54, RET = 0x06;

/** Runs a filter, which consists of five kinds of instructions. True: the call passes. */
export function verdict(program: Uint8Array<ArrayBuffer>, nr: number, ...args: number[]): boolean {
  const dv = new DataView(program.buffer), words = new Map<number, number>();
  words.set(SECCOMP_DATA.nr, nr).set(SECCOMP_DATA.arch, AUDIT_ARCH_X86_64);
  for (let i = 0; i < 6; i++) words.set(SECCOMP_DATA.argLo(i), (args[i] ?? 0) >>> 0);
  for (let pc = 0, a = 0; pc * 8 < program.length; pc++) {
    const k = dv.getUint32(pc * 8 + 4, true);
    switch (dv.getUint16(pc * 8, true)) {
      case LD:
        a = words.get(k) ?? 0;
        break;
      case AND:
        a = (a & k) >>> 0;
        break;
      case JA:
        pc += k;
        break;
      case JEQ:
        pc += dv.getUint8(pc * 8 + (a === k ? 2 : 3));
        break;
      case RET:
        return k === SECCOMP_RET_ALLOW;
      default:
        throw new Error(`unknown instruction at ${pc}`);
    }
  }
  throw new Error("no verdict");
}
