/**
 * The first stack of a program: strings at the top, then the auxiliary vector, the environment and argument pointers
 * and argc, as create_elf_tables (fs/binfmt_elf.c) lays them out. getauxval(3), execve(2).
 */

import { E2BIG, EFAULT, ENOMEM } from "../../ffi/abi/errno.ts";
import { PAGE_SIZE } from "../mm/frames.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";
import { pageUp } from "../mm/region.ts";
import { setUpStack } from "../mm/stack.ts";

/** LIMIT of Linux: bytes of one string with its NUL (MAX_ARG_STRLEN). */
const MAX_STRING = 131072;
/** ARG_MAX, and three quarters of the default stack: bounds of all strings and pointers together. */
const MIN_SPACE = 131072, MAX_SPACE = 6 << 20;
/** A new stack has this much room below what is on it. */
const EXTRA_BYTES = 131072;
const TWO32 = 0x100000000;

export interface StackContents {
  readonly argv: readonly string[];
  readonly envp: readonly string[];
  /** AT_EXECFN. */
  readonly path: string;
}

/** Pairs of type and value; addresses of strings are given by `addressOf...`, see `writeStack`. */
export interface AuxEntry {
  readonly type: number;
  readonly value: number;
}

/** Addresses on the stack that the auxiliary vector wants. */
export interface StackAddresses {
  readonly path: number;
  readonly platform: number;
  readonly random: number;
}

/** 0, or -E2BIG when the strings are too long for this stack limit. */
export function checkStrings(contents: StackContents, stackLimit: number): number {
  const { argv, envp } = contents;
  let space = Math.max(MIN_SPACE, Math.min(MAX_SPACE, Math.floor(stackLimit / 4)));
  space -= (Math.max(argv.length, 1) + envp.length) * 8;
  for (const list of [argv, envp, [contents.path]]) {
    for (const s of list) {
      if (s.length + 1 > MAX_STRING) return -E2BIG;
      space -= s.length + 1;
    }
  }
  return space < 0 ? -E2BIG : 0;
}

const PLATFORM = "x86_64";

export class StackImage {
  /** Where the stack pointer starts: a multiple of 16. */
  readonly pointer: number;
  private readonly mm: MemoryManager;
  private readonly contents: StackContents;
  private readonly auxCount: number;
  /** First address of the strings. */
  private readonly strings: number;
  private readonly top: number;
  readonly addresses: StackAddresses;

  /** `auxCount`: entries that are going to be written, without AT_NULL. */
  constructor(mm: MemoryManager, contents: StackContents, auxCount: number) {
    const { argv, envp, path } = contents;
    this.mm = mm;
    this.contents = contents;
    this.auxCount = auxCount;
    this.top = mm.layout.stackTop;
    let at = this.top - 8 - (path.length + 1);
    const pathAt = at;
    for (const list of [envp, argv]) for (const s of list) at -= s.length + 1;
    this.strings = at;
    at = Math.floor(at / 16) * 16 - (PLATFORM.length + 1);
    const platform = at;
    const random = at - 16;
    const words = 1 + argv.length + 1 + envp.length + 1 + (auxCount + 1) * 2;
    this.pointer = Math.floor((random - words * 8) / 16) * 16;
    this.addresses = { path: pathAt, platform, random };
  }

  /** Map the stack: 0 or -ENOMEM. */
  map(prot: number): number {
    const used = this.top - this.pointer;
    const limit = Math.max(this.mm.limits.stack, used);
    const bytes = Math.min(pageUp(used) + EXTRA_BYTES, pageUp(Math.min(limit, 2 ** 40)));
    if (this.mm.limits.stack < PAGE_SIZE) return -ENOMEM;
    return setUpStack(this.mm, bytes, prot);
  }

  /** Fill it in: 0 or -EFAULT. `random`: 16 bytes for AT_RANDOM. */
  write(aux: readonly AuxEntry[], random: Uint8Array<ArrayBuffer>): number {
    const { mm, contents, pointer } = this;
    if (aux.length !== this.auxCount) throw new RangeError("auxiliary vector of another length");
    const block = new Uint8Array(this.top - pointer), dv = new DataView(block.buffer);
    let word = 0;
    const put = (value: number): void => {
      dv.setUint32(word, value % TWO32, true);
      dv.setUint32(word + 4, Math.floor(value / TWO32), true);
      word += 8;
    };
    let text = this.strings;
    put(contents.argv.length);
    mm.program.argStart = text;
    for (const s of contents.argv) {
      put(text);
      text = this.putString(block, text, s);
    }
    put(0);
    mm.program.argEnd = mm.program.envStart = text;
    for (const s of contents.envp) {
      put(text);
      text = this.putString(block, text, s);
    }
    put(0);
    mm.program.envEnd = text;
    this.putString(block, this.addresses.path, contents.path);
    this.putString(block, this.addresses.platform, PLATFORM);
    block.set(random, this.addresses.random - pointer);
    const auxAt = word;
    for (const entry of aux) {
      put(entry.type);
      put(entry.value);
    }
    word += 16; // AT_NULL
    mm.program.auxv = block.slice(auxAt, word);
    mm.program.stackStart = pointer;
    return mm.copyOut(pointer, block, 0, block.length) < 0 ? -EFAULT : 0;
  }

  private putString(block: Uint8Array, at: number, s: string): number {
    const from = at - this.pointer;
    for (let i = 0; i < s.length; i++) block[from + i] = s.charCodeAt(i);
    return at + s.length + 1;
  }
}
