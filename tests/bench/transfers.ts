/**
 * The benchmark programs of sockets, events, signals and tmpfs files. Neighbours: assembled.ts is
 * their frame, programs.ts has the rest.
 */

import { IPPROTO_TCP, TCP_NODELAY } from "../../ffi/abi/inet.ts";
import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import type { Assembler } from "../../ffi/asm/assembler.ts";
import { mem, rip } from "../../ffi/asm/operands.ts";
import {
  eax,
  edi,
  edx,
  esi,
  r10,
  r10d,
  r13,
  r14,
  r8,
  r9,
  rax,
  rbx,
  rdi,
  rdx,
  rsi,
} from "../../ffi/asm/registers.ts";
import { EPOLL_CTL_ADD } from "../../ffi/abi/epoll.ts";
import { AF_INET, AF_UNIX, SOCK_STREAM } from "../../ffi/abi/socket.ts";
import { SA_RESTORER, SIGKILL, SIGUSR1 } from "../../ffi/abi/signal.ts";
import {
  SYS_accept,
  SYS_bind,
  SYS_connect,
  SYS_epoll_create1,
  SYS_epoll_ctl,
  SYS_epoll_wait,
  SYS_eventfd2,
  SYS_exit_group,
  SYS_fork,
  SYS_getpid,
  SYS_getsockname,
  SYS_kill,
  SYS_listen,
  SYS_memfd_create,
  SYS_mmap,
  SYS_pread64,
  SYS_pwrite64,
  SYS_read,
  SYS_rt_sigaction,
  SYS_rt_sigreturn,
  SYS_setsockopt,
  SYS_socket,
  SYS_socketpair,
  SYS_write,
} from "../../ffi/abi/syscall_numbers.ts";
import { AT, type BenchProgram, call, DATA, dataAddr, type Emit, program } from "./assembled.ts";

/** 127.0.0.1 as it is in memory. */
const LOOPBACK = 0x0100007f;
const STREAM_BYTES = 65536, MEGABYTE = 1 << 20;

/** The result of a call becomes the descriptor at `at`. */
function keep(a: Assembler, at: number): void {
  a.mov(rbx, DATA + at).mov(mem(rbx), eax);
}

/** rdi = the descriptor at `at`. */
function descriptor(a: Assembler, at: number): void {
  a.mov(rdi, DATA + at).mov(edi, mem(rdi));
}

/** read or write of the whole buffer at r13. */
function transfer(a: Assembler, nr: number, at: number, bytes: number): void {
  descriptor(a, at);
  a.mov(rsi, r13).mov(edx, bytes);
  call(a, nr);
}

/** r13 = private memory, touched. */
function buffer(a: Assembler, bytes: number): void {
  const touch = a.fresh("touch");
  a.xor(edi, edi).mov(rsi, bytes).mov(edx, 3).mov(r10, 0x22).mov(r8, -1).mov(r9, 0);
  call(a, SYS_mmap);
  a.mov(r13, rax).mov(rsi, bytes);
  a.label(touch).sub(rsi, PAGE_SIZE).mov(rdi, r13).add(rdi, rsi).mov(mem(rdi), 1, 1);
  a.test(rsi, rsi).jne(touch);
}

type Connect = (a: Assembler) => void;

/** Two connected ends: at AT.pipeA the parent's, at AT.pipeA + 4 the child's. */
const unixPair: Connect = (a) => {
  a.mov(edi, AF_UNIX).mov(esi, SOCK_STREAM).xor(edx, edx).mov(r10, DATA + AT.pipeA);
  call(a, SYS_socketpair);
};

/** Connects two TCP sockets over the loopback, without Nagle's delay. */
const tcpPair: Connect = (a) => {
  const address = () => dataAddr(a, rsi, AT.buf);
  const length = DATA + AT.word;
  for (const at of [AT.pipeB, AT.pipeA]) {
    a.mov(edi, AF_INET).mov(esi, SOCK_STREAM).xor(edx, edx);
    call(a, SYS_socket);
    keep(a, at);
  }
  a.mov(rbx, DATA + AT.buf).mov(mem(rbx), AF_INET, 4).mov(mem(rbx, 4), LOOPBACK, 4);
  a.mov(rbx, length).mov(mem(rbx), 16, 4);
  for (const nr of [SYS_bind, SYS_listen, SYS_getsockname]) {
    descriptor(a, AT.pipeB);
    address();
    if (nr === SYS_listen) a.mov(esi, 1);
    if (nr === SYS_getsockname) a.mov(rdx, length);
    else a.mov(edx, 16);
    call(a, nr);
  }
  descriptor(a, AT.pipeA);
  address();
  a.mov(edx, 16);
  call(a, SYS_connect);
  descriptor(a, AT.pipeB);
  a.xor(esi, esi).xor(edx, edx);
  call(a, SYS_accept);
  keep(a, AT.pipeA + 4);
  a.mov(rbx, DATA + AT.word).mov(mem(rbx), 1, 4);
  for (const at of [AT.pipeA, AT.pipeA + 4]) {
    descriptor(a, at);
    a.mov(esi, IPPROTO_TCP).mov(edx, TCP_NODELAY).mov(r10, DATA + AT.word).mov(r8, 4);
    call(a, SYS_setsockopt);
  }
};

/**
 * A child (its pid in r14) that reads `bytes` at most, and writes one back if `echoes`, until the
 * end.
 */
