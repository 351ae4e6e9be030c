/**
 * Thunks: for each patched call site the instruction that stood in front of `syscall`, the return address, then the fast path.
 *
 * The site is `jmp [table entry]`; the entry points to the thunk. Tables and thunks are shared
 * by all stubs of the platform and written here only. A thunk is never changed once its entry is set.
 * Neighbour: `../stub/fast_path.ts`.
 */

import { Assembler } from "../../ffi/asm/assembler.ts";
import { rcx } from "../../ffi/asm/registers.ts";
import {
  MAX_THUNKS,
  STUB_BASE,
  TABLES,
  THUNK_BYTES,
  THUNKS,
  THUNKS_IN_TABLE,
} from "../stub/layout.ts";
import type { ControlMemory } from "./control_memory.ts";

/** From this number on there are six bytes in front of the `syscall`. */
const SIX_BYTES = 2 ** 40;
const MAX_SITE_BYTES = 8;

export class ThunkTable {
  readonly #control: ControlMemory;
  /** Address of the fast path's first instruction. */
  readonly #target: number;
  /** Table entry by return address, by the instruction in front. */
  readonly #entries = new Map<number, Map<number, number>>();
  readonly #returnAddrs = new Set<number>();
  /** By index. */
  readonly #sites: number[] = [];

  constructor(control: ControlMemory, target: number) {
    this.#control = control;
    this.#target = target;
  }

  /** Whether some thunk returns to `addr`. */
  returnsTo(addr: number): boolean {
    return this.#returnAddrs.has(addr);
  }

  /** Address of the site whose thunk begins at `addr`, -1 if there is none. */
  siteOf(addr: number): number {
    return this.#sites[(addr - THUNKS) / THUNK_BYTES] ?? -1;
  }

  /** Address of the table entry for a site, 0 when there are no more. */
  get(before: number, returnAddr: number): number {
    if (!Number.isInteger(returnAddr) || returnAddr < MAX_SITE_BYTES || returnAddr >= STUB_BASE) {
      return 0;
    }
    let byAddr = this.#entries.get(before);
    if (byAddr === undefined) this.#entries.set(before, byAddr = new Map());
    const known = byAddr.get(returnAddr);
    if (known !== undefined) return known;
    if (this.#sites.length === MAX_THUNKS) return 0;
    const index = this.#sites.length;
    this.#sites.push(returnAddr - (before < SIX_BYTES ? 7 : 8));
    this.#write(index, before, returnAddr);
    const table = Math.floor(index / THUNKS_IN_TABLE);
    const entry = TABLES[table]! + 8 * (index % THUNKS_IN_TABLE);
    byAddr.set(returnAddr, entry);
    this.#returnAddrs.add(returnAddr);
    return entry;
  }

  #write(index: number, before: number, returnAddr: number): void {
    const address = THUNKS + index * THUNK_BYTES;
    const a = new Assembler().dd(before % 0x100000000);
    const rest = Math.floor(before / 0x100000000);
    if (before < SIX_BYTES) a.db(rest);
    else a.db(rest % 0x100, rest >>> 8);
    a.movabs(rcx, returnAddr);
    const jump = a.length;
    a.db(0xe9).dd(this.#target - (address + jump + 5)); // jmp fast path
    const code = a.assemble();
    const at = this.#control.thunks + index * THUNK_BYTES;
    for (let i = 0; i < code.length; i++) this.#control.dv.setUint8(at + i, code[i]!);
    this.#control.setWord(this.#control.tables + 8 * index, address);
  }
}
