/**
 * Short programs of guest code from a seed: random bytes and unusual instructions, with registers
 * to match.
 *
 * Not here: what the programs may do (`boundary_fuzz_test.ts`). Neighbour: `instructions.ts`.
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { CODE, DATA, STACK, STACK_BYTES } from "../../conformance/lab.ts";
import * as p from "../../platform.ts";
import {
  ADDRESS,
  ANY_BYTE,
  ANY_WORD,
  FLAGS,
  type Piece,
  PIECES,
  PLACE,
  SELECTOR,
  WIDE_SELECTOR,
} from "./instructions.ts";
import type { Random } from "./random.ts";

export const PROGRAM_BYTES = 64;
export const CODE_PAGES = 4, DATA_PAGES = 8;
export const PROGRAMS: number = CODE_PAGES * PAGE_SIZE / PROGRAM_BYTES;

const INT3 = 0xcc;
/** LIMIT: pieces of a program, so that bytes are left behind them at which it stops. */
const ROOM = PROGRAM_BYTES - 8;

const SELECTORS = numbers("0 3 8 10 13 18 1b 20 23 28 2b 30 33 38 40 43");
const FLAG_WORDS = numbers("0 2 202 302 3202 4202 40202 10202 20202 100202 1ffffff");

/**
 * Low words of addresses in the last 2 GiB, all of ring 0: its frames, the stub, slots, the old
 * page of calls.
 */
const UPPER = numbers(
  "80000000 80001000 80002000 80004000 80010000 80011000 80200000 80200001 " +
    "80200040 80201000 80202000 80203000 ff600000 ff600400 fffff000 fffffff8",
);
/** High words of addresses where nothing is mapped, and of addresses that are not canonical. */
const ODD_HIGH = numbers("7fff 8000 ffff 7fffffff 80000000 ffff7fff ffff8000 ffffff80 fffffffe");

/** Writes a value that may be an address of any kind. */
function putAddress(random: Random, dv: DataView, at: number): void {
  let low = 0, high = 0;
  switch (random.below(9)) {
    case 0:
      low = random.word();
      high = random.word();
      break;
    case 1:
      low = random.below(16);
      break;
    case 2:
    case 3:
      low = DATA + random.below(DATA_PAGES) * PAGE_SIZE + random.below(64) * 64;
      break;
    case 4: // before, at and behind the ends
      low = random.pick([
        DATA,
        DATA + DATA_PAGES * PAGE_SIZE,
        CODE,
        CODE + CODE_PAGES * PAGE_SIZE,
        STACK + STACK_BYTES,
      ]) +
        random.below(32) - 16;
      break;
    case 5:
      low = CODE + random.below(CODE_PAGES * PAGE_SIZE);
      break;
    case 6:
      low = random.pick(UPPER) + random.below(16);
      high = 0xffffffff;
      break;
    case 7:
      low = random.pick([0, 8, 0xfffff000, 0xffffffff, 0xfffffff8, random.word()]);
      high = random.pick(ODD_HIGH);
      break;
    default:
      low = STACK + STACK_BYTES - 64 - random.below(1024) * 8;
  }
  dv.setUint32(at, low >>> 0, true);
  dv.setUint32(at + 4, high >>> 0, true);
}

/** Writes a program into its 64 bytes and fills the rest with breakpoints. */
export function writeProgram(random: Random, dv: DataView, at: number): void {
  for (let i = 0; i < PROGRAM_BYTES; i++) dv.setUint8(at + i, INT3);
  if (random.oneIn(4)) {
    const count = 1 + random.below(ROOM);
    for (let i = 0; i < count; i++) dv.setUint8(at + i, random.byte());
    return;
  }
  let used = 0;
  for (let count = 1 + random.below(6); count > 0; count--) {
    const piece = random.pick(PIECES);
    if (used + piece.bytes > ROOM) break;
    used = putPiece(random, dv, at, used, piece);
  }
  if (random.oneIn(8)) dv.setUint8(at + random.below(Math.max(1, used)), random.byte());
}

function putPiece(random: Random, dv: DataView, at: number, used: number, piece: Piece): number {
  const put = (value: number, bytes: number) => {
    for (let i = 0; i < bytes; i++) dv.setUint8(at + used++, value / 2 ** (8 * i) & 0xff);
  };
  for (const token of piece.tokens) {
    switch (token) {
      case ANY_BYTE:
        put(random.byte(), 1);
        break;
      case ANY_WORD:
        put(random.word(), 4);
        break;
      case ADDRESS:
        putAddress(random, dv, at + used);
        used += 8;
        break;
      case PLACE:
        put(CODE + random.below(CODE_PAGES * PAGE_SIZE), 4);
        break;
      case SELECTOR:
        put(random.pick(SELECTORS), 1);
        break;
      case WIDE_SELECTOR:
        put(random.oneIn(4) ? random.below(0x10000) : random.pick(SELECTORS), 2);
        break;
      case FLAGS:
        put(random.pick(FLAG_WORDS), 4);
        break;
      default:
        put(token, 1);
    }
  }
  return used;
}

/** The registers that program `index` starts with. */
export function fillRegisters(random: Random, regs: DataView, index: number): void {
  for (let at = p.R8; at <= p.RSP; at += 8) putAddress(random, regs, at);
  if (random.oneIn(2)) setLow(regs, p.RCX, random.below(5000)); // bounds strings and loops
  if (random.oneIn(2)) setLow(regs, p.RDI, DATA + random.below(DATA_PAGES * 64) * 64);
  if (random.oneIn(8)) putAddress(random, regs, p.RSP);
  else setLow(regs, p.RSP, STACK + STACK_BYTES - 64 - random.below(64) * 8);
  if (random.oneIn(32)) putAddress(random, regs, p.RIP);
  else setLow(regs, p.RIP, CODE + index * PROGRAM_BYTES);
  regs.setUint32(p.EFLAGS, random.oneIn(4) ? random.word() : 0x202, true);
  regs.setUint32(p.EFLAGS + 4, random.oneIn(64) ? random.word() : 0, true);
  if (random.oneIn(4)) putAddress(random, regs, p.FS_BASE);
  if (random.oneIn(4)) putAddress(random, regs, p.GS_BASE);
}

function setLow(regs: DataView, at: number, low: number): void {
  regs.setUint32(at, low, true);
  regs.setUint32(at + 4, 0, true);
}

function numbers(hexadecimal: string): number[] {
  return hexadecimal.split(" ").map((word) => parseInt(word, 16));
}
