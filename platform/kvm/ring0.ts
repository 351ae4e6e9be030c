/**
 * Ring 0 of the machine, and the tables by which the processor enters it. For exceptions there are
 * a few instructions that leave the machine at once, through a port whose number names the
 * exception; on hardware the stub of calls is in ring 0 too.
 *
 * Ring 0 takes no decisions: the Sentry loads a thread's registers again, or answers its call. All
 * of it is written once and never changes. Neighbours: `host_kinds.ts`, `vcpu.ts`. Source: Intel
 * SDM vol. 3 ch. 3, 6, 7.
 */

import { USER_CS, USER_END, USER_SS } from "../platform.ts";
import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { Assembler } from "../../ffi/asm/assembler.ts";
import { copyFromBuffer } from "../../ffi/mem/native_memory.ts";
import { CALL_PORT, type CallStub, callStub } from "./call_stub.ts";
import type { HostKind } from "./host_kinds.ts";
import {
  TABLE_BYTES,
  TABLE_COUNT,
  TABLE_OPCODES,
  type ThunkPlace,
  THUNKS_BYTES,
} from "../thunks.ts";
import { RING0_FRAMES, type TableMemory } from "./table_memory.ts";

/** Address at which ring 0 sees frame 0 of the tables' memory. */
const RING0_BASE = 0xffffffff80000000n;
/** The high word of every address of ring 0. */
export const RING0_HIGH = 0xffffffff;

export const EXCEPTIONS = 32;
/** The port that the stub of exception 0 writes to; those of the others follow. */
export const EXCEPTION_PORT = 0x40;

const KERNEL_CODE = 0x10, COMPATIBLE_CODE = 0x20;
const FIRST_TSS = 0x40, TSS_DESCRIPTOR_BYTES = 16;

/** Frame numbers. */
const GDT = 1, IDT = 2, CALL_CODE = 3, EXCEPTION_CODE = 4, TABLE = 5, BELL = 6, FIRST_CPU = 16;
/** LIMIT: vCPUs of a machine. */
export const MAX_CPUS = 16;
/** Frames of one vCPU: its TSS, its stack, its slot, and the tables that map the slot. */
const CPU_FRAMES = 6;
const TASK = 0, STACK = 1, SLOT = 2, CALL_TABLE = 3, DIRECTORY = 4, DIRECTORY_POINTERS = 5;
/**
 * Address of the stub of calls: behind its page of code come the vCPU's slot and the words that all
 * stubs read.
 */
const CALL_BASE = RING0_BASE + 0x200000n;

/**
 * Where calls are patched: the tables and thunks of call sites, behind the page tables that map
 * them. All vCPUs see the same.
 */
const THUNK_WAY = FIRST_CPU + CPU_FRAMES * MAX_CPUS, THUNK_WAYS = 3;
const JUMP_TABLES = THUNK_WAY + THUNK_WAYS;
const THUNKS = JUMP_TABLES + TABLE_COUNT * TABLE_BYTES / PAGE_SIZE;
/**
 * Offsets from ring 0's base, chosen so that the highest byte of these addresses, too, is an
 * invalid opcode.
 */
const JUMP_TABLES_AT = 0x2000000;
export const THUNKS_AT = 0x2400000;
/** Bytes that one page table maps. */
const WAY_BYTES = 0x200000, WAY_ENTRIES = 512;

const TSS_BYTES = 104, PORT_MAP_BYTES = 65;
const TSS_STACK = 4, TSS_PORT_MAP = 102;
const HANDLER_BYTES = 16, GATE_BYTES = 16;
/** Fills the page of the call stub where it has no instructions. */
const INT3 = 0xcc;

/** Entry bits: present, writable, user, accessed, dirty. */
const TABLE_BITS = 0x67, CODE_BITS = 0x61, DATA_BITS = 0x63, USER_BIT = 4;
const NO_EXECUTE_HIGH = 0x80000000;

