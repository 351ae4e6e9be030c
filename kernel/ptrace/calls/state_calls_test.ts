import { assertEquals } from "@std/assert";
import { NT_PRSTATUS, NT_X86_XSTATE } from "../../../ffi/abi/elf.ts";
import { ARCH_GET_FS, ARCH_GET_GS, ARCH_SET_FS, ARCH_SET_GS } from "../../../ffi/abi/prctl.ts";
import * as P from "../../../ffi/abi/ptrace.ts";
import { SYS_kill } from "../../../ffi/abi/syscall_numbers.ts";
import { EFLAGS, RBX, RIP, RSP, USER_END } from "../../../platform/platform.ts";
import { getReg } from "../../task/registers.ts";
import { contextOf, DATA } from "../../testing/task_lab.ts";
import { BAD, OUT, withStopped } from "../ptrace_testing.ts";

const U = P.UserRegs.at, FX = 512, IOV: number = OUT - 64, UNKNOWN = 0x999;
/** The debug registers of struct user, and its size. */
const DR: number = P.USER_DEBUGREG_OFFSET, USER_SIZE = 928;
/** The control register: the first one enabled, for 4 bytes that are written. */
const WATCH_WRITES = 0xd0001;

Deno.test("the memory of a tracee is read and written by words", () =>
  withStopped((lab) => {
    lab.tracee.mm.store64(DATA, 0x1234567890);
    assertEquals([lab.do(P.PTRACE_PEEKDATA, DATA, OUT), lab.get64(OUT)], [0, 0x1234567890]);
    assertEquals(lab.do(P.PTRACE_POKETEXT, DATA + 4, 2 ** 40 + 5), 0);
    assertEquals(lab.tracee.mm.load64(DATA + 4), 2 ** 40 + 5);
    assertEquals([lab.do(P.PTRACE_PEEKTEXT, BAD, OUT), lab.do(P.PTRACE_POKEDATA, BAD, 1)], [
      "EIO",
      "EIO",
    ]);
    assertEquals(lab.do(P.PTRACE_PEEKDATA, DATA, BAD), "EFAULT");
  }));

Deno.test("the user area has registers, debug registers and zeros", () =>
  withStopped((lab) => {
    const { regs } = contextOf(lab.tracee);
    const peek = (at: number) => [lab.do(P.PTRACE_PEEKUSR, at, OUT), lab.get64(OUT)];
    const poke = (at: number, value: number) => lab.do(P.PTRACE_POKEUSR, at, value);
    assertEquals([peek(U.rip), peek(U.rsp)], [[0, getReg(regs, RIP)], [0, getReg(regs, RSP)]]);
    assertEquals([peek(U.origRax), peek(400)], [[0, SYS_kill], [0, 0]]);
    assertEquals([poke(U.rbx, 77), peek(U.rbx), getReg(regs, RBX)], [0, [0, 77], 77]);
    for (const at of [7, USER_SIZE, 2 ** 40]) {
      assertEquals([lab.do(P.PTRACE_PEEKUSR, at, OUT), poke(at, 0)], ["EIO", "EIO"], `${at}`);
    }
    assertEquals([poke(400, 0), poke(USER_SIZE - 8, 0)], ["EIO", "EIO"]);
    assertEquals([poke(U.fsBase, 2 ** 47), poke(U.fsBase, 0x5000)], ["EIO", 0]);
    assertEquals([peek(U.fsBase), lab.do(P.PTRACE_PEEKUSR, U.rip, BAD)], [[0, 0x5000], "EFAULT"]);
  }));

Deno.test("debug registers take addresses, lengths and kinds as the processor does", () =>
  withStopped((lab) => {
    const poke = (i: number, value: number) => lab.do(P.PTRACE_POKEUSR, DR + 8 * i, value);
    const peek = (i: number) => {
      assertEquals(lab.do(P.PTRACE_PEEKUSR, DR + 8 * i, OUT), 0);
      return lab.get64(OUT);
    };
    assertEquals([peek(0), peek(6), peek(7)], [0, 0xffff0ff0, 0]);
    assertEquals([poke(0, DATA), poke(7, WATCH_WRITES), peek(0), peek(7)], [
      0,
      0,
      DATA,
      WATCH_WRITES,
    ]);
    assertEquals([poke(4, 0), poke(5, 0), poke(1, 2 ** 47)], ["EIO", "EIO", "EINVAL"]);
    assertEquals(
      [poke(7, 0x20001), poke(7, 0x40001)],
      ["EINVAL", "EINVAL"],
      "I/O, 2 bytes of code",
    );
    assertEquals([poke(7, 0), poke(0, DATA + 1), poke(7, WATCH_WRITES)], [0, 0, "EINVAL"]);
    assertEquals([poke(6, 0xffff0ff1), peek(6), peek(4)], [0, 0xffff0ff1, 0]);
  }));

