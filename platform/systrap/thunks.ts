/**
 * Thunks: for each patched call site a few instructions that load what `syscall` would have had, then the fast path.
 *
 * The site is `jmp [table entry]`; the entry points to the thunk, which knows number and return address. Tables and thunks are shared
 * by all stubs of the platform and written here only. A thunk is never changed once its entry is set.
 * Neighbour: `../stub/fast_path.ts`.
 */

import { Assembler } from "../../ffi/asm/assembler.ts";
import { eax, rcx } from "../../ffi/asm/registers.ts";
import {
  MAX_THUNKS,
  STUB_BASE,
  TABLE_FIRST,
  TABLE_STRIDE,
  THUNK_BYTES,
  THUNKS,
  THUNKS_IN_TABLE,
} from "../stub/layout.ts";
import type { ControlMemory } from "./control_memory.ts";

export class ThunkTable {
  readonly #control: ControlMemory;
  /** Address of the fast path's first instruction. */
  readonly #target: number;
  #count = 0;
  /** Table entry by return address, by call number. */
  readonly #entries = new Map<number, Map<number, number>>();
  readonly #returnAddrs = new Set<number>();

  constructor(control: ControlMemory, target: number) {
    this.#control = control;
    this.#target = target;
  }

  /** Whether some thunk returns to `addr`. */
  returnsTo(addr: number): boolean {
    return this.#returnAddrs.has(addr);
  }

  /** Address of the table entry for a site, 0 when there are no more. */
  get(nr: number, returnAddr: number): number {
    if (!Number.isInteger(returnAddr) || returnAddr < 7 || returnAddr >= STUB_BASE) return 0;
    let byAddr = this.#entries.get(nr);
    if (byAddr === undefined) this.#entries.set(nr, byAddr = new Map());
    const known = byAddr.get(returnAddr);
    if (known !== undefined) return known;
    if (this.#count === MAX_THUNKS) return 0;
    const index = this.#count++;
    this.#write(index, nr, returnAddr);
    const table = Math.floor(index / THUNKS_IN_TABLE);
    const entry = TABLE_FIRST + table * TABLE_STRIDE + 8 * (index % THUNKS_IN_TABLE);
    byAddr.set(returnAddr, entry);
    this.#returnAddrs.add(returnAddr);
    return entry;
  }

  #write(index: number, nr: number, returnAddr: number): void {
    const address = THUNKS + index * THUNK_BYTES;
    const a = new Assembler().mov(eax, nr | 0).movabs(rcx, returnAddr);
    const jump = a.length;
    a.db(0xe9).dd(this.#target - (address + jump + 5)); // jmp fast path
    const code = a.assemble();
    const at = this.#control.thunks + index * THUNK_BYTES;
    for (let i = 0; i < code.length; i++) this.#control.dv.setUint8(at + i, code[i]!);
    this.#control.setWord(this.#control.tables + 8 * index, address);
  }
}
