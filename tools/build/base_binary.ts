/**
 * The home-made base: the official `deno` executable with an entry stub in front, for machines that
 * cannot get `denort`. `deno compile` takes it as `DENORT_BIN` and appends the program.
 *
 * The last PT_NOTE becomes a PT_LOAD of the stub, which stands behind everything else in the file
 * and in memory; `e_entry` points to it. Neighbours: `entry_stub.ts` is what runs, `embed.ts` tells
 * it where the program is.
 */

import { PT_LOAD, PT_NOTE } from "../../ffi/abi/elf.ts";
import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { E_ENTRY_AT, ElfFile } from "./deno_elf.ts";
import { entryStub } from "./entry_stub.ts";

const PF_READ_EXEC = 5;

function pageUp(n: number): number {
  return Math.ceil(n / PAGE_SIZE) * PAGE_SIZE;
}

/**
 * A base made from the bytes of the official x86-64 `deno`.
 *
 * @throws Error if the file is not laid out as the official one is
 */
export function makeBase(
  deno: Uint8Array<ArrayBuffer>,
  v8Flags: readonly string[],
): Uint8Array<ArrayBuffer> {
  const elf = new ElfFile(deno);
  const note = elf.headers.at(-1);
  if (note?.type !== PT_NOTE) throw new Error("its last program header is no PT_NOTE");
  const vaddr = pageUp(elf.endAddress);
  const offset = pageUp(deno.length);
  const environSlot = elf.gotSlot("environ");
  const stub = entryStub({ vaddr, entry: elf.entry, environSlot, v8Flags });

  const out = new Uint8Array(offset + stub.length);
  out.set(deno);
  out.set(stub, offset);
  const view = new DataView(out.buffer);
  view.setUint32(note.at, PT_LOAD, true);
  view.setUint32(note.at + 4, PF_READ_EXEC, true);
  [offset, vaddr, vaddr, stub.length, stub.length, PAGE_SIZE].forEach((value, i) => {
    view.setBigUint64(note.at + 8 + 8 * i, BigInt(value), true);
  });
  view.setBigUint64(E_ENTRY_AT, BigInt(vaddr), true);
  return out;
}
