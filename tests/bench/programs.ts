/**
 * The benchmark programs: tiny static ELF files from our own assembler, each of which makes one kind of system call in a
 * loop and writes the nanoseconds that the loop took (u64) to standard output.
 *
 * Call sites have the form that C libraries have (`mov eax, nr; syscall`).
 */

import { Assembler } from "../../ffi/asm/assembler.ts";
import { writeExecutable } from "../../ffi/asm/elf_executable.ts";
import { mem } from "../../ffi/asm/operands.ts";
import {
  eax,
  edi,
  edx,
  esi,
  r10,
  r10d,
  r12,
  r13,
  r13d,
  r14,
  r8,
  r9,
  rax,
  rbx,
  rdi,
  rsi,
} from "../../ffi/asm/registers.ts";

const TEXT = 0x400000, DATA = 0x600000;
const SYS = {
  read: 0,
  write: 1,
  open: 2,
  close: 3,
  stat: 4,
  mmap: 9,
  munmap: 11,
  madvise: 28,
  pipe: 22,
  getpid: 39,
  fork: 57,
  execve: 59,
  exit: 60,
  wait4: 61,
  kill: 62,
  futex: 202,
  clock_gettime: 228,
  exit_group: 231,
} as const;

/** Places in the data segment. */
const AT = {
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
  /** Of the result: nanoseconds, or ticks of the time stamp counter. */
  readonly unit: "ns" | "ticks";
  readonly image: Uint8Array<ArrayBuffer>;
}

/** A call that finds the kernel asleep, and puts its caller to sleep. */
export const SLEEPING = "call after 60 us";
const WORK_US = 60;

type Emit = (a: Assembler) => void;

function call(a: Assembler, nr: number): Assembler {
  return a.mov(eax, nr).syscall();
}

/** rdi = address in the data segment. */
function dataAddr(a: Assembler, reg: typeof rdi, at: number): Assembler {
  return a.mov(reg, DATA + at);
}

