/**
 * Loads a program into new memory: execve(2) from the opened file to the entry point. Scripts lead
 * to their interpreter, and dynamic programs need their loader (PT_INTERP).
 *
 * task/program.ts calls `load`; it opens files with their permission checks, computes the
 * credentials, and runs the task. DIFFERS: Linux kills the process when a file breaks behind the
 * point of no return; here execve fails.
 */

import { PAGE_SIZE, PROT_EXEC, PROT_READ, PROT_WRITE } from "../../ffi/abi/mman.ts";
import { EIO, ELIBBAD, ELOOP, ENOENT, ENOEXEC } from "../../ffi/abi/errno.ts";
import * as E from "../../ffi/abi/elf.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";
import { pageUp } from "../mm/region.ts";
import type { OpenFile } from "../vfs/open_file.ts";
import { type ElfImage, isElf, parseElf } from "./elf_image.ts";
import { FileReader } from "./file_reader.ts";
import { mapImage, type MappedImage, placeImage } from "./map_image.ts";
import { HEAD_BYTES, isScript, parseScript } from "./script.ts";
import { type AuxEntry, checkStrings, type StackContents, StackImage } from "./stack_image.ts";
import { StringList } from "./string_list.ts";
import { mapVdso } from "./vdso.ts";

/** The interpreters of interpreters that Linux follows. */
const MAX_DEPTH = 5;
const CLOCK_TICKS = 100;

/** The features of the processor, for the auxiliary vector. */
export interface CpuFacts {
  /** CPUID 1 EDX. */
  readonly hwcap: number;
  readonly hwcap2: number;
  /** The bytes of a signal frame. */
  readonly minSignalStack: number;
}

/** Ids of the new program, after set-user-ID bits of its file. */
export interface ProgramIds {
  readonly uid: number;
  readonly euid: number;
  readonly gid: number;
  readonly egid: number;
  /** AT_SECURE. */
  readonly isSecure: boolean;
}

/** The services that the loader needs of its caller. */
export interface ProgramOpener {
  /**
   * Opens a file for execution with all permission checks: a file with one reference, or -errno.
   */
  openExec(path: string): OpenFile | number;
  /**
   * Called once, before anything is mapped, with the binary that is going to run (not a script) and
   * its PT_INTERP. It may change the layout and limits of the memory.
   */
  identify(file: OpenFile, loader: OpenFile | null): ProgramIds;
}

export interface LoadRequest {
  /**
   * The path that execve(2) was called with: for AT_EXECFN, and as an argument of script
   * interpreters.
   */
  readonly path: string;
  readonly argv: StringList;
  readonly envp: StringList;
  readonly cpu: CpuFacts;
  /**
   * The script would not be reachable by `path` (a close-on-exec fd of execveat(2)): -ENOENT for
   * scripts.
   */
  readonly isPathGone: boolean;
}

export interface LoadedProgram {
  readonly entry: number;
  /** The stack, whose strings are not written yet: `writeStrings`. */
  readonly stack: StackImage;
  /** The binary that runs, with one reference for the caller. */
  readonly file: OpenFile;
}

/**
 * Loads `file` (the caller keeps its reference) into `mm`, which is new and has to be destroyed
 * after a failure. Other results of a file's read or mmap (-errno, BLOCK) are passed on, and the
 * whole call can be made again.
 */
export function load(
  mm: MemoryManager,
  file: OpenFile,
  opener: ProgramOpener,
  request: LoadRequest,
): LoadedProgram | number {
  const reader = new FileReader(mm.ctx), held = new HeldFile(file.hold());
  try {
    return loadWith(reader, mm, held, opener, request);
  } finally {
    held.file?.drop();
    reader.close();
  }
}

/** The present file, with a reference; null when the caller has the reference. */
export class HeldFile {
  file: OpenFile | null;

  constructor(file: OpenFile) {
    this.file = file;
  }

  /** Replaces the file by another one, whose reference it takes over. */
  replace(next: OpenFile): void {
    const before = this.file;
    this.file = next;
    before?.drop();
  }
}

/** The binary after all scripts. */
interface Found {
  readonly file: OpenFile;
  readonly head: Uint8Array<ArrayBuffer>;
  readonly argv: StringList;
}

function loadWith(
  reader: FileReader,
  mm: MemoryManager,
  held: HeldFile,
  opener: ProgramOpener,
  request: LoadRequest,
): LoadedProgram | number {
  const found = followScripts(reader, held, opener, request);
  if (typeof found === "number") return found;
  const result = loadElf(reader, mm, found, opener, request);
  if (typeof result === "number") return result;
  held.file = null;
  return { ...result, file: found.file };
}

/** Follows scripts to a binary, which `held` then has. */
function followScripts(
  reader: FileReader,
  held: HeldFile,
  opener: ProgramOpener,
  request: LoadRequest,
): Found | number {
  let argv = request.argv.count === 0 ? StringList.of([""]) : request.argv;
  let path = request.path;
  for (let depth = 0;; depth++) {
    const file = held.file!, head = new Uint8Array(HEAD_BYTES);
    const n = depth > MAX_DEPTH ? -ELOOP : reader.read(file, 0, head, HEAD_BYTES);
    if (n < 0) return n;
    if (!isScript(head)) return { file, head, argv };
    const line = parseScript(head);
    if (typeof line === "number") return line;
    if (request.isPathGone) return -ENOENT;
    const given = line.argument === null ? [] : [line.argument];
    argv = argv.withHead([line.interpreter, ...given, path]);
    path = line.interpreter;
    const next = opener.openExec(path);
    if (typeof next === "number") return next;
    held.replace(next);
  }
}

