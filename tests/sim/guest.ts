/** The program of all simulated guests: a page of code that never runs, and memory for agents. */

import { writeExecutable } from "../../ffi/asm/elf_executable.ts";

export const CODE = 0x401000, DATA = 0x600000, DATA_BYTES = 0x20000;
/** The address of a signal handler; the restorer follows it. */
export const HANDLER = CODE + 0x100, RESTORER = CODE + 0x200;

export const image: Uint8Array<ArrayBuffer> = writeExecutable(CODE, [
  { vaddr: CODE, bytes: new Uint8Array(4096), read: true, write: false, exec: true },
  {
    vaddr: DATA,
    bytes: new Uint8Array(8),
    memSize: DATA_BYTES,
    read: true,
    write: true,
    exec: false,
  },
]);
