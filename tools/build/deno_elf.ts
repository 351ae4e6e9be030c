/**
 * The official `deno` executable as an ELF file: where its parts are. Read-only; what is changed in
 * it is decided in `base_binary.ts`. Format: elf(5).
 */

import {
  DT_RELA,
  DT_RELASZ,
  DT_STRTAB,
  DT_SYMTAB,
  ELFCLASS64,
  EM_X86_64,
  PT_DYNAMIC,
  PT_LOAD,
} from "../../ffi/abi/elf.ts";

/** A segment of the program header table. */
interface ProgramHeader {
  /** File offset of the 56-byte header itself. */
  readonly at: number;
  readonly type: number;
  readonly offset: number;
  readonly vaddr: number;
  readonly fileBytes: number;
  readonly memBytes: number;
}

const ELF_MAGIC = 0x464c457f;
const R_X86_64_GLOB_DAT = 6;
const SYMBOL_BYTES = 24;
const RELA_BYTES = 24;

/** Offsets of header fields that `base_binary.ts` rewrites. */
export const E_ENTRY_AT = 0x18;

export class ElfFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView;
  readonly headers: readonly ProgramHeader[];

  /** @throws Error if this is no x86-64 ELF file */
  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const isElf = bytes.length >= 64 && this.u32(0) === ELF_MAGIC && bytes[4] === ELFCLASS64 &&
      this.u16(0x12) === EM_X86_64;
    if (!isElf) throw new Error("not an x86-64 ELF file");
    const tableAt = this.u64(0x20);
    const entryBytes = this.u16(0x36);
    this.headers = Array.from({ length: this.u16(0x38) }, (_, i) => {
      const at = tableAt + i * entryBytes;
      return {
        at,
        type: this.u32(at),
        offset: this.u64(at + 8),
        vaddr: this.u64(at + 16),
        fileBytes: this.u64(at + 32),
        memBytes: this.u64(at + 40),
      };
    });
  }

  u16(at: number): number {
    return this.view.getUint16(at, true);
  }

  u32(at: number): number {
    return this.view.getUint32(at, true);
  }

  u64(at: number): number {
    return Number(this.view.getBigUint64(at, true));
  }

  get entry(): number {
    return this.u64(E_ENTRY_AT);
  }

  get loads(): ProgramHeader[] {
    return this.headers.filter((h) => h.type === PT_LOAD);
  }

  /** First address behind everything that is loaded. */
  get endAddress(): number {
    return Math.max(...this.loads.map((h) => h.vaddr + h.memBytes));
  }

  /** The file offset of what is loaded at `vaddr`. */
  offsetOf(vaddr: number): number {
    const load = this.loads.find((h) => vaddr >= h.vaddr && vaddr < h.vaddr + h.fileBytes);
    if (load === undefined) throw new Error(`address 0x${vaddr.toString(16)} is in no segment`);
    return load.offset + vaddr - load.vaddr;
  }

  /** The address of the GOT slot that the dynamic linker fills with the address of `symbol`. */
  gotSlot(symbol: string): number {
    const dynamic = this.headers.find((h) => h.type === PT_DYNAMIC);
    if (dynamic === undefined) throw new Error("not dynamically linked");
    const tags = new Map<number, number>();
    for (let at = dynamic.offset; at < dynamic.offset + dynamic.fileBytes; at += 16) {
      if (!tags.has(this.u64(at))) tags.set(this.u64(at), this.u64(at + 8));
    }
    const tag = (t: number): number => {
      const value = tags.get(t);
      if (value === undefined) throw new Error(`no dynamic entry ${t}`);
      return value;
    };
    const strings = this.offsetOf(tag(DT_STRTAB));
    const symbols = this.offsetOf(tag(DT_SYMTAB));
    const relocations = this.offsetOf(tag(DT_RELA));
    const name = new TextEncoder().encode(`${symbol}\0`);
    for (let at = relocations; at < relocations + tag(DT_RELASZ); at += RELA_BYTES) {
      if (this.u32(at + 8) !== R_X86_64_GLOB_DAT) continue;
      const nameAt = strings + this.u32(symbols + this.u32(at + 12) * SYMBOL_BYTES);
      if (name.every((byte, i) => this.bytes[nameAt + i] === byte)) return this.u64(at);
    }
    throw new Error(`no GOT slot of "${symbol}"`);
  }
}
