/**
 * The first stack of a program: strings at the top, then the auxiliary vector, the environment and
 * argument pointers and argc, as in create_elf_tables (fs/binfmt_elf.c). getauxval(3), execve(2).
 *
 * load.ts maps it and writes all but the strings; task/program.ts writes these in pieces, a turn of
 * the loop each, because a program may have 6 MB of them.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { E2BIG, EFAULT, ENOMEM } from "../../ffi/abi/errno.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";
import { pageUp } from "../mm/region.ts";
import { setUpStack } from "../mm/stack.ts";
import { MAX_STRING, type StringList, type StringPiece } from "./string_list.ts";

/**
 * ARG_MAX, and three quarters of the default stack: the bounds of the limit for all strings and
 * pointers together.
 */
const MIN_SPACE = 131072, MAX_SPACE = 6 << 20;
/** The room of a new stack below its contents. */
const EXTRA_BYTES = 131072;
const TWO32 = 0x100000000;

export interface StackContents {
  readonly argv: StringList;
  readonly envp: StringList;
  /** AT_EXECFN. */
  readonly path: string;
}

/** Pairs of type and value. */
export interface AuxEntry {
  readonly type: number;
  readonly value: number;
}

/** The addresses on the stack that the auxiliary vector has. */
interface StackAddresses {
  readonly path: number;
  readonly platform: number;
  readonly random: number;
}

/** Checks the length of the strings: 0, or -E2BIG when they are too long for this stack limit. */
export function checkStrings(contents: StackContents, stackLimit: number): number {
  const { argv, envp, path } = contents;
  const space = Math.max(MIN_SPACE, Math.min(MAX_SPACE, Math.floor(stackLimit / 4)));
  if (Math.max(argv.longest, envp.longest, path.length + 1) > MAX_STRING) return -E2BIG;
  const pointers = (Math.max(argv.count, 1) + envp.count) * 8;
  return pointers + argv.bytes + envp.bytes + path.length + 1 > space ? -E2BIG : 0;
}

const PLATFORM = "x86_64";

export class StackImage {
  /** The initial stack pointer: a multiple of 16. */
  readonly pointer: number;
  private readonly mm: MemoryManager;
  private readonly contents: StackContents;
  private readonly auxCount: number;
  /** The first address of the strings. */
  private readonly strings: number;
  private readonly top: number;
  readonly addresses: StackAddresses;
  /**
   * The pieces to write, those of the environment after the arguments, and the index of the next.
   */
  private readonly pieces: readonly StringPiece[];
  private next: number = 0;
  /** The addresses of the next string, and of the pointer to it. */
  private text: number;
  private word: number;

  /** `auxCount`: the entries that `write` gets, without AT_NULL. */
  constructor(mm: MemoryManager, contents: StackContents, auxCount: number) {
    const { argv, envp, path } = contents;
    this.mm = mm;
    this.contents = contents;
    this.auxCount = auxCount;
    this.top = mm.layout.stackTop;
    const pathAt = this.top - 8 - (path.length + 1);
    const { program } = mm;
    program.envEnd = pathAt;
    program.argEnd = program.envStart = program.envEnd - envp.bytes;
    this.strings = this.text = program.argStart = program.argEnd - argv.bytes;
    const platform = Math.floor(this.strings / 16) * 16 - (PLATFORM.length + 1);
    const random = platform - 16;
    const words = 1 + argv.count + 1 + envp.count + 1 + (auxCount + 1) * 2;
    this.pointer = program.stackStart = Math.floor((random - words * 8) / 16) * 16;
    this.addresses = { path: pathAt, platform, random };
    this.pieces = [...argv.pieces, ...envp.pieces];
    this.word = this.pointer + 8;
  }

  /** Maps the stack: 0 or -ENOMEM. */
  map(prot: number): number {
    const used = this.top - this.pointer;
    const limit = Math.max(this.mm.limits.stack, used);
    const bytes = Math.min(pageUp(used) + EXTRA_BYTES, pageUp(Math.min(limit, 2 ** 40)));
    if (this.mm.limits.stack < PAGE_SIZE) return -ENOMEM;
    return setUpStack(this.mm, bytes, prot);
  }

  /**
   * Writes all but arguments, environment and their pointers: 0 or -EFAULT. `random`: 16 bytes for
   * AT_RANDOM.
   */
  write(aux: readonly AuxEntry[], random: Uint8Array<ArrayBuffer>): number {
    const { mm, contents: { argv, envp, path }, addresses } = this;
    if (aux.length !== this.auxCount) throw new RangeError("auxiliary vector of another length");
    const auxAt = this.pointer + (1 + argv.count + 1 + envp.count + 1) * 8;
    const block = new Uint8Array(this.strings - auxAt), view = new DataView(block.buffer);
    for (let i = 0; i < aux.length; i++) {
      putWord(view, 16 * i, aux[i]!.type);
      putWord(view, 16 * i + 8, aux[i]!.value);
    }
    mm.program.auxv = block.slice(0, (aux.length + 1) * 16);
    block.set(random, addresses.random - auxAt);
    putString(block, addresses.platform - auxAt, PLATFORM);
    const name = new Uint8Array(path.length + 1), argc = new Uint8Array(8);
    putString(name, 0, path);
    putWord(new DataView(argc.buffer), 0, argv.count);
    const isWritten = mm.copyOut(this.pointer, argc, 0, 8) >= 0 &&
      mm.copyOut(auxAt, block, 0, block.length) >= 0 &&
      mm.copyOut(addresses.path, name, 0, name.length) >= 0;
    return isWritten ? 0 : -EFAULT;
  }

  /**
   * Writes one piece of the strings with their pointers: 0 when all are written, else 1, or
   * -EFAULT. New memory is zero, which gives the null pointers behind the lists.
   */
  writeStrings(): number {
    const { mm, contents: { argv }, pieces, next } = this, piece = pieces[next];
    if (piece === undefined) return 0;
    if (next === argv.pieces.length) this.word += 8;
    const { bytes, count } = piece, pointers = new Uint8Array(8 * count);
    const view = new DataView(pointers.buffer);
    for (let i = 0, at = 0; i < count; i++) {
      putWord(view, 8 * i, this.text + at);
      at = bytes.indexOf(0, at) + 1;
    }
    if (mm.copyOut(this.text, bytes, 0, bytes.length) < 0) return -EFAULT;
    if (mm.copyOut(this.word, pointers, 0, pointers.length) < 0) return -EFAULT;
    this.text += bytes.length;
    this.word += pointers.length;
    this.next++;
    return this.next < pieces.length ? 1 : 0;
  }
}

function putWord(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % TWO32, true);
  view.setUint32(at + 4, Math.floor(value / TWO32), true);
}

/** Copies a string; its NUL is there already. */
function putString(block: Uint8Array, at: number, s: string): void {
  for (let i = 0; i < s.length; i++) block[at + i] = s.charCodeAt(i);
}
