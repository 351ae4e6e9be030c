import { assertEquals } from "@std/assert";
import { SIG_BLOCK, SIGKILL, SIGSTOP, SIGTRAP, SIGUSR1, SIGUSR2 } from "../../../ffi/abi/signal.ts";
import * as P from "../../../ffi/abi/ptrace.ts";
import { PR_SYS_DISPATCH_OFF, PR_SYS_DISPATCH_ON } from "../../../ffi/abi/prctl.ts";
import * as S from "../../../ffi/abi/seccomp.ts";
import { SI_MAX_SIZE } from "../../../ffi/abi/siginfo.ts";
import { SYS_getpid, SYS_getppid } from "../../../ffi/abi/syscall_numbers.ts";
import { RAX } from "../../../platform/platform.ts";
import { BpfProgram } from "../../bpf/classic_program.ts";
import { TEST_ACCOUNT } from "../../core/account_testing.ts";
import { NO_CAPS } from "../../cred/credentials.ts";
import { BpfFilter } from "../../seccomp/bpf_filter.ts";
import { attachFilter } from "../../seccomp/task_seccomp.ts";
import { getReg } from "../../task/registers.ts";
import { contextOf, DATA } from "../../testing/task_lab.ts";
import { BAD, OUT, type TraceLab, withStopped } from "../ptrace_testing.ts";

const U = P.UserRegs.at, INFO = P.PtraceSyscallInfo.at, ARGS: number = OUT - 64, MASK_BYTES = 8;
const CALL_STOP = (SIGTRAP | 0x80) << 8 | 0x7f, NEXT = 128;
const { PTRACE_GET_SYSCALL_INFO: CALL_INFO, PTRACE_PEEKSIGINFO: PEEK_INFO } = P;

/** Attaches a filter: getppid(2) has this verdict, all other calls are allowed. */
function filter({ tracee }: TraceLab, verdict: number, flags = 0): void {
  const code = [[0x20, 0], [0x15 | 1 << 24, SYS_getppid], [6, verdict], [6, S.SECCOMP_RET_ALLOW]];
  const dv = new DataView(new ArrayBuffer(code.length * 8));
  code.forEach(([head = 0, k = 0], i) => {
    dv.setUint32(8 * i, head, true);
    dv.setUint32(8 * i + 4, k, true);
  });
  const program = BpfProgram.parse(new Uint8Array(dv.buffer))!;
  assertEquals(attachFilter(tracee, new BpfFilter(TEST_ACCOUNT, program), flags), 0);
}

Deno.test("the siginfo of a signal is read and replaced; a group stop has none", () =>
  withStopped((lab) => {
    const get = (addr: number) => lab.do(P.PTRACE_GETSIGINFO, 0, addr);
    const set = (addr: number) => lab.do(P.PTRACE_SETSIGINFO, 0, addr);
    assertEquals([get(BAD), set(BAD)], ["EFAULT", "EFAULT"]);
    assertEquals([get(OUT), lab.get32(OUT), lab.get32(OUT + 16)], [0, SIGSTOP, lab.tracee.pid]);
    lab.put32(OUT, SIGUSR1, 0, -1, 0, 99);
    assertEquals([set(OUT), get(OUT + NEXT), lab.get32(OUT + NEXT)], [0, 0, SIGUSR1]);
    assertEquals([lab.bytes(OUT + NEXT, 48), lab.get32(OUT + NEXT + 16)], [lab.bytes(OUT, 48), 99]);
    assertEquals([lab.do(P.PTRACE_CONT, 0, SIGSTOP), lab.wait()], [0, SIGSTOP << 8 | 0x7f]);
    assertEquals([get(OUT), set(OUT)], ["EINVAL", "EINVAL"]);
    assertEquals([lab.do(P.PTRACE_GETEVENTMSG, 0, OUT), lab.do(P.PTRACE_GETEVENTMSG, 0, BAD)], [
      0,
      "EFAULT",
    ]);
  }));

Deno.test("PTRACE_PEEKSIGINFO lists pending signals of the thread, or of its process", () =>
  withStopped((lab) => {
    const { kernel, tracer, tracee } = lab;
    const peek = (off: number, flags: number, count: number, to = OUT) => {
      lab.put64(ARGS, off);
      lab.put32(ARGS + 8, flags, count);
      return lab.do(PEEK_INFO, ARGS, to);
    };
    assertEquals([lab.do(PEEK_INFO, BAD, OUT), peek(0, 2, 1), peek(0, 0, -1)], [
      "EFAULT",
      "EINVAL",
      "EINVAL",
    ]);
    assertEquals([peek(0, 0, 9), peek(0, P.PTRACE_PEEKSIGINFO_SHARED, 9)], [0, 0]);
    kernel.call(tracer, "kill", tracee.pid, SIGUSR1);
    kernel.call(tracer, "tgkill", tracee.pid, tracee.tid, SIGUSR1);
    kernel.call(tracer, "tgkill", tracee.pid, tracee.tid, SIGUSR2);
    assertEquals([peek(0, 0, 9), lab.get32(OUT), lab.get32(OUT + NEXT)], [2, SIGUSR1, SIGUSR2]);
    assertEquals([peek(1, 0, 9), lab.get32(OUT), peek(2, 0, 9)], [1, SIGUSR2, 0]);
    assertEquals([peek(0, P.PTRACE_PEEKSIGINFO_SHARED, 9), lab.get32(OUT)], [1, SIGUSR1]);
    assertEquals([peek(0, 0, 1), peek(0, 0, 0), peek(0, 0, 9, BAD)], [1, 0, "EFAULT"]);
    assertEquals(peek(0, 0, 9, 0x40000 - SI_MAX_SIZE), 1, "those before the fault");
  }));