export interface Ring0 {
  readonly gdt: { readonly base: bigint; readonly limit: number };
  readonly idt: { readonly base: bigint; readonly limit: number };
  /** Address of the stub of calls, at which `syscall` enters. */
  readonly callEntry: bigint;
  /** The code of the stub, and the selector of cs that it runs with. */
  readonly callStub: CallStub;
  readonly callSelector: number;
  /** Target of all thunks; null: no call site is patched. */
  readonly thunkPlace: ThunkPlace | null;
  /** Frame number of the words that all stubs read (`call_stub.ts`). */
  readonly bellFrame: number;
  /** MSR_STAR: selectors of `syscall` and `sysret`. */
  readonly star: bigint;
}

/** The pages and tables that each vCPU has for itself. */
interface CpuPages {
  readonly taskSelector: number;
  readonly taskBase: bigint;
  readonly taskLimit: number;
  /** Frame number of the stack of exceptions, which they use from its top. */
  readonly stackFrame: number;
  /** Frame number of the slot that the guest thread shares with the Sentry (`call_stub.ts`). */
  readonly slotFrame: number;
  /** Low word of the root's entry for ring 0, as this vCPU sees it. */
  readonly rootEntry: number;
}

function ring0Address(frame: number): bigint {
  return RING0_BASE + BigInt(frame * PAGE_SIZE);
}

/** Addresses and frames of the pages of vCPU number `cpu`. */
export function cpuPages(cpu: number): CpuPages {
  const frame = FIRST_CPU + CPU_FRAMES * cpu;
  return {
    taskSelector: FIRST_TSS + TSS_DESCRIPTOR_BYTES * cpu,
    taskBase: ring0Address(frame),
    taskLimit: TSS_BYTES + PORT_MAP_BYTES - 1,
    stackFrame: frame + STACK,
    slotFrame: frame + SLOT,
    rootEntry: (frame + DIRECTORY_POINTERS) * PAGE_SIZE + TABLE_BITS,
  };
}

/** Fills the frames. */
export function writeRing0(memory: TableMemory, kind: HostKind): Ring0 {
  const writer = new Writer(memory);
  const stub = callStub(kind);
  writer.codes(stub);
  writer.gates();
  writer.segments(kind);
  for (let cpu = 0; cpu < MAX_CPUS; cpu++) writer.task(cpu, kind);
  writer.tables(kind);
  return {
    gdt: {
      base: ring0Address(GDT),
      limit: FIRST_TSS + TSS_DESCRIPTOR_BYTES * MAX_CPUS - 1,
    },
    idt: { base: ring0Address(IDT), limit: EXCEPTIONS * GATE_BYTES - 1 },
    callEntry: CALL_BASE,
    bellFrame: BELL,
    callStub: stub,
    thunkPlace: kind.isCallInUserMode ? thunkPlace(memory, stub.patchedEntry) : null,
    callSelector: kind.isCallInUserMode ? USER_CS : KERNEL_CODE,
    star: BigInt(COMPATIBLE_CODE | 3) << 48n | BigInt(KERNEL_CODE) << 32n,
  };
}

/** Addresses of ring 0 as guests' instructions sign-extend them: negative. */
function thunkPlace(memory: TableMemory, patchedEntry: number): ThunkPlace {
  const base = Number(BigInt.asIntN(64, RING0_BASE)), host = memory.base;
  return {
    tables: TABLE_OPCODES.map((byte) => base + JUMP_TABLES_AT + byte * TABLE_BYTES),
    thunks: base + THUNKS_AT,
    target: base + Number(CALL_BASE - RING0_BASE) + patchedEntry,
    userEnd: USER_END,
    writeThunk: (at, code) => copyFromBuffer(host + THUNKS * PAGE_SIZE + at, code, 0, code.length),
    addTable: () => true, // all tables have memory from the start
    writeEntry: (at, address, returnAddr) => {
      const frame = JUMP_TABLES + Math.floor(at / PAGE_SIZE);
      const words = memory.words(frame), i = memory.wordOf(frame) + at % PAGE_SIZE / 4;
      words[i + 2] = returnAddr >>> 0;
      words[i + 3] = Math.floor(returnAddr / 0x100000000);
      words[i + 1] = RING0_HIGH;
      words[i] = address >>> 0;
    },
  };
}

