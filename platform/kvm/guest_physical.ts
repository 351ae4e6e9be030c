/**
 * Guest-physical memory of the machine: first the tables, then the arena, then windows on host
 * files. Each is a range of this process's memory, and the host follows when another mapping
 * replaces it there.
 *
 * The host keeps some 2 MB for each GiB that a machine has, so parts are added at their first use,
 * and stay. Neighbours: `table_memory.ts`, `file_windows.ts`.
 */

import { KVM_SET_USER_MEMORY_REGION, KvmUserspaceMemoryRegion } from "../../ffi/abi/kvm.ts";
import {
  MADV_DONTNEED,
  MAP_ANONYMOUS,
  MAP_NORESERVE,
  MAP_PRIVATE,
  PAGE_SIZE,
  PROT_NONE,
} from "../../ffi/abi/mman.ts";
import { SYS_madvise } from "../../ffi/abi/syscall_numbers.ts";
import type { Arena } from "../../ffi/mem/arena.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { check } from "../../ffi/sys/errors.ts";
import { ioctl, mmap, munmap } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { TABLE_MEMORY_BYTES, type TableMemory } from "./table_memory.ts";

const PART_BYTES = 2 ** 30;
/** Guest-physical address of the arena. */
export const ARENA_AT: number = 4 * PART_BYTES;
/** LIMIT: bytes of windows. */
export const WINDOWS_BYTES: number = 64 * PART_BYTES;

const TABLES_SLOT = 0, FORGET_SLOT = 1, FIRST_SLOT = 2;
/** The guest-physical address of a page that nothing maps. */
const FORGET_AT = 2 * PART_BYTES;
const at = KvmUserspaceMemoryRegion.at;

export class GuestPhysical {
  /** Guest-physical address of the windows. */
  readonly windowsAt: number;
  /** Host address of the windows. */
  readonly windowsBase: number;
  readonly #vm: number;
  readonly #arena: Arena;
  readonly #tables: TableMemory;
  readonly #isUsed: Uint8Array;

  /**
   * @param vm descriptor of the machine
   * @param addressBits of guest-physical addresses
   * @throws Error
   */
  constructor(vm: number, arena: Arena, tables: TableMemory, addressBits: number) {
    this.#vm = vm;
    this.#arena = arena;
    this.#tables = tables;
    this.windowsAt = ARENA_AT + Math.ceil(arena.size / PART_BYTES) * PART_BYTES;
    const end = this.windowsAt + WINDOWS_BYTES;
    if (end > 2 ** addressBits) {
      throw new RangeError(`guest memory does not fit ${addressBits} bits of physical address`);
    }
    this.#isUsed = new Uint8Array(end / PART_BYTES);
    const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    this.windowsBase = check(mmap(0, WINDOWS_BYTES, PROT_NONE, flags, -1, 0), "mmap of windows");
    const hasTables = this.#setRegion(TABLES_SLOT, 0, TABLE_MEMORY_BYTES, tables.base);
    if (hasTables < 0) this.close();
    check(hasTables, "memory of tables");
    tables.forget = () => this.#forget();
  }

  /** Makes sure that the machine has this memory. False: the host has no memory to manage it. */
  use(page: number, len: number): boolean {
    const last = Math.floor((page + len - 1) / PART_BYTES);
    for (let part = Math.floor(page / PART_BYTES); part <= last; part++) {
      if (this.#isUsed[part] === 1) continue;
      const from = part * PART_BYTES;
      const arenaEnd = ARENA_AT + this.#arena.size;
      const bytes = from < this.windowsAt ? Math.min(PART_BYTES, arenaEnd - from) : PART_BYTES;
      if (this.#setRegion(FIRST_SLOT + part, from, bytes, this.hostAddress(from)) < 0) return false;
      this.#isUsed[part] = 1;
    }
    return true;
  }

  /** Host address of a page that a guest can have. */
  hostAddress(page: number): number {
    if (page >= this.windowsAt) return this.windowsBase + page - this.windowsAt;
    return this.#arena.base + page - ARENA_AT;
  }

  /**
   * Makes the host forget where it saw these pages; their contents stay. The host refuses it for
   * locked memory.
   */
  invalidate(page: number, len: number): void {
    if (syscall(SYS_madvise, this.hostAddress(page), len, MADV_DONTNEED) < 0) this.#forget();
  }

  /**
   * Makes the host discard all that it derived from page tables: removal of memory from a machine
   * does that.
   */
  invalidateAll(): void {
    this.#forget();
  }

  #forget(): void {
    const host = this.#tables.base;
    check(this.#setRegion(FORGET_SLOT, FORGET_AT, PAGE_SIZE, host), "memory of the machine");
    check(this.#setRegion(FORGET_SLOT, FORGET_AT, 0, host), "memory of the machine");
  }

  #setRegion(slot: number, from: number, bytes: number, host: number): number {
    const region = scratch.areaOffset(0), dv = scratch.dv;
    dv.setUint32(region + at.slot, slot, true);
    dv.setUint32(region + at.flags, 0, true);
    dv.setBigUint64(region + at.guestPhysAddr, BigInt(from), true);
    dv.setBigUint64(region + at.memorySize, BigInt(bytes), true);
    dv.setBigUint64(region + at.userspaceAddr, BigInt(host), true);
    return ioctl(this.#vm, KVM_SET_USER_MEMORY_REGION, scratch.area(0));
  }

  close(): void {
    munmap(this.windowsBase, WINDOWS_BYTES);
  }
}
