/**
 * The frame of a benchmark program: a tiny static ELF file from our own assembler that makes one
 * kind of system call in a loop and writes the nanoseconds that the loop took (u64) to standard
 * output.
 *
 * Call sites have the form that C libraries have (`mov eax, nr; syscall`). The programs:
 * programs.ts, transfers.ts.
 */

import { Assembler } from "../../ffi/asm/assembler.ts";
import { writeExecutable } from "../../ffi/asm/elf_executable.ts";
import { mem } from "../../ffi/asm/operands.ts";
import { eax, edi, edx, r12, rax, rbx, rdi, rsi } from "../../ffi/asm/registers.ts";
import { SYS_clock_gettime, SYS_exit_group, SYS_write } from "../../ffi/abi/syscall_numbers.ts";

const TEXT = 0x400000;
export const DATA = 0x600000;

/** Places in the data segment. */
export const AT = {
  start: 0,
  end: 16,
  pipeA: 32,
  pipeB: 40,
  word: 48,
  ticks: 56,
  path: 64,
  exe: 128,
  argv: 192,
  buf: 256,
};

export interface BenchProgram {
  readonly name: string;
  /** Operations that one run makes. */
  readonly count: number;
  /** Unit of the result: nanoseconds, or ticks of the time stamp counter. */
  readonly unit: "ns" | "ticks";
  readonly image: Uint8Array<ArrayBuffer>;
}

export type Emit = (a: Assembler) => void;

export function call(a: Assembler, nr: number): Assembler {
  return a.mov(eax, nr).syscall();
}

/** rdi = address in the data segment. */
export function dataAddr(a: Assembler, reg: typeof rdi, at: number): Assembler {
  return a.mov(reg, DATA + at);
}

export function program(
  name: string,
  count: number,
  setup: Emit,
  op: Emit,
  after: Emit,
  unit: BenchProgram["unit"] = "ns",
): BenchProgram {
  const a = new Assembler();
  a.label("start");
  setup(a);
  a.mov(r12, warmUp(count));
  a.call("loop");
  clock(a, AT.start);
  a.mov(r12, count);
  a.call("loop");
  clock(a, AT.end);
  after(a);
  // (end - start) in ns
  a.mov(rbx, DATA);
  a.mov(rax, mem(rbx, AT.end)).sub(rax, mem(rbx, AT.start));
  a.imul(rax, rax, 1_000_000_000);
  a.add(rax, mem(rbx, AT.end + 8)).sub(rax, mem(rbx, AT.start + 8));
  a.mov(mem(rbx, AT.buf), rax);
  a.mov(edi, 1);
  dataAddr(a, rsi, AT.buf);
  a.mov(edx, 8);
  call(a, SYS_write);
  a.xor(edi, edi);
  call(a, SYS_exit_group);
  a.label("loop");
  op(a);
  a.dec(r12).jne("loop");
  a.ret();
  const data = new Uint8Array(8192);
  data.set(new TextEncoder().encode("/etc/hostname\0"), AT.path);
  data.set(new TextEncoder().encode("/bin/true\0"), AT.exe);
  new DataView(data.buffer).setBigUint64(AT.argv, BigInt(DATA + AT.exe), true);
  const image = writeExecutable(TEXT, [
    { vaddr: TEXT, bytes: a.assemble(TEXT), read: true, write: false, exec: true },
    { vaddr: DATA, bytes: data, read: true, write: true, exec: false },
  ]);
  // Ticks are added up from the start, the clock is looked at behind the warm-up.
  const counted = unit === "ticks" ? count + warmUp(count) : count;
  return { name, count: counted, unit, image };
}

/**
 * Operations that are not measured, in front of `count` that are: compilers at run time need some
 * ten thousand calls.
 */
function warmUp(count: number): number {
  return Math.max(1, Math.floor(count / 2));
}

function clock(a: Assembler, at: number): void {
  a.mov(edi, 1);
  dataAddr(a, rsi, at);
  call(a, SYS_clock_gettime);
}

export const nothing: Emit = () => {};