Deno.test("all registers are read and written; flags of the system keep their values", () =>
  withStopped((lab) => {
    const { regs } = contextOf(lab.tracee), flags = regs.getUint32(EFLAGS, true);
    assertEquals([lab.do(P.PTRACE_GETREGS, 0, BAD), lab.do(P.PTRACE_SETREGS, 0, BAD)], [
      "EFAULT",
      "EFAULT",
    ]);
    assertEquals([lab.do(P.PTRACE_GETREGS, 0, OUT), lab.get64(OUT + U.rip)], [
      0,
      getReg(regs, RIP),
    ]);
    assertEquals([lab.get64(OUT + U.cs), lab.get64(OUT + U.ss)], [0x33, 0x2b]);
    lab.put64(OUT + U.rbx, 2 ** 33);
    lab.put64(OUT + U.eflags, 0x3001);
    lab.put64(OUT + U.origRax, -1);
    assertEquals([lab.do(P.PTRACE_SETREGS, 0, OUT), getReg(regs, RBX)], [0, 2 ** 33]);
    assertEquals(regs.getUint32(EFLAGS, true), flags & ~0x54dd5 | 1);
    assertEquals(lab.tracee.trace?.origRax, -1);
    lab.put64(OUT + U.gsBase, 2 ** 47);
    assertEquals(lab.do(P.PTRACE_SETREGS, 0, OUT), "EIO");
  }));

Deno.test("PTRACE_GETREGSET and SETREGSET copy a part of the registers, and return its size", () =>
  withStopped((lab) => {
    const { regs } = contextOf(lab.tracee), size = P.UserRegs.size;
    const set = (request: number, length: number, base = OUT, kind = NT_PRSTATUS) => {
      lab.put64(IOV, base, length);
      return [lab.do(request, kind, IOV), lab.get64(IOV + 8)];
    };
    const { PTRACE_GETREGSET: GET, PTRACE_SETREGSET: SET } = P;
    assertEquals([set(GET, 5000), set(GET, size)], [[0, size], [0, size]]);
    assertEquals([lab.get64(OUT + U.rip), set(GET, 8)], [getReg(regs, RIP), [0, 8]]);
    assertEquals([set(GET, 7), set(GET, 8, OUT, UNKNOWN)], [["EINVAL", 7], ["EINVAL", 8]]);
    assertEquals([set(GET, 8, BAD), set(SET, 8, BAD)], [["EFAULT", 8], ["EFAULT", 8]]);
    assertEquals([lab.do(GET, NT_PRSTATUS, BAD), lab.do(SET, NT_PRSTATUS, BAD)], [
      "EFAULT",
      "EFAULT",
    ]);
    lab.put64(OUT, 1, 2, 3, 4, 5, 6);
    assertEquals([set(SET, U.rbx), getReg(regs, RBX)], [[0, U.rbx], 0]);
    assertEquals([set(SET, U.rbx + 8), getReg(regs, RBX)], [[0, U.rbx + 8], 6]);
  }));

Deno.test("floating-point registers are set as a whole", () =>
  withStopped((lab) => {
    const { fpu } = contextOf(lab.tracee), { PTRACE_GETREGSET: GET, PTRACE_SETREGSET: SET } = P;
    const set = (request: number, kind: number, length: number) => {
      lab.put64(IOV, OUT, length);
      return lab.do(request, kind, IOV);
    };
    const fx = P.NT_PRFPREG, all = NT_X86_XSTATE;
    assertEquals([set(GET, fx, 5000), lab.get64(IOV + 8)], [0, FX]);
    assertEquals([set(GET, all, 5000), lab.get64(IOV + 8)], [0, fpu.length]);
    assertEquals(lab.get64(OUT + 464), 7, "the features, for debuggers");
    assertEquals([set(SET, fx, 8), set(SET, all, 8)], ["EINVAL", "EFAULT"]);
    lab.put64(OUT + 32, 0x11);
    assertEquals([set(SET, all, fpu.length), fpu[32]], [0, 0x11]);
    lab.put64(OUT + 32, 0x22);
    lab.put64(OUT + FX + 16, 1);
    assertEquals([set(SET, all, fpu.length), fpu[32]], ["EINVAL", 0x11], "a reserved bit");
    assertEquals([lab.do(P.PTRACE_SETFPREGS, 0, OUT), fpu[32], fpu[FX]! & 3], [0, 0x22, 3]);
    lab.put64(OUT + 32, 0);
    assertEquals([lab.do(P.PTRACE_GETFPREGS, 0, OUT), lab.get64(OUT + 32)], [0, 0x22]);
    assertEquals([lab.do(P.PTRACE_GETFPREGS, 0, BAD), lab.do(P.PTRACE_SETFPREGS, 0, BAD)], [
      "EFAULT",
      "EFAULT",
    ]);
  }));

Deno.test("PTRACE_ARCH_PRCTL reads and sets the bases of a tracee's segments", () =>
  withStopped((lab) => {
    const ask = (code: number, addr: number) => lab.do(P.PTRACE_ARCH_PRCTL, addr, code);
    for (const [set, get] of [[ARCH_SET_FS, ARCH_GET_FS], [ARCH_SET_GS, ARCH_GET_GS]] as const) {
      assertEquals([ask(set, 0x7000), ask(get, OUT), lab.get64(OUT)], [0, 0, 0x7000]);
      assertEquals([ask(set, USER_END), ask(set, 2 ** 47)], ["EPERM", "EPERM"]);
      assertEquals([ask(get, BAD), ask(get, OUT), lab.get64(OUT)], ["EFAULT", 0, 0x7000]);
    }
    assertEquals([ask(99, 0), lab.tracee.mm.hasOwnGs], ["EINVAL", true]);
  }));