function partner(a: Assembler, bytes: number, echoes: boolean): void {
  call(a, SYS_fork);
  a.mov(r14, rax).test(rax, rax).jne("parent");
  a.label("again");
  transfer(a, SYS_read, AT.pipeA + 4, bytes);
  a.cmp(rax, 1).jl("child_end");
  if (echoes) transfer(a, SYS_write, AT.pipeA + 4, 1);
  a.jmp("again");
  a.label("child_end").xor(edi, edi);
  call(a, SYS_exit_group);
  a.label("parent");
}

function killPartner(a: Assembler): void {
  a.mov(rdi, r14).mov(esi, SIGKILL);
  call(a, SYS_kill);
}

function roundTrip(name: string, count: number, connect: Connect): BenchProgram {
  const setup: Emit = (a) => {
    buffer(a, PAGE_SIZE);
    connect(a);
    partner(a, 1, true);
  };
  const op: Emit = (a) => {
    transfer(a, SYS_write, AT.pipeA, 1);
    transfer(a, SYS_read, AT.pipeA, 1);
  };
  return program(name, count, setup, op, killPartner);
}

function stream(name: string, count: number, connect: Connect): BenchProgram {
  const setup: Emit = (a) => {
    buffer(a, STREAM_BYTES);
    connect(a);
    partner(a, STREAM_BYTES, false);
  };
  const op: Emit = (a) => transfer(a, SYS_write, AT.pipeA, STREAM_BYTES);
  return program(name, count, setup, op, killPartner);
}

/** Makes an event, waits for it, and takes it. */
function epollWake(count: number): BenchProgram {
  const setup: Emit = (a) => {
    buffer(a, PAGE_SIZE);
    a.mov(mem(r13), 1, 4).mov(mem(r13, 4), 0, 4);
    a.xor(edi, edi).xor(esi, esi);
    call(a, SYS_eventfd2);
    keep(a, AT.pipeA);
    a.xor(edi, edi);
    call(a, SYS_epoll_create1);
    keep(a, AT.pipeB);
    a.mov(rbx, DATA + AT.buf).mov(mem(rbx), 1, 4); // EPOLLIN
    descriptor(a, AT.pipeA);
    a.mov(rdx, rdi);
    descriptor(a, AT.pipeB);
    a.mov(esi, EPOLL_CTL_ADD).mov(r10, DATA + AT.buf);
    call(a, SYS_epoll_ctl);
  };
  const op: Emit = (a) => {
    transfer(a, SYS_write, AT.pipeA, 8);
    descriptor(a, AT.pipeB);
    dataAddr(a, rsi, AT.buf);
    a.mov(edx, 1).mov(r10d, -1);
    call(a, SYS_epoll_wait);
    transfer(a, SYS_read, AT.pipeA, 8);
  };
  return program("epoll wake", count, setup, op, () => {});
}

/** A signal to oneself, whose handler returns at once. */
function signalDelivery(count: number): BenchProgram {
  const setup: Emit = (a) => {
    a.jmp("behind");
    a.label("handler").ret();
    a.label("restorer");
    call(a, SYS_rt_sigreturn);
    a.label("behind");
    // struct kernel_sigaction: handler, flags, restorer, mask
    a.mov(rbx, DATA + AT.buf).mov(mem(rbx, 8), SA_RESTORER, 8).mov(mem(rbx, 24), 0, 8);
    a.lea(rax, rip("handler")).mov(mem(rbx), rax);
    a.lea(rax, rip("restorer")).mov(mem(rbx, 16), rax);
    a.mov(edi, SIGUSR1).mov(rsi, rbx).xor(edx, edx).mov(r10d, 8);
    call(a, SYS_rt_sigaction);
    call(a, SYS_getpid);
    a.mov(r14, rax);
  };
  const op: Emit = (a) => {
    a.mov(rdi, r14).mov(esi, SIGUSR1);
    call(a, SYS_kill);
  };
  return program("signal delivery", count, setup, op, () => {});
}

function tmpfs(name: string, count: number, nr: number, bytes: number): BenchProgram {
  const setup: Emit = (a) => {
    buffer(a, bytes);
    dataAddr(a, rdi, AT.path);
    a.xor(esi, esi);
    call(a, SYS_memfd_create);
    keep(a, AT.pipeA);
    at(a, SYS_pwrite64);
  };
  const at = (a: Assembler, call_: number) => {
    a.xor(r10d, r10d);
    transfer(a, call_, AT.pipeA, bytes);
  };
  return program(name, count, setup, (a) => at(a, nr), () => {});
}

/** All of them; `scale` makes them smaller or larger. */
export function transferPrograms(scale: number): BenchProgram[] {
  const n = (count: number) => Math.max(8, Math.round(count * scale));
  return [
    epollWake(n(20_000)),
    signalDelivery(n(10_000)),
    roundTrip("UNIX round trip", n(5_000), unixPair),
    roundTrip("TCP round trip", n(5_000), tcpPair),
    stream("UNIX stream 64 KB", n(5_000), unixPair),
    stream("TCP stream 64 KB", n(5_000), tcpPair),
    tmpfs("tmpfs read 4 KB", n(50_000), SYS_pread64, PAGE_SIZE),
    tmpfs("tmpfs write 4 KB", n(50_000), SYS_pwrite64, PAGE_SIZE),
    tmpfs("tmpfs read 1 MB", n(300), SYS_pread64, MEGABYTE),
    tmpfs("tmpfs write 1 MB", n(300), SYS_pwrite64, MEGABYTE),
  ];
}
