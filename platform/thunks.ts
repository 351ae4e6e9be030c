/**
 * Thunks of patched call sites: each has the instruction that stood in front of `syscall`, a load
 * of the return address, and a jump to the platform's stub, which makes the call.
 *
 * The site is `jmp [table entry]`. The entry has the thunk's address, and behind it the return
 * address as data: a guest chooses no bytes of executable code but the moved instruction. Only this
 * file writes tables and thunks. A thunk never changes once its entry is set. Neighbours:
 * `systrap/stub/fast_path.ts`, `systrap/site_memory.ts`, `kvm/call_stub.ts`.
 */

import { Assembler } from "../ffi/asm/assembler.ts";
import { mem } from "../ffi/asm/operands.ts";
import { rcx } from "../ffi/asm/registers.ts";
import type { Thunks } from "./platform.ts";

export const THUNK_BYTES = 32;
/**
 * The third byte of addresses in each table. Like the fourth byte, which the platform chooses, it
 * is an invalid opcode: a thread that jumps to the old `syscall` of a patched site stops there.
 */
export const TABLE_OPCODES: readonly number[] = [0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27];
export const TABLE_COUNT = TABLE_OPCODES.length;
export const TABLE_BYTES = 0x10000;
/** u64 each: address of the thunk, return address. */
const ENTRY_BYTES = 16, ENTRY_RETURN = 8;
const SITES_IN_TABLE = TABLE_BYTES / ENTRY_BYTES;
/** Thunks of one table. */
export const TABLE_THUNKS_BYTES = SITES_IN_TABLE * THUNK_BYTES;
/** LIMIT: patched call sites (number and address) of one set of thunks. */
const MAX_THUNKS = TABLE_COUNT * SITES_IN_TABLE;
export const THUNKS_BYTES = MAX_THUNKS * THUNK_BYTES;

/** `before` of six bytes is at least this number; of five bytes it is less. */
const SIX_BYTES = 2 ** 40;
const MAX_SITE_BYTES = 8;
const MOV_EAX = 0xb8;

/** The memory of a set of thunks. Guest addresses in the upper half are negative. */
export interface ThunkPlace {
  readonly tables: readonly number[];
  readonly thunks: number;
  /** Address that all thunks jump to. */
  readonly target: number;
  /** Guest code is below this address. */
  readonly userEnd: number;
  /** Provides memory for table `index` and its thunks. False: there is none. */
  addTable(index: number): boolean;
  /** @param at offset in the thunks */
  writeThunk(at: number, code: Uint8Array<ArrayBuffer>): void;
  /** @param at offset in the tables, as if they were contiguous */
  writeEntry(at: number, address: number, returnAddr: number): void;
}

export class ThunkTable implements Thunks {
  readonly #place: ThunkPlace;
  /** Table entry by instruction in front, then by return address. */
  readonly #entries = new Map<number, Map<number, number>>();
  readonly #returnAddrs = new Set<number>();
  /** By index: address of the site, and the instruction that its thunk executes. */
  readonly #sites: number[] = [];
  readonly #instructions: number[] = [];
  #tableCount = 0;

  constructor(place: ThunkPlace) {
    this.#place = place;
  }

  get count(): number {
    return this.#sites.length;
  }

  get tableCount(): number {
    return this.#tableCount;
  }

  get isTableFull(): boolean {
    return this.count === this.#tableCount * SITES_IN_TABLE;
  }

  release(): void {}

  /** Whether some thunk returns to `addr`. */
  returnsTo(addr: number): boolean {
    return this.#returnAddrs.has(addr);
  }

  /** Address of the site whose thunk begins at `addr`, -1 if there is none. */
  siteOf(addr: number): number {
    return this.#sites[this.#index(addr)] ?? -1;
  }

  /** The call number that the thunk at `addr` moves to eax, -1 if it has another instruction. */
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

  find(before: number, returnAddr: number): number {
    return this.#entries.get(before)?.get(returnAddr) ?? 0;
  }

  get(before: number, returnAddr: number): number {
    const { userEnd } = this.#place;
    if (!Number.isInteger(returnAddr) || returnAddr < MAX_SITE_BYTES || returnAddr >= userEnd) {
      return 0;
    }
    const known = this.find(before, returnAddr);
    if (known !== 0) return known;
    if (this.isTableFull && !this.#addTable()) return 0;
    const entry = this.#write(this.count, before, returnAddr);
    this.#sites.push(returnAddr - (before < SIX_BYTES ? 7 : 8));
    this.#instructions.push(before);
    let byAddr = this.#entries.get(before);
    if (byAddr === undefined) this.#entries.set(before, byAddr = new Map());
    byAddr.set(returnAddr, entry);
    this.#returnAddrs.add(returnAddr);
    return entry;
  }

  #addTable(): boolean {
    if (this.#tableCount === TABLE_COUNT || !this.#place.addTable(this.#tableCount)) return false;
    this.#tableCount++;
    return true;
  }

  /** Writes thunk and entry. @returns address of the table entry */
  #write(index: number, before: number, returnAddr: number): number {
    const place = this.#place, address = place.thunks + index * THUNK_BYTES;
    const table = place.tables[Math.floor(index / SITES_IN_TABLE)]!;
    const entry = table + ENTRY_BYTES * (index % SITES_IN_TABLE);
    const a = new Assembler().dd(before % 0x100000000);
    const rest = Math.floor(before / 0x100000000);
    if (before < SIX_BYTES) a.db(rest);
    else a.db(rest % 0x100, rest >>> 8);
    a.mov(rcx, mem(null, entry + ENTRY_RETURN));
    const jump = a.length;
    a.db(0xe9).dd(place.target - (address + jump + 5)); // jmp
    place.writeThunk(index * THUNK_BYTES, a.assemble());
    place.writeEntry(ENTRY_BYTES * index, address, returnAddr);
    return entry;
  }
}
