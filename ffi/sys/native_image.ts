/**
 * The code that native.ts loads, as a shared object: assembled here, or already when the binary was built.
 *
 * Assembling takes longer than anything else at the start of a process; so the build puts the bytes into
 * `globalThis.dvisorPrebuilt`. The code holds the address of the data page (data_page.ts), which is known only when
 * it runs: `place` writes it.
 */

import { Assembler } from "../asm/assembler.ts";
import { writeSharedObject } from "../asm/elf_shared.ts";
import { emitMemory } from "../mem/memory_code.ts";
import { emitSyscall, emitTsc } from "./call_code.ts";
import { DATA_BYTES } from "./data_page.ts";
import { CODE_START, FaultTable } from "./fault_code.ts";
import { emitHelper } from "./helper_code.ts";
import { emitSignalHandler } from "./signal_code.ts";
import { emitSpawn } from "./spawn_code.ts";

const LOAD = { parameters: ["f64"], result: "f64" } as const;
const STORE = { parameters: ["f64", "i32"], result: "i32" } as const;
const EXCHANGE = { parameters: ["f64", "i32"], result: "f64" } as const;
const COPY_BUFFER = { parameters: ["buffer", "u32", "f64", "i32"], result: "i32" } as const;

/** The functions, as Deno calls them. */
export const SIGNATURES = {
  syscall: { parameters: ["i32", "f64", "f64", "f64", "f64", "f64", "f64"], result: "f64" },
  copy: { parameters: ["f64", "f64", "i32"], result: "i32" },
  copy_to_buffer: COPY_BUFFER,
  copy_from_buffer: COPY_BUFFER,
  fill: { parameters: ["f64", "i32", "i32"], result: "i32" },
  load8: LOAD,
  load16: LOAD,
  load32: LOAD,
  load64: LOAD,
  store8: STORE,
  store16: STORE,
  store32: STORE,
  store64: { parameters: ["f64", "f64"], result: "i32" },
  cas32: { parameters: ["f64", "i32", "i32"], result: "f64" },
  xadd32: EXCHANGE,
  xchg32: EXCHANGE,
  find_zero: { parameters: ["f64", "i32"], result: "i32" },
  compare: { parameters: ["f64", "f64", "i32"], result: "i32" },
  spawn: { parameters: ["f64"], result: "f64" },
  start_helper: { parameters: ["f64"], result: "f64" },
  rdtsc: { parameters: [], result: "f64" },
  code_start: { parameters: [], result: "void" },
} as const;

/** Labels besides the functions whose addresses are needed. */
const LABELS = ["on_fault", "on_signal", "on_thread_call", "restore_rt"];

/** Stands in the code for the address of the data page: nothing else has these bytes. */
const PLACEHOLDER = 0x5a5ac3c3a000;

export interface NativeImage {
  readonly elf: Uint8Array<ArrayBuffer>;
  /** Offset of each function and label from the start of the code. */
  readonly offsets: Readonly<Record<string, number>>;
  /** Where in `elf` addresses in the data page stand, 8 bytes each. */
  readonly patches: readonly number[];
}

/** The image in text: what the build keeps. */
export interface PrebuiltNative {
  readonly elf: string;
  readonly offsets: Readonly<Record<string, number>>;
  readonly patches: readonly number[];
}

export function assembleNative(): NativeImage {
  const a = new Assembler().label(CODE_START).ret();
  const faults = new FaultTable(a);
  emitSyscall(a);
  emitTsc(a);
  emitMemory(a, faults);
  emitSpawn(a, PLACEHOLDER);
  emitHelper(a, PLACEHOLDER);
  emitSignalHandler(a, PLACEHOLDER);
  faults.emit(PLACEHOLDER);
  const code = a.assemble();
  const symbols: Record<string, number> = {};
  for (const name of Object.keys(SIGNATURES)) symbols[name] = a.offsetOf(name);
  const elf = writeSharedObject(code, symbols, { keepLoaded: true });
  const offsets = { ...symbols };
  for (const label of LABELS) offsets[label] = a.offsetOf(label);
  return { elf, offsets, patches: findAddresses(elf) };
}

/** Offsets of all 8-byte numbers that lie in the page at PLACEHOLDER. */
function findAddresses(elf: Uint8Array<ArrayBuffer>): number[] {
  const view = new DataView(elf.buffer), found: number[] = [];
  for (let at = 0; at + 8 <= elf.length; at++) {
    const low = view.getUint32(at, true), high = view.getUint32(at + 4, true);
    const value = low + high * 2 ** 32 - PLACEHOLDER;
    if (value >= 0 && value < DATA_BYTES) found.push(at);
  }
  return found;
}

/** Writes the address of the data page into the image. */
export function place(image: NativeImage, dataBase: number): void {
  const view = new DataView(image.elf.buffer);
  for (const at of image.patches) {
    const offset = Number(view.getBigUint64(at, true)) - PLACEHOLDER;
    view.setBigUint64(at, BigInt(dataBase + offset), true);
  }
}

export function toText(image: NativeImage): PrebuiltNative {
  return { ...image, elf: image.elf.toBase64() };
}

declare global {
  /** Set by the build, in front of the program. */
  var dvisorPrebuilt: { readonly native: PrebuiltNative } | undefined;
}

/** What the build made, or assembled now. */
export function nativeImage(): NativeImage {
  const prebuilt = globalThis.dvisorPrebuilt?.native;
  if (prebuilt === undefined) return assembleNative();
  const elf = Uint8Array.fromBase64(prebuilt.elf);
  return { ...prebuilt, elf };
}
