/**
 * A guest that loads FPU state, calls, and saves the state before and behind the call.
 *
 * Source: Intel SDM vol. 1 ch. 13 for the layout of the area. Neighbour: `fpu.ts`.
 */

import { assert, assertEquals } from "@std/assert";
import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { Assembler } from "../../ffi/asm/assembler.ts";
import { mem } from "../../ffi/asm/operands.ts";
import { eax, ebx, ecx, edi, edx } from "../../ffi/asm/registers.ts";
import { copyFromBuffer, copyToBuffer } from "../../ffi/mem/native_memory.ts";
import { type AddressSpace, type Context, TRAP_FULL } from "../platform.ts";
import { CODE, DATA, type Lab, RW, RX } from "./lab.ts";

const AREA_PAGES = 4;
const AREA_BYTES = AREA_PAGES * PAGE_SIZE;
/** XSAVE areas in the guest, and behind them a table of component sizes and offsets. */
const IMAGE = DATA;
export const BEFORE = DATA + AREA_BYTES;
export const AFTER = DATA + 2 * AREA_BYTES;
const TABLE = DATA + 3 * AREA_BYTES;

/** Offsets in an area. */
export const MXCSR = 24, ST = 32, XMM = 160, XMM_END = XMM + 256;
const HEADER = 512;
/**
 * x87, SSE, AVX, opmask, upper ZMM, high ZMM: no protection keys, no AMX, which need permission.
 */
const FEATURES = 0xe7;
/** Components behind the header. */
const EXTENDED = [2, 5, 6, 7];

/** Loads edx:eax with the features; changes ecx. */
function features(a: Assembler): Assembler {
  return a.xor(ecx, ecx).xgetbv().and(eax, FEATURES).xor(edx, edx);
}

/**
 * Call 1 with the features as argument; restores IMAGE, saves to BEFORE, call 2, saves to AFTER.
 */
function program(): Assembler {
  const a = new Assembler();
  EXTENDED.forEach((component, i) => {
    a.mov(eax, 0xd).mov(ecx, component).cpuid();
    a.mov(mem(null, TABLE + 8 * i), eax).mov(mem(null, TABLE + 8 * i + 4), ebx);
  });
  features(a).xsave(mem(null, IMAGE)).mov(edi, eax).mov(eax, 1).syscall();
  features(a).xrstor(mem(null, IMAGE));
  features(a).xsave(mem(null, BEFORE));
  a.mov(eax, 2).syscall();
  features(a).xsave(mem(null, AFTER));
  return a.ud2();
}

export class FpuGuest {
  readonly lab: Lab;
  context: Context;
  readonly #code: number;
  readonly #data: number;
  /** Features that processor and host have. */
  readonly #features: number;
  /** Byte ranges of the components behind the header. */
  readonly #components: (readonly [number, number])[] = [];

  /** Runs up to call 1. */
  constructor(lab: Lab) {
    this.lab = lab;
    const space = lab.space();
    this.#code = lab.load(space, program());
    this.#data = lab.map(space, DATA, 3 * AREA_PAGES + 1);
    this.context = lab.thread(space, CODE);
    this.context.resumeAll(true);
    lab.expectCall(this.context, 1);
    this.#features = this.context.args.u32(0);
    EXTENDED.forEach((component, i) => {
      if ((this.#features >> component & 1) === 0) return;
      const at = this.#data + TABLE - DATA + 8 * i;
      const size = lab.arena.dv.getUint32(at, true);
      const offset = lab.arena.dv.getUint32(at + 4, true);
      assert(offset + size <= lab.platform.fpuSize, `component ${component} is in Context.fpu`);
      this.#components.push([offset, offset + size]);
    });
  }

  /** Another space with the same memory. */
  newSpace(): AddressSpace {
    const space = this.lab.space();
    space.mapArena(CODE, PAGE_SIZE, this.#code, RX);
    space.mapArena(DATA, (3 * AREA_PAGES + 1) * PAGE_SIZE, this.#data, RW);
    return space;
  }

  /**
   * Answers call 1 after data of this seed was loaded into all registers, and runs up to call 2.
   */
  callWithData(seed: number): void {
    const image = this.read(IMAGE);
    this.fillData(image, seed);
    copyFromBuffer(this.lab.arena.base + this.#data, image, 0, image.length);
    this.context.resumeRet(0);
    this.lab.expectCall(this.context, 2);
  }

  requestFull(): void {
    if (this.context.isFull) return;
    this.context.requestFull();
    this.lab.expect(this.context, TRAP_FULL);
    assert(this.context.isFull, "full after requestFull");
  }

  read(area: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(AREA_BYTES);
    copyToBuffer(bytes, 0, this.lab.arena.base + this.#data + area - DATA, bytes.length);
    return bytes;
  }

  /** Data for every register that exists; control words stay valid. */
  fillData(area: Uint8Array<ArrayBuffer>, seed: number): void {
    const dv = new DataView(area.buffer);
    dv.setUint16(0, 0x37f, true);
    dv.setUint8(4, 0xff); // all x87 registers in use
    dv.setUint32(MXCSR, 0x1f80 | (seed & 3) << 13, true); // a rounding mode
    for (let i = 0; i < 8; i++) {
      for (let at = ST + 16 * i; at < ST + 16 * i + 10; at++) area[at] = byteAt(seed, at);
    }
    for (let at = XMM; at < XMM_END; at++) area[at] = byteAt(seed, at);
    for (const [from, to] of this.#components) {
      for (let at = from; at < to; at++) area[at] = byteAt(seed, at);
    }
    dv.setUint32(HEADER, this.#features, true);
    dv.setUint32(HEADER + 4, 0, true);
  }

  /** Asserts that all registers are equal in both areas. */
  assertSame(a: Uint8Array, b: Uint8Array): void {
    const same = (from: number, to: number, what: string) =>
      assertEquals(hex(a.subarray(from, to)), hex(b.subarray(from, to)), what);
    same(0, 4, "x87 control and status");
    same(MXCSR, MXCSR + 4, "MXCSR");
    for (let i = 0; i < 8; i++) same(ST + 16 * i, ST + 16 * i + 10, `st(${i})`);
    for (let i = 0; i < 16; i++) same(XMM + 16 * i, XMM + 16 * i + 16, `xmm${i}`);
    for (const [from, to] of this.#components) same(from, to, `XSAVE bytes ${from} to ${to}`);
  }
}

/** Byte `i` of the data of a seed. */
export function byteAt(seed: number, i: number): number {
  return (Math.imul(seed * 65537 + i, 0x9e3779b1) >>> 13) & 0xff;
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");
}
