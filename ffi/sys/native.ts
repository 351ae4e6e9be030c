/**
 * The native half of dvisor: takes one small shared object at import (prebuilt.ts), loads it from a
 * memfd, and makes the raw system call.
 *
 * Its import also installs the SIGSEGV and SIGBUS handler of fault_code.ts for the whole process.
 * Typed calls are in files.ts, memory in ffi/mem/native_memory.ts. A second copy in a worker is
 * harmless: each handler passes on the faults of other code.
 */

import { MFD_CLOEXEC } from "../abi/fcntl.ts";
import { MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE } from "../abi/mman.ts";
import {
  SA_ONSTACK,
  SA_RESTART,
  SA_RESTORER,
  SA_SIGINFO,
  Sigaction,
  SIGBUS,
  SIGSEGV,
  SIGSET_SIZE,
} from "../abi/signal.ts";
import { SYS_rt_sigaction } from "../abi/syscall_numbers.ts";
import { DATA, DATA_BYTES } from "./data_page.ts";
import { MEMORY_SIGNATURES, placeData, SIGNATURES } from "./native_image.ts";
import { assembled, type AssembledImage } from "./prebuilt.ts";

/**
 * Functions of libc: for the time before there is a raw system call, and of its malloc, which some
 * other libcs do not have.
 */
const LIBC = {
  mmap: { parameters: ["usize", "usize", "i32", "i32", "i32", "i64"], result: "usize" },
  memfd_create: { parameters: ["buffer", "u32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  malloc_trim: { parameters: ["usize"], result: "i32", optional: true },
} as const;

function hostError(what: string, cause?: unknown): Error {
  return new Error(
    `dvisor cannot load its native code: ${what} (it needs memfd_create and a mounted /proc)`,
    { cause },
  );
}

function load(image: AssembledImage) {
  const libc = Deno.dlopen("libc.so.6", LIBC);
  const prot = PROT_READ | PROT_WRITE;
  const page = libc.symbols.mmap(0n, BigInt(DATA_BYTES), prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0n);
  const dataBase = Number(page);
  if (dataBase % DATA_BYTES !== 0) throw hostError("mmap failed");

  placeData(image, dataBase);

  const name = new TextEncoder().encode("dvisor-native\0");
  const fd = libc.symbols.memfd_create(name, MFD_CLOEXEC);
  if (fd < 0) throw hostError("memfd_create failed");
  const path = uniquePath(fd);
  try {
    Deno.writeFileSync(path, image.elf);
    const library = Deno.dlopen(path, SIGNATURES);
    const codeBase = Number(Deno.UnsafePointer.value(codeStart(path)));
    const { malloc_trim } = libc.symbols, { offsets } = image;
    return { symbols: library.symbols, path, dataBase, codeBase, offsets, malloc_trim };
  } catch (cause) {
    throw hostError("dlopen failed", cause);
  } finally {
    libc.symbols.close(fd);
  }
}

/**
 * A path of a descriptor that was not used before. The loader identifies a library by its path,
 * even if the descriptor's number now belongs to another file. Empty and "." components make the
 * path unique.
 */
function uniquePath(fd: number): string {
  const bits = (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0).toString(2);
  return `/proc/self/fd/${bits.replaceAll("0", "/").replaceAll("1", "./")}${fd}`;
}

/**
 * Address at which the code was loaded: a static symbol has its address, and both loads of the file
 * are one.
 */
function codeStart(path: string): Deno.PointerValue {
  return Deno.dlopen(path, { code_start: { type: "pointer" } }).symbols.code_start;
}

const loaded = load(await assembled("native", new URL("./native_assembly.ts", import.meta.url)));

/** The assembled functions as Deno calls them; only ffi/ uses them, through documented wrappers. */
export const native = loaded.symbols;

/** The functions of native_memory.ts: the loader finds the library by its name again. */
export function memoryFunctions(): Deno.DynamicLibrary<typeof MEMORY_SIGNATURES>["symbols"] {
  return Deno.dlopen(loaded.path, MEMORY_SIGNATURES).symbols;
}

/** Returns malloc's free memory to the host: megabytes after the parsing of a large program. */
export function trimHeap(): void {
  loaded.malloc_trim?.(0n);
}

/** Host address of the data page (data_page.ts). */
const dataBase: number = loaded.dataBase;

/** The data page itself. */
export const dataView: DataView = new DataView(
  viewOf(loaded.dataBase, DATA_BYTES),
);

/** Host address of a label of the assembled code. */
export function codeAddress(label: string): number {
  const offset = loaded.offsets[label];
  if (offset === undefined) throw new RangeError(`there is no label ${label} in the native code`);
  return loaded.codeBase + offset;
}

/**
 * An ArrayBuffer over mapped memory.
 *
 * SAFETY: the caller keeps `[address, address + lenBytes)` mapped for as long as the buffer or a
 * view of it lives.
 */
export function viewOf(address: number, lenBytes: number): ArrayBuffer {
  const pointer = Deno.UnsafePointer.create(BigInt(address));
  if (pointer === null) throw new RangeError("there is nothing to see at address 0");
  return Deno.UnsafePointerView.getArrayBuffer(pointer, lenBytes);
}

/**
 * One raw system call on the calling thread.
 *
 * @param nr x86-64 number (ffi/abi/syscall_numbers.ts)
 * @param a0 arguments: integers of at most 53 bits, signed or unsigned; addresses are numbers
 * @returns what the kernel left in rax: a result, or `-errno`
 *
 * SAFETY: the kernel reads and writes memory at these addresses; nothing checks them.
 */
export function syscall(nr: number, a0 = 0, a1 = 0, a2 = 0, a3 = 0, a4 = 0, a5 = 0): number {
  return native.syscall(nr, a0, a1, a2, a3, a4, a5);
}

/**
 * rt_sigaction(2) with an assembled handler, SIG_DFL or SIG_IGN; the old action goes to `oldAt` in
 * the data page.
 */
export function setAction(signo: number, handler: number, flags: number, oldAt = -1): number {
  const at = DATA.newAction;
  dataView.setBigUint64(at + Sigaction.at.handler, BigInt(handler), true);
  dataView.setBigUint64(at + Sigaction.at.flags, BigInt(flags | SA_RESTORER), true);
  const restorer = BigInt(codeAddress("restore_rt"));
  dataView.setBigUint64(at + Sigaction.at.restorer, restorer, true);
  const old = oldAt < 0 ? 0 : dataBase + oldAt;
  return syscall(SYS_rt_sigaction, signo, dataBase + at, old, SIGSET_SIZE);
}

function installFaultHandler(): void {
  const flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  const handler = codeAddress("on_fault");
  const failed = setAction(SIGSEGV, handler, flags, DATA.oldSegv) < 0 ||
    setAction(SIGBUS, handler, flags, DATA.oldBus) < 0;
  if (failed) throw hostError("sigaction failed");
}

dataView.setUint32(DATA.one, 1, true);
dataView.setBigUint64(DATA.allSignals, 0xffff_ffff_ffff_ffffn, true);
installFaultHandler();
