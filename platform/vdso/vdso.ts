/**
 * The guest's vDSO (vdso(7)): an ELF image with clock functions that need no system call, and the
 * layout of the data page in front of it. Time is the kernel's monotonic clock, extrapolated by the
 * time stamp counter.
 *
 * Not here: the numbers in the data page (clock_page.ts), and the mapping of the image
 * (kernel/loader).
 */

import {
  SYS_clock_getres,
  SYS_clock_gettime,
  SYS_getcpu,
  SYS_gettimeofday,
  SYS_time,
} from "../../ffi/abi/syscall_numbers.ts";
import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { Assembler } from "../../ffi/asm/assembler.ts";
import { writeSharedObject } from "../../ffi/asm/elf_shared.ts";
import { mem, rip } from "../../ffi/asm/operands.ts";
import {
  eax,
  ecx,
  edi,
  edx,
  r10d,
  r11,
  r8,
  r9,
  rax,
  rcx,
  rdi,
  rdx,
  rsi,
} from "../../ffi/asm/registers.ts";

/** The data page lies directly before the image. */
export const DATA_PAGE_BYTES: number = PAGE_SIZE;

/** Byte offsets in the data page. 64-bit values are little-endian. */
export const CLOCK = {
  /** u32, odd while the Sentry writes. */
  seq: 0,
  /** u32, 1 when the counter may be used; otherwise the functions make system calls. */
  usable: 4,
  /** u64: counter at the base time. */
  tsc: 8,
  /** u64: nanoseconds a tick, times 2^32. */
  mult: 16,
  /** u64 seconds and nanoseconds of CLOCK_MONOTONIC at the base, then of CLOCK_REALTIME. */
  monotonic: 24,
  realtime: 40,
  /** u32: getcpu answers by itself for CPU numbers below it; 0: it makes the system call. */
  cpus: 56,
} as const;

/**
 * Linux keeps the number of the CPU, with the number of its node above it, in the limit of a
 * segment that exists for this (__CPUNODE_SEG, arch/x86/include/asm/segment.h).
 */
const CPUNODE_SELECTOR = 0x7b, CPU_BITS = 0xfff;
const NS_PER_SEC = 1_000_000_000;
/** Tick of the coarse clocks, which clock_getres(2) returns, as a part of a second. */
const COARSE_NS = 4_000_000;

/**
 * Version and segments as Linux has them: glibc finds the tables only if there is one segment, Go's
 * runtime looks for this version.
 */
const VDSO = { vdso: { soname: "linux-vdso.so.1", version: "LINUX_2.6" } };

/** The image, a multiple of 4096 bytes. */
export function buildVdso(): Uint8Array<ArrayBuffer> {
  // The address of the code depends on the table sizes only: the first build gives it.
  const probe = emit(0);
  const first = writeSharedObject(probe.code, probe.symbols, VDSO);
  const codeAt = findCode(first, probe.code);
  const { code, symbols } = emit(codeAt);
  const image = writeSharedObject(code, symbols, VDSO);
  const padded = new Uint8Array(Math.ceil(image.length / PAGE_SIZE) * PAGE_SIZE);
  padded.set(image);
  return padded;
}

/** Code segments start at a page boundary. */
function findCode(image: Uint8Array, code: Uint8Array): number {
  for (let at = PAGE_SIZE; at < image.length; at += PAGE_SIZE) {
    if (code.every((b, i) => image[at + i] === b)) return at;
  }
  throw new Error("the vDSO image does not hold its code");
}

