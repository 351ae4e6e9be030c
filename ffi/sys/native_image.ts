/**
 * The code that native.ts loads, as a shared object: its functions, and the address of its data.
 *
 * The code contains the address of the data page (data_page.ts), which is known only at run time:
 * `placeData` writes it. Neighbour: native_assembly.ts makes it.
 */

import type { AssembledImage } from "./prebuilt.ts";

const LOAD = { parameters: ["f64"], result: "f64" } as const;
const STORE = { parameters: ["f64", "i32"], result: "i32" } as const;
const EXCHANGE = { parameters: ["f64", "i32"], result: "f64" } as const;
const COPY_BUFFER = { parameters: ["buffer", "u32", "f64", "i32"], result: "i32" } as const;

/** The functions that every process uses, as Deno calls them. */
export const SIGNATURES = {
  syscall: { parameters: ["i32", "f64", "f64", "f64", "f64", "f64", "f64"], result: "f64" },
  spawn: { parameters: ["f64"], result: "f64" },
  start_helper: { parameters: ["f64"], result: "f64" },
  rdtsc: { parameters: [], result: "f64" },
  code_start: { parameters: [], result: "void" },
} as const;

/**
 * Functions for memory at host addresses. Each costs 60 us to load, and a command line needs none.
 */
export const MEMORY_SIGNATURES = {
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
} as const;

/**
 * Stands in the code for the address of the data page; no other part of the code has these bytes.
 */
export const PLACEHOLDER = 0x5a5ac3c3a000;

/** Writes the address of the data page into the image. */
export function placeData(image: AssembledImage, dataBase: number): void {
  const view = new DataView(image.elf.buffer);
  for (const at of image.patches) {
    const offset = Number(view.getBigUint64(at, true)) - PLACEHOLDER;
    view.setBigUint64(at, BigInt(dataBase + offset), true);
  }
}
