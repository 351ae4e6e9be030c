/**
 * Writes code as an ELF64 shared object that `dlopen()` takes: the minimum that glibc's loader
 * needs.
 *
 * The code has no relocations, no imports and no writable data: it must be position independent and
 * assembled at origin 0. Neighbour: `elf_executable.ts`, for programs. Source: elf(5), the System V
 * gABI.
 */

import {
  DT_HASH,
  DT_NULL,
  DT_SONAME,
  DT_STRSZ,
  DT_STRTAB,
  DT_SYMENT,
  DT_SYMTAB,
  DT_VERDEF,
  DT_VERDEFNUM,
  DT_VERSYM,
  ET_DYN,
  PF_R,
  PF_W,
  PF_X,
  PT_DYNAMIC,
  PT_GNU_STACK,
  PT_LOAD,
} from "../abi/elf.ts";
import { PAGE_SIZE } from "../abi/mman.ts";
import {
  align,
  EHDR_BYTES,
  PHDR_BYTES,
  setU64,
  writeHeader,
  writeProgramHeader,
} from "./elf_format.ts";
import { versionBytes, writeVersions } from "./elf_versions.ts";

const DT_FLAGS_1 = 0x6ffffffb;
const DF_1_NODELETE = 8;
const SYM_BYTES = 24;
const DYN_BYTES = 16;
const GLOBAL_FUNCTION = 0x12; // STB_GLOBAL << 4 | STT_FUNC
const SOME_SECTION = 1; // anything but SHN_UNDEF: there is no section table to index
const MOST_PHDRS = 4;
/**
 * Flags of the program header for the stack, which need not be executable: without this header a
 * loader makes stacks executable, or refuses the object.
 */
const STACK_ALIGN = 16;

/**
 * A vDSO (vdso(7)), which the kernel maps as one segment that is never written: its own name, and
 * the version of all its symbols.
 */
interface VdsoNames {
  readonly soname: string;
  readonly version: string;
}

/**
 * @param code at most some hundred megabytes; mapped read and execute
 * @param symbols exported functions: name to offset in `code`, in bytes
 * @param options.keepLoaded the object stays mapped when its last user closes it, because signal
 * handlers may point into it. The loader then returns it for any other file that is opened by the
 * same path, so the path must be unique.
 * @param options.vdso without it: two segments for `dlopen()`, and symbols without versions
 * @throws RangeError if a symbol lies outside of the code
 */