Deno.test("the mask of blocked signals is read and set, without SIGKILL and SIGSTOP", () =>
  withStopped((lab) => {
    const get = (addr: number, size = MASK_BYTES) => lab.do(P.PTRACE_GETSIGMASK, size, addr);
    const set = (addr: number, size = MASK_BYTES) => lab.do(P.PTRACE_SETSIGMASK, size, addr);
    assertEquals([get(OUT, 4), set(OUT, 4), get(BAD), set(BAD)], [
      "EINVAL",
      "EINVAL",
      "EFAULT",
      "EFAULT",
    ]);
    const bit = (sig: number) => 2 ** (sig - 1);
    lab.put64(OUT, bit(SIGUSR1) + bit(SIGKILL) + bit(SIGSTOP) + bit(40));
    assertEquals([set(OUT), get(OUT), lab.get64(OUT)], [0, 0, bit(SIGUSR1) + bit(40)]);
    lab.do(P.PTRACE_CONT);
    assertEquals(lab.kernel.call(lab.tracee, "rt_sigprocmask", SIG_BLOCK, 0, DATA, 8), 0);
    assertEquals(lab.tracee.mm.load64(DATA), bit(SIGUSR1) + bit(40));
  }));

Deno.test("a call stops at entry and exit, and PTRACE_GET_SYSCALL_INFO describes it", () =>
  withStopped((lab) => {
    const { kernel, tracee } = lab, { regs } = contextOf(tracee);
    const info = (size = NEXT) => [lab.do(CALL_INFO, size, OUT), lab.bytes(OUT, 1)[0]];
    assertEquals([lab.do(CALL_INFO, 0, OUT), lab.do(CALL_INFO, NEXT, BAD)], [24, "EFAULT"]);
    assertEquals(info(), [24, P.PTRACE_SYSCALL_INFO_NONE]);
    lab.do(P.PTRACE_SETOPTIONS, 0, P.PTRACE_O_TRACESYSGOOD);
    assertEquals(lab.do(P.PTRACE_SYSCALL), 0);
    kernel.call(tracee, "getppid");
    assertEquals([lab.wait(), info()], [CALL_STOP, [80, P.PTRACE_SYSCALL_INFO_ENTRY]]);
    assertEquals([lab.get64(OUT + INFO.nr), lab.get32(OUT + INFO.arch) >>> 0], [
      SYS_getppid,
      S.AUDIT_ARCH_X86_64,
    ]);
    lab.do(P.PTRACE_GETEVENTMSG, 0, OUT);
    assertEquals([lab.get64(OUT), lab.do(P.PTRACE_POKEUSR, U.origRax, SYS_getpid)], [1, 0]);
    assertEquals([lab.do(P.PTRACE_SYSCALL), lab.wait()], [0, CALL_STOP]);
    assertEquals([info(), lab.get64(OUT + INFO.nr)], [
      [33, P.PTRACE_SYSCALL_INFO_EXIT],
      tracee.pid,
    ]);
    assertEquals(lab.bytes(OUT + INFO.nr + 8, 1)[0], 0);
    lab.do(P.PTRACE_POKEUSR, U.rax, 55);
    assertEquals([lab.do(P.PTRACE_CONT), getReg(regs, RAX)], [0, 55]);
  }));

Deno.test("a call that the tracer skips fails with ENOSYS, and an emulated one is not made", () =>
  withStopped((lab) => {
    const { kernel, tracee } = lab, { regs } = contextOf(tracee);
    lab.do(P.PTRACE_SYSCALL);
    kernel.call(tracee, "getppid");
    assertEquals([lab.wait(), lab.do(P.PTRACE_POKEUSR, U.origRax, -1)], [SIGTRAP << 8 | 0x7f, 0]);
    assertEquals([lab.do(P.PTRACE_SYSCALL), lab.wait()], [0, SIGTRAP << 8 | 0x7f]);
    assertEquals([lab.do(CALL_INFO, NEXT, OUT), lab.get32(OUT + INFO.nr) | 0], [33, -38]);
    assertEquals(lab.bytes(OUT + INFO.nr + 8, 1)[0], 1, "an error");
    lab.do(P.PTRACE_SYSEMU);
    kernel.call(tracee, "exit_group", 0);
    assertEquals([lab.wait(), lab.do(P.PTRACE_POKEUSR, U.rax, 77)], [SIGTRAP << 8 | 0x7f, 0]);
    assertEquals([lab.do(P.PTRACE_CONT), getReg(regs, RAX), lab.wait()], [0, 77, 0]);
  }));

