/**
 * The benchmark programs of calls that need no partner but a child: processes, memory, pipes and
 * the cheapest calls. Neighbours: assembled.ts is their frame, transfers.ts has sockets, files and
 * events.
 */

import type { Assembler } from "../../ffi/asm/assembler.ts";
import { mem } from "../../ffi/asm/operands.ts";
import {
  eax,
  edi,
  edx,
  esi,
  r10,
  r10d,
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
import {
  SYS_close,
  SYS_execve,
  SYS_exit_group,
  SYS_fork,
  SYS_futex,
  SYS_getpid,
  SYS_kill,
  SYS_madvise,
  SYS_mmap,
  SYS_munmap,
  SYS_open,
  SYS_pipe,
  SYS_read,
  SYS_stat,
  SYS_wait4,
  SYS_write,
} from "../../ffi/abi/syscall_numbers.ts";
import {
  AT,
  type BenchProgram,
  call,
  DATA,
  dataAddr,
  type Emit,
  nothing,
  program,
} from "./assembled.ts";

/** A call that finds the kernel asleep, and puts its caller to sleep. */
export const SLEEPING = "call after 60 us";
const WORK_US = 60;

function pipe(a: Assembler, at: number): void {
  dataAddr(a, rdi, at);
  call(a, SYS_pipe);
}

/** One byte through the fd that is stored at `fdAt`. */
function oneByte(a: Assembler, nr: number, fdAt: number): void {
  a.mov(rdi, DATA + fdAt).mov(edi, mem(rdi));
  dataAddr(a, rsi, AT.buf);
  a.mov(edx, 1);
  call(a, nr);
}

function getpid(a: Assembler): void {
  call(a, SYS_getpid);
}

function stat(a: Assembler): void {
  dataAddr(a, rdi, AT.path);
  dataAddr(a, rsi, AT.buf);
  call(a, SYS_stat);
}

function openReadClose(a: Assembler): void {
  dataAddr(a, rdi, AT.path);
  a.xor(esi, esi);
  call(a, SYS_open);
  a.mov(r13, rax).mov(rdi, rax);
  dataAddr(a, rsi, AT.buf);
  a.mov(edx, 64);
  call(a, SYS_read);
  a.mov(rdi, r13);
  call(a, SYS_close);
}

function pipeByte(a: Assembler): void {
  oneByte(a, SYS_write, AT.pipeA + 4);
  oneByte(a, SYS_read, AT.pipeA);
}

/** A child that echoes from pipe A to pipe B; its pid in r14. */
function pingPongSetup(a: Assembler): void {
  pipe(a, AT.pipeA);
  pipe(a, AT.pipeB);
  call(a, SYS_fork);
  a.mov(r14, rax);
  a.test(rax, rax).jne("parent");
  a.label("echo");
  oneByte(a, SYS_read, AT.pipeA);
  a.cmp(rax, 1).jne("child_end");
  oneByte(a, SYS_write, AT.pipeB + 4);
  a.jmp("echo");
  a.label("child_end").xor(edi, edi);
  call(a, SYS_exit_group);
  a.label("parent");
}

function pingPong(a: Assembler): void {
  oneByte(a, SYS_write, AT.pipeA + 4);
  oneByte(a, SYS_read, AT.pipeB);
}

function killChild(a: Assembler): void {
  a.mov(rdi, r14).mov(esi, 9);
  call(a, SYS_kill);
}

function futexWake(a: Assembler): void {
  dataAddr(a, rdi, AT.word);
  a.mov(esi, 129).mov(edx, 1); // FUTEX_WAKE_PRIVATE
  call(a, SYS_futex);
}

function wait(a: Assembler): void {
  a.mov(rdi, rax).xor(esi, esi).xor(edx, edx).xor(r10d, r10d);
  call(a, SYS_wait4);
}

function forkWait(a: Assembler): void {
  const parent = a.fresh("forked");
  call(a, SYS_fork);
  a.test(rax, rax).jne(parent);
  a.xor(edi, edi);
  call(a, SYS_exit_group);
  a.label(parent);
  wait(a);
}

function forkExec(a: Assembler): void {
  const parent = a.fresh("forked");
  call(a, SYS_fork);
  a.test(rax, rax).jne(parent);
  dataAddr(a, rdi, AT.exe);
  dataAddr(a, rsi, AT.argv);
  a.xor(edx, edx);
  call(a, SYS_execve);
  a.mov(edi, 1);
  call(a, SYS_exit_group);
  a.label(parent);
  wait(a);
}

function mapPages(a: Assembler, lenBytes: number): void {
  a.xor(edi, edi).mov(rsi, lenBytes).mov(edx, 3).mov(r10, 0x22).mov(r8, -1).mov(r9, 0);
  call(a, SYS_mmap);
}

const FAULTS = 4096;

function faultSetup(a: Assembler): void {
  mapPages(a, FAULTS * 2 * 4096);
  a.mov(r13, rax).mov(rdi, rax).mov(rsi, FAULTS * 2 * 4096).mov(edx, 15); // MADV_NOHUGEPAGE
  call(a, SYS_madvise);
}

function fault(a: Assembler): void {
  a.mov(mem(r13), 1, 1).add(r13, 4096);
}

function mapUnmap(a: Assembler): void {
  mapPages(a, 65536);
  a.mov(mem(rax), 1, 1).mov(rdi, rax).mov(rsi, 65536);
  call(a, SYS_munmap);
}

/**
 * Works for `ticks` of the time stamp counter, so long that the Sentry goes to sleep, then makes a
 * call, whose ticks are added up.
 */
function callAfterWork(ticks: number): Emit {
  return (a) => {
    const work = a.fresh("work");
    a.rdtsc().mov(esi, eax).label(work).pause().rdtsc().sub(eax, esi).cmp(eax, ticks).jb(work);
    a.rdtsc().mov(r13d, eax);
    call(a, SYS_getpid);
    a.rdtsc().sub(eax, r13d).mov(rbx, DATA + AT.ticks).lock().xadd(mem(rbx), rax);
  };
}

/** The ticks as the result, in place of the time between the two looks at the clock. */
function ticksAsResult(a: Assembler): void {
  a.mov(rbx, DATA).mov(rax, mem(rbx, AT.ticks)).mov(mem(rbx, AT.end + 8), rax);
  for (const at of [AT.start, AT.start + 8, AT.end]) a.mov(mem(rbx, at), 0, 8);
}

/**
 * All of them, with counts for some hundredths of a second natively. `scale` makes them smaller or
 * larger.
 */
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