function program(
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
  call(a, SYS.write);
  a.xor(edi, edi);
  call(a, SYS.exit_group);
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

/** Operations that are not measured, in front of `count` that are: compilers at run time need some ten thousand calls. */
function warmUp(count: number): number {
  return Math.max(1, Math.floor(count / 2));
}

function clock(a: Assembler, at: number): void {
  a.mov(edi, 1);
  dataAddr(a, rsi, at);
  call(a, SYS.clock_gettime);
}

const nothing: Emit = () => {};

function pipe(a: Assembler, at: number): void {
  dataAddr(a, rdi, at);
  call(a, SYS.pipe);
}

/** One byte through the fd that is stored at `fdAt`. */
function oneByte(a: Assembler, nr: number, fdAt: number): void {
  a.mov(rdi, DATA + fdAt).mov(edi, mem(rdi));
  dataAddr(a, rsi, AT.buf);
  a.mov(edx, 1);
  call(a, nr);
}

function getpid(a: Assembler): void {
  call(a, SYS.getpid);
}

function stat(a: Assembler): void {
  dataAddr(a, rdi, AT.path);
  dataAddr(a, rsi, AT.buf);
  call(a, SYS.stat);
}

function openReadClose(a: Assembler): void {
  dataAddr(a, rdi, AT.path);
  a.xor(esi, esi);
  call(a, SYS.open);
  a.mov(r13, rax).mov(rdi, rax);
  dataAddr(a, rsi, AT.buf);
  a.mov(edx, 64);
  call(a, SYS.read);
  a.mov(rdi, r13);
  call(a, SYS.close);
}

function pipeByte(a: Assembler): void {
  oneByte(a, SYS.write, AT.pipeA + 4);
  oneByte(a, SYS.read, AT.pipeA);
}

/** A child that echoes from pipe A to pipe B; its pid in r14. */
function pingPongSetup(a: Assembler): void {
  pipe(a, AT.pipeA);
  pipe(a, AT.pipeB);
  call(a, SYS.fork);
  a.mov(r14, rax);
  a.test(rax, rax).jne("parent");
  a.label("echo");
  oneByte(a, SYS.read, AT.pipeA);
  a.cmp(rax, 1).jne("child_end");
  oneByte(a, SYS.write, AT.pipeB + 4);
  a.jmp("echo");
  a.label("child_end").xor(edi, edi);
  call(a, SYS.exit_group);
  a.label("parent");
}

function pingPong(a: Assembler): void {
  oneByte(a, SYS.write, AT.pipeA + 4);
  oneByte(a, SYS.read, AT.pipeB);
}

function killChild(a: Assembler): void {
  a.mov(rdi, r14).mov(esi, 9);
  call(a, SYS.kill);
}

function futexWake(a: Assembler): void {
  dataAddr(a, rdi, AT.word);
  a.mov(esi, 129).mov(edx, 1); // FUTEX_WAKE_PRIVATE
  call(a, SYS.futex);
}

function wait(a: Assembler): void {
  a.mov(rdi, rax).xor(esi, esi).xor(edx, edx).xor(r10d, r10d);
  call(a, SYS.wait4);
}

function forkWait(a: Assembler): void {
  const parent = a.fresh("forked");
  call(a, SYS.fork);
  a.test(rax, rax).jne(parent);
  a.xor(edi, edi);
  call(a, SYS.exit_group);
  a.label(parent);
  wait(a);
}

function forkExec(a: Assembler): void {
  const parent = a.fresh("forked");
  call(a, SYS.fork);
  a.test(rax, rax).jne(parent);
  dataAddr(a, rdi, AT.exe);
  dataAddr(a, rsi, AT.argv);
  a.xor(edx, edx);
  call(a, SYS.execve);
  a.mov(edi, 1);
  call(a, SYS.exit_group);
  a.label(parent);
  wait(a);
}

function mapPages(a: Assembler, lenBytes: number): void {
  a.xor(edi, edi).mov(rsi, lenBytes).mov(edx, 3).mov(r10, 0x22).mov(r8, -1).mov(r9, 0);
  call(a, SYS.mmap);
}

const FAULTS = 4096;

function faultSetup(a: Assembler): void {
  mapPages(a, FAULTS * 2 * 4096);
  a.mov(r13, rax).mov(rdi, rax).mov(rsi, FAULTS * 2 * 4096).mov(edx, 15); // MADV_NOHUGEPAGE
  call(a, SYS.madvise);
}

function fault(a: Assembler): void {
  a.mov(mem(r13), 1, 1).add(r13, 4096);
}

function mapUnmap(a: Assembler): void {
  mapPages(a, 65536);
  a.mov(mem(rax), 1, 1).mov(rdi, rax).mov(rsi, 65536);
  call(a, SYS.munmap);
}

/**
 * Works for `ticks` of the time stamp counter, long enough for everybody to have gone to sleep, then makes a call, whose ticks are
 * added up.
 */
function callAfterWork(ticks: number): Emit {
  return (a) => {
    const work = a.fresh("work");
    a.rdtsc().mov(esi, eax).label(work).pause().rdtsc().sub(eax, esi).cmp(eax, ticks).jb(work);
    a.rdtsc().mov(r13d, eax);
    call(a, SYS.getpid);
    a.rdtsc().sub(eax, r13d).mov(rbx, DATA + AT.ticks).lock().xadd(mem(rbx), rax);
  };
}

/** The ticks as the result, in place of the time between the two looks at the clock. */
function ticksAsResult(a: Assembler): void {
  a.mov(rbx, DATA).mov(rax, mem(rbx, AT.ticks)).mov(mem(rbx, AT.end + 8), rax);
  for (const at of [AT.start, AT.start + 8, AT.end]) a.mov(mem(rbx, at), 0, 8);
}

/** All of them, with counts for some hundredths of a second natively. `scale` makes them smaller or larger. */
export function benchPrograms(scale: number, ticksPerUs: number): BenchProgram[] {
  const work = WORK_US * ticksPerUs;
  const n = (count: number) => Math.max(8, Math.round(count * scale));
  return [
    program("getpid", n(200_000), nothing, getpid, nothing),
    program(SLEEPING, n(2_000), nothing, callAfterWork(work), ticksAsResult, "ticks"),
    program("stat", n(30_000), nothing, stat, nothing),
    program("open+read+close", n(10_000), nothing, openReadClose, nothing),
    program("pipe 1 byte", n(30_000), (a) => pipe(a, AT.pipeA), pipeByte, nothing),
    program("pipe ping-pong", n(5_000), pingPongSetup, pingPong, killChild),
    program("futex wake", n(200_000), nothing, futexWake, nothing),
    program("fork+wait", n(200), nothing, forkWait, nothing),
    program("fork+exec", n(60), nothing, forkExec, nothing),
    program("page fault", FAULTS, faultSetup, fault, nothing),
    program("mmap+munmap", n(2_000), nothing, mapUnmap, nothing),
  ];
}