export function writeSharedObject(
  code: Uint8Array,
  symbols: Record<string, number>,
  options: { keepLoaded?: boolean; vdso?: VdsoNames } = {},
): Uint8Array<ArrayBuffer> {
  const exported = Object.entries(symbols);
  for (const [name, offset] of exported) {
    if (!Number.isInteger(offset) || offset < 0 || offset >= code.length) {
      throw new RangeError(`symbol "${name}" at ${offset} is outside of ${code.length} code bytes`);
    }
  }
  const { vdso } = options;
  const names = vdso === undefined ? [] : [vdso.soname, vdso.version];
  const strings = stringTable([...exported.map(([name]) => name), ...names]);
  const count = exported.length + 1; // symbol 0 is null
  const symAt = EHDR_BYTES + MOST_PHDRS * PHDR_BYTES;
  const hashAt = symAt + count * SYM_BYTES;
  const strAt = hashAt + 4 * (3 + count);
  const versionsAt = align(strAt + strings.bytes.length, 8);
  const versions = vdso === undefined ? null : versionBytes(count);
  const dynAt = align(versionsAt + (versions?.total ?? 0), 8);
  const dynamic = [
    [DT_HASH, hashAt],
    [DT_STRTAB, strAt],
    [DT_SYMTAB, symAt],
    [DT_STRSZ, strings.bytes.length],
    [DT_SYMENT, SYM_BYTES],
    ...(versions === null ? [] : [
      [DT_SONAME, strings.offsets[exported.length] ?? 0],
      [DT_VERDEF, versionsAt],
      [DT_VERDEFNUM, versions.definitions],
      [DT_VERSYM, versionsAt + versions.symbolsAt],
    ] as const),
    [DT_FLAGS_1, options.keepLoaded ? DF_1_NODELETE : 0],
    [DT_NULL, 0],
  ] as const;
  const tablesEnd = dynAt + dynamic.length * DYN_BYTES;
  const codeAt = align(tablesEnd, PAGE_SIZE);

  const out = new Uint8Array(codeAt + code.length);
  const view = new DataView(out.buffer);
  writeHeader(view, { type: ET_DYN, entry: 0, phdrCount: vdso === undefined ? MOST_PHDRS : 3 });
  const segment = (i: number, type: number, flags: number, at: number, size: number, to: number) =>
    writeProgramHeader(view, i, {
      type,
      flags,
      offset: at,
      vaddr: at,
      fileSize: size,
      memSize: size,
      align: to,
    });
  if (vdso !== undefined) {
    segment(0, PT_LOAD, PF_R | PF_X, 0, out.length, PAGE_SIZE);
    segment(1, PT_DYNAMIC, PF_R, dynAt, dynamic.length * DYN_BYTES, 8);
    segment(2, PT_GNU_STACK, PF_R | PF_W, 0, 0, STACK_ALIGN);
  } else {
    // The loader relocates pointers in the dynamic section in place: this page is writable.
    segment(0, PT_LOAD, PF_R | PF_W, 0, tablesEnd, PAGE_SIZE);
    segment(1, PT_LOAD, PF_R | PF_X, codeAt, code.length, PAGE_SIZE);
    segment(2, PT_DYNAMIC, PF_R | PF_W, dynAt, dynamic.length * DYN_BYTES, 8);
    segment(3, PT_GNU_STACK, PF_R | PF_W, 0, 0, STACK_ALIGN);
  }

  exported.forEach(([, offset], i) => {
    const at = symAt + (i + 1) * SYM_BYTES;
    view.setUint32(at, strings.offsets[i] ?? 0, true);
    view.setUint8(at + 4, GLOBAL_FUNCTION);
    view.setUint16(at + 6, SOME_SECTION, true);
    setU64(view, at + 8, codeAt + offset);
    setU64(view, at + 16, sizeOf(offset, exported, code.length));
  });
  writeHash(view, hashAt, count);
  if (vdso !== undefined) {
    const [soname, name] = strings.offsets.slice(exported.length);
    const base = { text: vdso.soname, offset: soname ?? 0 };
    writeVersions(view, versionsAt, count, base, { text: vdso.version, offset: name ?? 0 });
  }
  out.set(strings.bytes, strAt);
  dynamic.forEach(([tag, value], i) => {
    setU64(view, dynAt + i * DYN_BYTES, tag);
    setU64(view, dynAt + i * DYN_BYTES + 8, value);
  });
  out.set(code, codeAt);
  return out;
}

/** One bucket, and a chain through all symbols: a lookup compares names one by one. */
function writeHash(view: DataView, at: number, count: number): void {
  view.setUint32(at, 1, true);
  view.setUint32(at + 4, count, true);
  view.setUint32(at + 8, count > 1 ? 1 : 0, true);
  for (let i = 1; i < count; i++) view.setUint32(at + 12 + 4 * i, i + 1 < count ? i + 1 : 0, true);
}

/**
 * Each symbol reaches to the next one or the end: debuggers and `perf` read the size, the loader
 * ignores it.
 */
function sizeOf(offset: number, symbols: [string, number][], codeBytes: number): number {
  let end = codeBytes;
  for (const [, other] of symbols) if (other > offset && other < end) end = other;
  return end - offset;
}

function stringTable(names: string[]): { bytes: Uint8Array; offsets: number[] } {
  const encoder = new TextEncoder();
  const offsets: number[] = [];
  let length = 1; // offset 0 is the empty name
  for (const name of names) {
    offsets.push(length);
    length += encoder.encode(name).length + 1;
  }
  return { bytes: encoder.encode(`\0${names.map((name) => `${name}\0`).join("")}`), offsets };
}