class Writer {
  readonly #memory: TableMemory;

  constructor(memory: TableMemory) {
    this.#memory = memory;
  }

  codes(stub: CallStub): void {
    const call = new Uint8Array(PAGE_SIZE).fill(INT3);
    call.set(stub.code);
    this.#bytes(CALL_CODE, call);
    const handlers = new Uint8Array(PAGE_SIZE).fill(INT3);
    for (let vector = 0; vector < EXCEPTIONS; vector++) {
      handlers.set(leaveBy(EXCEPTION_PORT + vector), vector * HANDLER_BYTES);
    }
    this.#bytes(EXCEPTION_CODE, handlers);
  }

  gates(): void {
    for (let vector = 0; vector < EXCEPTIONS; vector++) {
      const handler = ring0Address(EXCEPTION_CODE) + BigInt(vector * HANDLER_BYTES);
      const isOpen = vector === 3 || vector === 4; // guests may execute int3 and into
      const low = (handler & 0xffffn) | BigInt(KERNEL_CODE) << 16n |
        (isOpen ? 0xeen : 0x8en) << 40n | (handler >> 16n & 0xffffn) << 48n;
      this.#quad(IDT, vector * GATE_BYTES, low);
      this.#quad(IDT, vector * GATE_BYTES + 8, handler >> 32n);
    }
  }

  segments(kind: HostKind): void {
    this.#quad(GDT, KERNEL_CODE, 0x00af9b000000ffffn);
    this.#quad(GDT, KERNEL_CODE + 8, 0x00cf93000000ffffn);
    // A segment for 32-bit code of user space: hosts that run ring 3 with their own table have one
    // in any case.
    if (kind.isCallInUserMode) this.#quad(GDT, COMPATIBLE_CODE, 0x00cffb000000ffffn);
    this.#quad(GDT, USER_SS & ~7, 0x00cff3000000ffffn);
    this.#quad(GDT, USER_CS & ~7, 0x00affb000000ffffn);
  }

  task(cpu: number, kind: HostKind): void {
    const { taskBase: base, taskSelector, taskLimit, stackFrame } = cpuPages(cpu);
    const low = 0x0000890000000000n | BigInt(taskLimit) | (base & 0xffffffn) << 16n |
      (base >> 24n & 0xffn) << 56n;
    this.#quad(GDT, taskSelector, low);
    this.#quad(GDT, taskSelector + 8, base >> 32n);
    const task = new Uint8Array(TSS_BYTES + PORT_MAP_BYTES), view = new DataView(task.buffer);
    view.setBigUint64(TSS_STACK, ring0Address(stackFrame + 1), true);
    view.setUint16(TSS_PORT_MAP, TSS_BYTES, true);
    task.fill(0xff, TSS_BYTES);
    if (kind.isCallInUserMode) task[TSS_BYTES + CALL_PORT / 8] = 0xff & ~(1 << CALL_PORT % 8);
    this.#bytes(stackFrame - STACK + TASK, task);
  }

  tables(kind: HostKind): void {
    this.#entry(EXCEPTION_CODE, CODE_BITS, 0);
    this.#entry(GDT, DATA_BITS, NO_EXECUTE_HIGH);
    this.#entry(IDT, CODE_BITS, NO_EXECUTE_HIGH);
    for (let cpu = 0; cpu < MAX_CPUS; cpu++) {
      const { stackFrame } = cpuPages(cpu), first = stackFrame - STACK;
      this.#entry(first + TASK, DATA_BITS, NO_EXECUTE_HIGH);
      this.#entry(stackFrame, DATA_BITS, NO_EXECUTE_HIGH);
      this.#processorTables(first, kind);
    }
    if (kind.isCallInUserMode) this.#thunks();
  }

