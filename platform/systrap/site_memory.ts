/**
 * Sets of thunks in the control file. Each set has blocks of its own, a table and the thunks of its
 * entries, which only the stubs of its address spaces map. So no guest can read where others have
 * their code, nor jump to bytes that others chose.
 *
 * Neighbours: `../thunks.ts` writes the contents, `space.ts` maps the blocks.
 */

import { copyFromBuffer } from "../../ffi/mem/native_memory.ts";
import { STUB_BASE, TABLES, THUNKS } from "./stub/layout.ts";
import { TABLE_BYTES, TABLE_THUNKS_BYTES, type ThunkPlace, ThunkTable } from "../thunks.ts";
import type { ControlMemory } from "./control_memory.ts";

class SiteMemory implements ThunkPlace {
  readonly tables = TABLES;
  readonly thunks = THUNKS;
  readonly userEnd = STUB_BASE;
  readonly target: number;
  /** Control file offsets: a table, and behind it its thunks. */
  readonly blocks: number[] = [];
  readonly #control: ControlMemory;

  constructor(control: ControlMemory, target: number) {
    this.#control = control;
    this.target = target;
  }

  addTable(_index: number): boolean {
    const block = this.#control.takeSites();
    if (block < 0) return false;
    this.blocks.push(block);
    return true;
  }

  writeThunk(at: number, code: Uint8Array<ArrayBuffer>): void {
    const block = this.blocks[Math.floor(at / TABLE_THUNKS_BYTES)]!;
    const host = this.#control.base + block + TABLE_BYTES + at % TABLE_THUNKS_BYTES;
    copyFromBuffer(host, code, 0, code.length);
  }

  writeEntry(at: number, address: number, returnAddr: number): void {
    const entry = this.blocks[Math.floor(at / TABLE_BYTES)]! + at % TABLE_BYTES;
    this.#control.setWord(entry + 8, returnAddr);
    this.#control.setWord(entry, address);
  }

  free(): void {
    for (const block of this.blocks.splice(0)) this.#control.giveSites(block);
  }
}

export class SystrapThunks extends ThunkTable {
  readonly #memory: SiteMemory;
  /**
   * Number of users: the owner, and the spaces that use it, since a stub may still run when its
   * space is destroyed.
   */
  #refs = 1;

  constructor(control: ControlMemory, target: number) {
    const memory = new SiteMemory(control, target);
    super(memory);
    this.#memory = memory;
  }

  /** Control file offset of a table; its thunks are behind it. */
  blockAt(index: number): number {
    return this.#memory.blocks[index]!;
  }

  hold(): this {
    this.#refs++;
    return this;
  }

  override release(): void {
    if (--this.#refs === 0) this.#memory.free();
  }
}
