/**
 * A host thread's slot in the control memory of its space, and copies of registers between a slot,
 * a signal frame and `Context.regs`. Neighbours: `context.ts`, `space.ts`, `stub/layout.ts`.
 */

import {
  ADDRESS_LIMIT_HIGH,
  CSGSFS,
  EFLAGS,
  FS_BASE,
  GS_BASE,
  RAX,
  USER_CS,
  USER_SS,
} from "../platform.ts";
import { SLOT_AT, SLOT_REGS } from "./stub/layout.ts";
import type { ControlMemory } from "./control_memory.ts";

const TRAP_FLAG = 0x100;

export class Slot {
  /** Number in the space, from 1. */
  readonly index: number;
  /** Control file offset. */
  readonly at: number;
  /** Address in the stub. */
  readonly address: number;
  /** The thread waits in the handler: a signal frame is there. Valid while it is stopped. */
  hasFrame = false;
  /**
   * The thread has run no guest code: its FPU state is the initial one. The thread itself may not
   * exist yet.
   */
  isFresh = true;

  constructor(index: number, at: number, address: number) {
    this.index = index;
    this.at = at;
    this.address = address;
  }
}

/** Word offsets of the registers of `SLOT_REGS`: in a slot, and in a frame or `Context.regs`. */
export const SLOT_WORDS: readonly number[] = SLOT_REGS.map((at) => at / 4);
export const IN_ORDER: readonly number[] = SLOT_REGS.map((_at, i) => 2 * i);
/** The same for the base of fs. */
const SLOT_FS = [SLOT_AT.fsBase / 4], REGS_FS = [FS_BASE / 4];

/**
 * Copies 8-byte registers from `fromPlaces` behind `fromAt` to `toPlaces` behind `toAt`. All are
 * indexes of 4-byte words: byte offsets in the control file do not fit into 32 bits.
 */
export function moveWords(
  from: Int32Array,
  fromAt: number,
  fromPlaces: readonly number[],
  to: Int32Array,
  toAt: number,
  toPlaces: readonly number[],
): void {
  for (let i = 0; i < fromPlaces.length; i++) {
    const source = fromAt + fromPlaces[i]!, target = toAt + toPlaces[i]!;
    to[target] = from[source]!;
    to[target + 1] = from[source + 1]!;
  }
}

/**
 * Copies the registers of a thread that posted call `nr` on the fast path to `Context.regs`.
 * Without FPU state (`isFull`) its base of fs is not known, and `resumeAll` leaves it as it is.
 */
export function fetchPosted(
  words: Int32Array,
  wordAt: number,
  regs: Int32Array<ArrayBuffer>,
  nr: number,
  isFull: boolean,
): void {
  moveWords(words, wordAt, SLOT_WORDS, regs, 0, IN_ORDER);
  regs[RAX / 4] = nr; // as `mov eax` left it
  regs[RAX / 4 + 1] = 0;
  regs[CSGSFS / 4] = USER_CS;
  regs[CSGSFS / 4 + 1] = USER_SS << 16;
  // The fast path needs that of the stub.
  regs[GS_BASE / 4] = regs[GS_BASE / 4 + 1] = 0;
  if (isFull) moveWords(words, wordAt, SLOT_FS, regs, 0, REGS_FS);
}

/**
 * Whether registers can be loaded by the handler only: the fast path needs the stub's base of gs,
 * and a single step would end at its last instruction.
 */
export function needsFrame(regs: Int32Array): boolean {
  return (regs[GS_BASE / 4]! | regs[GS_BASE / 4 + 1]! | regs[EFLAGS / 4]! & TRAP_FLAG) !== 0;
}

/** Stores the segment selectors of 64-bit user code into a signal frame's registers. */
export function setSegments(regs: DataView): void {
  regs.setUint32(CSGSFS, USER_CS, true);
  regs.setUint32(CSGSFS + 4, USER_SS << 16, true);
}

/** Stores a base for wrfsbase or wrgsbase, which fault on addresses outside of user space. */
export function storeBase(
  control: ControlMemory,
  at: number,
  regs: DataView,
  register: number,
  whenZero: number,
): void {
  const high = regs.getUint32(register + 4, true), low = regs.getUint32(register, true);
  const value = high >= ADDRESS_LIMIT_HIGH ? 0 : low + high * 0x100000000;
  control.setWord(at, value === 0 ? whenZero : value);
}