  /** Guest code may read the tables and execute the thunks. */
  #thunks(): void {
    if (THUNKS + THUNKS_BYTES / PAGE_SIZE > RING0_FRAMES) throw new RangeError("RING0_FRAMES");
    const data = BigInt(NO_EXECUTE_HIGH) << 32n, bits = CODE_BITS | USER_BIT;
    const map = (at: number, frame: number, high: bigint) => {
      const page = (at - JUMP_TABLES_AT) / PAGE_SIZE;
      const way = THUNK_WAY + Math.floor(page / WAY_ENTRIES);
      this.#quad(way, page % WAY_ENTRIES * 8, high | BigInt(frame * PAGE_SIZE + bits));
    };
    TABLE_OPCODES.forEach((byte, table) => {
      for (let at = 0; at < TABLE_BYTES; at += PAGE_SIZE) {
        const frame = JUMP_TABLES + (table * TABLE_BYTES + at) / PAGE_SIZE;
        map(JUMP_TABLES_AT + byte * TABLE_BYTES + at, frame, data);
      }
    });
    for (let at = 0; at < THUNKS_BYTES; at += PAGE_SIZE) {
      map(THUNKS_AT + at, THUNKS + at / PAGE_SIZE, 0n);
    }
  }

  /** The page tables of one vCPU for ring 0: the same for all vCPUs, but for its slot. */
  #processorTables(first: number, kind: HostKind): void {
    const table = (frame: number) => BigInt(frame * PAGE_SIZE + TABLE_BITS);
    const data = BigInt(NO_EXECUTE_HIGH) << 32n, user = kind.isCallInUserMode ? USER_BIT : 0;
    const page = (frame: number, bits: number) => BigInt(frame * PAGE_SIZE + (bits | user));
    this.#quad(first + DIRECTORY_POINTERS, 510 * 8, table(first + DIRECTORY));
    this.#quad(first + DIRECTORY, 0, table(TABLE));
    this.#quad(first + DIRECTORY, 8, table(first + CALL_TABLE));
    if (kind.isCallInUserMode) {
      for (let way = 0; way < THUNK_WAYS; way++) {
        const entry = JUMP_TABLES_AT / WAY_BYTES + way;
        this.#quad(first + DIRECTORY, entry * 8, table(THUNK_WAY + way));
      }
    }
    this.#quad(first + CALL_TABLE, 0, page(CALL_CODE, CODE_BITS));
    this.#quad(first + CALL_TABLE, 8, data | page(first + SLOT, DATA_BITS));
    this.#quad(first + CALL_TABLE, 16, data | page(BELL, CODE_BITS));
  }

  /** Maps a frame at its address in ring 0. */
  #entry(frame: number, low: number, high: number): void {
    const value = BigInt(high) << 32n | BigInt(frame * PAGE_SIZE + low);
    this.#quad(TABLE, frame * 8, value);
  }

  #quad(frame: number, at: number, value: bigint): void {
    const words = this.#memory.words(frame), i = this.#memory.wordOf(frame) + at / 4;
    words[i] = Number(value & 0xffffffffn);
    words[i + 1] = Number(value >> 32n & 0xffffffffn);
  }

  #bytes(frame: number, bytes: Uint8Array): void {
    copyFromBuffer(this.#memory.base + frame * PAGE_SIZE, bytes, 0, bytes.length);
  }
}

/**
 * `out` to a port. The Sentry never continues a vCPU behind it; the instruction that follows would
 * stop it.
 */
function leaveBy(port: number): Uint8Array<ArrayBuffer> {
  return new Assembler().db(0xe6, port).hlt().assemble();
}