function emit(codeAt: number): { code: Uint8Array; symbols: Record<string, number> } {
  const a = new Assembler();
  const data = (field: number) => rip("start", -codeAt - DATA_PAGE_BYTES + field);
  a.label("start");

  // int clock_gettime(clockid_t edi, struct timespec *rsi)
  a.label("clock_gettime");
  a.lea(r8, data(CLOCK.monotonic));
  a.cmp(edi, 1).je("gettime_known");
  // The kernel's calls give the same for CLOCK_MONOTONIC_RAW, _COARSE and CLOCK_BOOTTIME.
  for (const like of [4, 6, 7]) a.cmp(edi, like).je("gettime_known");
  a.lea(r8, data(CLOCK.realtime));
  a.test(edi, edi).je("gettime_known");
  a.cmp(edi, 5).je("gettime_known"); // CLOCK_REALTIME_COARSE
  a.cmp(edi, 11).jne("gettime_call"); // CLOCK_TAI
  a.label("gettime_known");
  readClock(a, data, "gettime_call", "gettime");
  a.cmp(edi, 5).jb("gettime_store");
  a.cmp(edi, 7).jae("gettime_store"); // only 5 and 6 are coarse
  a.mov(r8, rdx).mov(rax, rdx).xor(edx, edx).mov(ecx, COARSE_NS).div(rcx);
  a.sub(r8, rdx).mov(rdx, r8);
  a.label("gettime_store");
  a.mov(mem(rsi), r11).mov(mem(rsi, 8), rdx);
  a.xor(eax, eax).ret();
  a.label("gettime_call");
  a.mov(eax, SYS_clock_gettime).syscall().ret();

  // int clock_getres(clockid_t edi, struct timespec *rsi)
  a.label("clock_getres").mov(ecx, 1);
  for (const fine of [0, 1, 4, 7, 11]) a.cmp(edi, fine).je("getres_known");
  a.mov(ecx, COARSE_NS);
  for (const coarse of [5, 6]) a.cmp(edi, coarse).je("getres_known");
  a.mov(eax, SYS_clock_getres).syscall().ret();
  a.label("getres_known").xor(eax, eax);
  a.test(rsi, rsi).je("getres_end");
  a.mov(mem(rsi), rax).mov(mem(rsi, 8), rcx);
  a.label("getres_end").ret();

  // int gettimeofday(struct timeval *rdi, struct timezone *rsi)
  a.label("gettimeofday");
  a.test(rsi, rsi).jne("timeofday_call");
  a.test(rdi, rdi).je("timeofday_call");
  a.lea(r8, data(CLOCK.realtime));
  readClock(a, data, "timeofday_call", "timeofday");
  a.mov(mem(rdi), r11);
  a.mov(rax, rdx).xor(edx, edx).mov(ecx, 1000).div(rcx);
  a.mov(mem(rdi, 8), rax);
  a.xor(eax, eax).ret();
  a.label("timeofday_call");
  a.mov(eax, SYS_gettimeofday).syscall().ret();

  // time_t time(time_t *rdi)
  a.label("time");
  a.lea(r8, data(CLOCK.realtime));
  readClock(a, data, "time_call", "seconds");
  a.mov(rax, r11);
  a.test(rdi, rdi).je("time_end");
  a.mov(mem(rdi), rax);
  a.label("time_end").ret();
  a.label("time_call");
  a.mov(eax, SYS_time).syscall().ret();

  // int getcpu(unsigned *rdi, unsigned *rsi, void *rdx): there is one node
  a.label("getcpu");
  a.mov(ecx, CPUNODE_SELECTOR).lsl(eax, ecx).jne("getcpu_call");
  a.and(eax, CPU_BITS).lea(r8, data(CLOCK.cpus));
  a.cmp(eax, mem(r8)).jae("getcpu_call");
  a.test(rdi, rdi).je("getcpu_node");
  a.mov(mem(rdi), eax);
  a.label("getcpu_node").xor(eax, eax);
  a.test(rsi, rsi).je("getcpu_end");
  a.mov(mem(rsi), eax);
  a.label("getcpu_end").ret();
  a.label("getcpu_call");
  a.mov(eax, SYS_getcpu).syscall().ret();

  const code = a.assemble();
  return {
    code,
    symbols: {
      __vdso_clock_gettime: a.offsetOf("clock_gettime"),
      __vdso_clock_getres: a.offsetOf("clock_getres"),
      __vdso_gettimeofday: a.offsetOf("gettimeofday"),
      __vdso_time: a.offsetOf("time"),
      __vdso_getcpu: a.offsetOf("getcpu"),
      clock_gettime: a.offsetOf("clock_gettime"),
      clock_getres: a.offsetOf("clock_getres"),
      gettimeofday: a.offsetOf("gettimeofday"),
      time: a.offsetOf("time"),
      getcpu: a.offsetOf("getcpu"),
    },
  };
}

/** r8: base seconds and nanoseconds -> r11 seconds, rdx nanoseconds. Clobbers rax, rcx, r9, r10. */
function readClock(
  a: Assembler,
  data: (field: number) => ReturnType<typeof rip>,
  unusable: string,
  prefix: string,
): void {
  a.lea(r9, data(CLOCK.seq));
  a.label(`${prefix}_again`);
  a.mov(r10d, mem(r9));
  a.test(r10d, 1).jne(`${prefix}_busy`);
  a.cmp(mem(r9, CLOCK.usable), 1, 4).jne(unusable);
  a.lfence().rdtsc();
  a.shl(rdx, 32).or(rax, rdx);
  a.sub(rax, mem(r9, CLOCK.tsc)).jae(`${prefix}_later`);
  a.xor(eax, eax); // another core's counter may be a little behind
  a.label(`${prefix}_later`);
  a.mul(mem(r9, CLOCK.mult), 8);
  a.shl(rdx, 32).shr(rax, 32).or(rax, rdx);
  a.add(rax, mem(r8, 8));
  a.mov(r11, mem(r8));
  a.cmp(mem(r9), r10d).jne(`${prefix}_again`);
  a.xor(edx, edx).mov(ecx, NS_PER_SEC).div(rcx);
  a.add(r11, rax);
  a.jmp(`${prefix}_end`);
  a.label(`${prefix}_busy`).pause();
  a.jmp(`${prefix}_again`);
  a.label(`${prefix}_end`);
}
