/**
 * Thunks: for each patched call site the instruction that stood in front of `syscall`, the return address, then the way to the
 * platform's stub, which makes the call.
 *
 * The site is `jmp [table entry]`; the entry points to the thunk. Tables and thunks are shared by all that a platform runs, and
 * written here only. A thunk is never changed once its entry is set.
 * Neighbours: `stub/fast_path.ts`, `kvm/call_stub.ts`.
 */

import { Assembler } from "../ffi/asm/assembler.ts";
import { rcx } from "../ffi/asm/registers.ts";

export const THUNK_BYTES = 32;
/**
 * The third byte of addresses in each table. Like the fourth, which is the platform's, it is an invalid opcode: a thread that
 * stands at, or jumps to, the `syscall` that a jump replaced stops there.
 */
export const TABLE_OPCODES: readonly number[] = [0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27];
export const TABLE_COUNT = TABLE_OPCODES.length;
export const TABLE_BYTES = 0x10000;
const THUNKS_IN_TABLE = TABLE_BYTES / 8;
/** LIMIT: patched call sites (number and address) of one platform. */
const MAX_THUNKS = TABLE_COUNT * THUNKS_IN_TABLE;
export const THUNKS_BYTES = MAX_THUNKS * THUNK_BYTES;

/** From this number on there are six bytes in front of the `syscall`. */
const SIX_BYTES = 2 ** 40;
const MAX_SITE_BYTES = 8;
const MOV_EAX = 0xb8;

/** Where a platform has its tables and thunks. Guest addresses in the upper half are negative. */
export interface ThunkPlace {
  readonly tables: readonly number[];
  readonly thunks: number;
  /** Where all thunks go. */
  readonly target: number;
  /** Code of guests is below. */
  readonly userEnd: number;
  /** @param at offset in the thunks */
  writeThunk(at: number, code: Uint8Array<ArrayBuffer>): void;
  /** @param at offset in the tables, which stand there one behind the other */
  writeEntry(at: number, address: number): void;
}

export class ThunkTable {
  readonly #place: ThunkPlace;
  /** Table entry by return address, by the instruction in front. */
  readonly #entries = new Map<number, Map<number, number>>();
  readonly #returnAddrs = new Set<number>();
  /** By index: where the site is, and what its thunk executes. */
  readonly #sites: number[] = [];
  readonly #instructions: number[] = [];

  constructor(place: ThunkPlace) {
    this.#place = place;
  }

  /** Whether some thunk returns to `addr`. */
  returnsTo(addr: number): boolean {
    return this.#returnAddrs.has(addr);
  }

  /** Address of the site whose thunk begins at `addr`, -1 if there is none. */
  siteOf(addr: number): number {
    return this.#sites[this.#index(addr)] ?? -1;
  }

  /** The number that the thunk which begins at `addr` moves to eax, -1 if it does not do that. */
  callOf(addr: number): number {
    const instruction = this.#instructions[this.#index(addr)] ?? 0;
    return instruction % 0x100 === MOV_EAX ? Math.floor(instruction / 0x100) | 0 : -1;
  }

  /** Whether `addr` is in a thunk. */
  has(addr: number): boolean {
    const index = this.#index(addr);
    return index >= 0 && index < this.#sites.length;
  }

  #index(addr: number): number {
    return (addr - this.#place.thunks) / THUNK_BYTES;
  }

  /** Address of the table entry for a site, 0 when there are no more. */
  get(before: number, returnAddr: number): number {
    const { tables, userEnd } = this.#place;
    if (!Number.isInteger(returnAddr) || returnAddr < MAX_SITE_BYTES || returnAddr >= userEnd) {
      return 0;
    }
    let byAddr = this.#entries.get(before);
    if (byAddr === undefined) this.#entries.set(before, byAddr = new Map());
    const known = byAddr.get(returnAddr);
    if (known !== undefined) return known;
    const index = this.#sites.length;
    if (index === MAX_THUNKS) return 0;
    this.#sites.push(returnAddr - (before < SIX_BYTES ? 7 : 8));
    this.#instructions.push(before);
    this.#write(index, before, returnAddr);
    const entry = tables[Math.floor(index / THUNKS_IN_TABLE)]! + 8 * (index % THUNKS_IN_TABLE);
    byAddr.set(returnAddr, entry);
    this.#returnAddrs.add(returnAddr);
    return entry;
  }

  #write(index: number, before: number, returnAddr: number): void {
    const place = this.#place, address = place.thunks + index * THUNK_BYTES;
    const a = new Assembler().dd(before % 0x100000000);
    const rest = Math.floor(before / 0x100000000);
    if (before < SIX_BYTES) a.db(rest);
    else a.db(rest % 0x100, rest >>> 8);
    a.movabs(rcx, returnAddr);
    const jump = a.length;
    a.db(0xe9).dd(place.target - (address + jump + 5)); // jmp
    place.writeThunk(index * THUNK_BYTES, a.assemble());
    place.writeEntry(8 * index, address);
  }
}
