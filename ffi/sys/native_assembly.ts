/**
 * Assembles the code that native.ts loads. Neighbour: prebuilt.ts, so that binaries need not
 * assemble it.
 */

import { Assembler } from "../asm/assembler.ts";
import { writeSharedObject } from "../asm/elf_shared.ts";
import { emitMemory } from "./memory_code.ts";
import { emitSyscall, emitTsc } from "./call_code.ts";
import { DATA_BYTES } from "./data_page.ts";
import { CODE_START, FaultTable } from "./fault_code.ts";
import { emitHelper } from "./helper_code.ts";
import { MEMORY_SIGNATURES, PLACEHOLDER, SIGNATURES } from "./native_image.ts";
import type { AssembledImage } from "./prebuilt.ts";
import { emitSignalHandlers } from "./signal_code.ts";
import { emitSpawn } from "./spawn_code.ts";

/** Labels whose addresses are needed, besides those of the functions. */
const LABELS = ["on_fault", "on_signal", "on_signal_message", "on_thread_call", "restore_rt"];

/** Assembles the native code of `native.ts`, with placeholders for the data page. */
export function assemble(): AssembledImage {
  const a = new Assembler().label(CODE_START).ret();
  const faults = new FaultTable(a);
  emitSyscall(a);
  emitTsc(a);
  emitMemory(a, faults);
  emitSpawn(a, PLACEHOLDER);
  emitHelper(a, PLACEHOLDER);
  emitSignalHandlers(a, PLACEHOLDER);
  faults.emit(PLACEHOLDER);
  const code = a.assemble();
  const symbols: Record<string, number> = {};
  for (const name of [...Object.keys(SIGNATURES), ...Object.keys(MEMORY_SIGNATURES)]) {
    symbols[name] = a.offsetOf(name);
  }
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