type Started = Omit<LoadedProgram, "file">;

function loadElf(
  reader: FileReader,
  mm: MemoryManager,
  found: Found,
  opener: ProgramOpener,
  request: LoadRequest,
): Started | number {
  if (!isElf(found.head)) return -ENOEXEC;
  const image = parseElf(reader, found.file, found.head);
  if (typeof image === "number") return image;
  const contents = { argv: found.argv, envp: request.envp, path: request.path };
  const error = checkStrings(contents, mm.limits.stack);
  if (error < 0) return error;
  if (image.interpreter === null) {
    return start(mm, found.file, image, null, null, opener, contents, request.cpu);
  }
  const loader = opener.openExec(image.interpreter);
  if (typeof loader === "number") return loader;
  try {
    const loaderImage = parseInterpreter(reader, loader);
    if (typeof loaderImage === "number") return loaderImage;
    return start(mm, found.file, image, loader, loaderImage, opener, contents, request.cpu);
  } finally {
    loader.drop();
  }
}

/** Parses the image of PT_INTERP; a malformed one is -ELIBBAD. */
function parseInterpreter(reader: FileReader, file: OpenFile): ElfImage | number {
  const head = new Uint8Array(HEAD_BYTES);
  const n = reader.read(file, 0, head, HEAD_BYTES);
  if (n < 0) return n;
  if (n < E.Ehdr.size) return -EIO;
  const image = parseElf(reader, file, head);
  return image === -ENOEXEC ? -ELIBBAD : image;
}

function start(
  mm: MemoryManager,
  file: OpenFile,
  image: ElfImage,
  loaderFile: OpenFile | null,
  loader: ElfImage | null,
  opener: ProgramOpener,
  contents: StackContents,
  cpu: CpuFacts,
): Started | number {
  const ids = opener.identify(file, loaderFile);
  mm.mmapBase = mm.layout.mmapBase(mm.limits.stack);
  const stack = new StackImage(mm, contents, AUX_ENTRIES + (mm.ctx.vdso === null ? 0 : 1));
  const stackProt = PROT_READ | PROT_WRITE | (image.hasExecStack ? PROT_EXEC : 0);
  const error = stack.map(stackProt);
  if (error < 0) return error;
  const vdso = mapVdso(mm);
  const base = image.isDyn ? placeImage(mm, image, mm.layout.pieBase) : 0;
  if (base < 0) return base;
  const program = mapImage(mm, file, image, base);
  if (typeof program === "number") return program;
  setAddresses(mm, program);
  let entry = program.entry, loaderBias = 0;
  if (loader !== null && loaderFile !== null) {
    const at = loader.isDyn ? placeImage(mm, loader, 0) : 0;
    if (at < 0) return at;
    const mapped = mapImage(mm, loaderFile, loader, at);
    if (typeof mapped === "number") return mapped === -ENOEXEC ? -ELIBBAD : mapped;
    entry = mapped.entry;
    loaderBias = mapped.bias;
  }
  const random = new Uint8Array(16);
  mm.ctx.host.random(random);
  const aux = auxiliary(vdso, mm.ctx.vdso !== null, cpu, image, program, loaderBias, ids, stack);
  const written = stack.write(aux, random);
  return written < 0 ? written : { entry, stack };
}

/** The number of entries of `auxiliary` without AT_SYSINFO_EHDR. */
const AUX_ENTRIES = 19;

/** The auxiliary vector, in Linux's order. There is no rseq here, so AT_RSEQ_* are absent. */
function auxiliary(
  vdso: number,
  hasVdso: boolean,
  cpu: CpuFacts,
  image: ElfImage,
  program: MappedImage,
  loaderBias: number,
  ids: ProgramIds,
  stack: StackImage,
): AuxEntry[] {
  const aux: AuxEntry[] = [];
  const add = (type: number, value: number): void => {
    aux.push({ type, value });
  };
  if (hasVdso) add(vdso === 0 ? E.AT_IGNORE : E.AT_SYSINFO_EHDR, vdso);
  add(E.AT_MINSIGSTKSZ, cpu.minSignalStack);
  add(E.AT_HWCAP, cpu.hwcap);
  add(E.AT_PAGESZ, PAGE_SIZE);
  add(E.AT_CLKTCK, CLOCK_TICKS);
  add(E.AT_PHDR, program.phdr);
  add(E.AT_PHENT, E.Phdr.size);
  add(E.AT_PHNUM, image.phnum);
  add(E.AT_BASE, loaderBias);
  add(E.AT_FLAGS, 0);
  add(E.AT_ENTRY, program.entry);
  add(E.AT_UID, ids.uid);
  add(E.AT_EUID, ids.euid);
  add(E.AT_GID, ids.gid);
  add(E.AT_EGID, ids.egid);
  add(E.AT_SECURE, ids.isSecure ? 1 : 0);
  add(E.AT_RANDOM, stack.addresses.random);
  add(E.AT_HWCAP2, cpu.hwcap2);
  add(E.AT_EXECFN, stack.addresses.path);
  add(E.AT_PLATFORM, stack.addresses.platform);
  return aux;
}

function setAddresses(mm: MemoryManager, program: MappedImage): void {
  const to = mm.program;
  to.codeStart = program.codeStart;
  to.codeEnd = program.codeEnd;
  to.dataStart = program.dataStart;
  to.dataEnd = program.dataEnd;
  mm.break.start = mm.break.end = pageUp(program.end) + mm.layout.brkGap;
}