Deno.test("SECCOMP_RET_TRACE stops for a tracer that wants it", () =>
  withStopped((lab) => {
    const { kernel, tracee } = lab;
    filter(lab, S.SECCOMP_RET_TRACE | 0x123);
    lab.do(P.PTRACE_SETOPTIONS, 0, P.PTRACE_O_TRACESECCOMP);
    lab.do(P.PTRACE_CONT);
    kernel.call(tracee, "getppid");
    assertEquals(lab.wait(), P.PTRACE_EVENT_SECCOMP << 16 | SIGTRAP << 8 | 0x7f);
    assertEquals([lab.do(CALL_INFO, NEXT, OUT), lab.get32(OUT + INFO.retData)], [84, 0x123]);
    assertEquals(lab.bytes(OUT, 1)[0], P.PTRACE_SYSCALL_INFO_SECCOMP);
    assertEquals([lab.do(P.PTRACE_GETEVENTMSG, 0, OUT), lab.get64(OUT)], [0, 0x123]);
    assertEquals([lab.do(P.PTRACE_CONT), getReg(contextOf(tracee).regs, RAX)], [
      0,
      lab.tracer.pid,
    ]);
  }));

Deno.test("a privileged tracer reads filters from the oldest on, and their flags", () =>
  withStopped((lab) => {
    const get = (index: number, addr: number) => lab.do(P.PTRACE_SECCOMP_GET_FILTER, index, addr);
    const flags = (size: number, addr = OUT) => lab.do(P.PTRACE_SECCOMP_GET_METADATA, size, addr);
    lab.put64(OUT, 0, 99);
    assertEquals([get(0, 0), flags(16)], ["EINVAL", "EINVAL"]);
    filter(lab, S.SECCOMP_RET_TRAP, S.SECCOMP_FILTER_FLAG_LOG);
    filter(lab, S.SECCOMP_RET_LOG);
    assertEquals([get(0, 0), get(1, 0), get(2, 0), get(0, BAD)], [4, 4, "ENOENT", "EFAULT"]);
    const verdicts = [0, 1].map((i) => [get(i, OUT), lab.get32(OUT + 20)]);
    assertEquals(verdicts, [[4, S.SECCOMP_RET_TRAP], [4, S.SECCOMP_RET_LOG]]);
    lab.put64(OUT, 0, 99);
    assertEquals([flags(7), flags(16, BAD), flags(16)], ["EINVAL", "EFAULT", 16]);
    assertEquals(lab.get64(OUT + 8), S.SECCOMP_FILTER_FLAG_LOG);
    lab.put64(OUT, 1, 99);
    assertEquals([flags(8), lab.get64(OUT + 8), flags(100), lab.get64(OUT + 8)], [8, 99, 16, 0]);
    lab.put64(OUT, 2);
    assertEquals(flags(16), "ENOENT");
    lab.tracer.cred = { ...lab.tracer.cred, effective: NO_CAPS };
    assertEquals([get(0, 0), flags(16)], ["EACCES", "EACCES"]);
  }));

Deno.test("a tracer reads and sets the user dispatch of calls", () =>
  withStopped((lab) => {
    const { at, size } = P.PtraceSudConfig;
    const get = (n: number, addr = OUT) =>
      lab.do(P.PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG, n, addr);
    const set = (...words: readonly number[]) =>
      lab.do(P.PTRACE_SET_SYSCALL_USER_DISPATCH_CONFIG, size, lab.put64(ARGS, ...words));
    const ask = P.PTRACE_SET_SYSCALL_USER_DISPATCH_CONFIG;
    assertEquals([get(8), get(size, BAD), lab.do(ask, 8, OUT), lab.do(ask, size, BAD)], [
      "EINVAL",
      "EFAULT",
      "EINVAL",
      "EFAULT",
    ]);
    assertEquals([get(size), lab.get64(OUT + at.mode)], [0, PR_SYS_DISPATCH_OFF]);
    assertEquals(set(PR_SYS_DISPATCH_ON, DATA, 0x5000, 0x100), 0);
    assertEquals(get(size), 0);
    assertEquals([at.mode, at.selector, at.offset, at.len].map((i) => lab.get64(OUT + i)), [
      PR_SYS_DISPATCH_ON,
      DATA,
      0x5000,
      0x100,
    ]);
    assertEquals([set(5, 0, 0, 0), set(PR_SYS_DISPATCH_OFF, 0, 1, 0)], ["EINVAL", "EINVAL"]);
    assertEquals([set(PR_SYS_DISPATCH_OFF, 0, 0, 0), lab.tracee.userDispatch], [0, null]);
  }));
