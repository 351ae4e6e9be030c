import { assertEquals } from "@std/assert";
import { O_CREAT, O_NONBLOCK, O_RDWR } from "../../../ffi/abi/fcntl.ts";
import {
  SA_NOCLDSTOP,
  SA_RESTART,
  SIGCHLD,
  SIGKILL,
  SIGSTOP,
  SIGUSR1,
} from "../../../ffi/abi/signal.ts";
import { enrollGroup, TaskPid } from "../../task/pid_namespace.ts";
import { ThreadGroup } from "../../task/thread_group.ts";
import { Limits } from "../../task/limits.ts";
import { CallLab } from "../../testing/call_lab.ts";
import { sysOpen } from "../../syscalls/fs/open.ts";
import { sysRead } from "../../syscalls/io/read_write.ts";
import { sysPidfdOpen } from "../../syscalls/process/pidfd.ts";
import * as actions from "./actions.ts";
import * as send from "./send.ts";
import { sysSignalfd4 } from "./signalfd.ts";
import * as wait from "./wait.ts";

const BAD = 8, OUT = 4096, BLOCK = "-4096";
const SET_BYTES = 8;

function isPending(lab: CallLab, sig: number): boolean {
  const { task } = lab;
  return task.signals.pending.set.has(sig) || task.group.pending.set.has(sig);
}

function block(lab: CallLab, ...signals: number[]): void {
  const mask = signals.reduce((sum, sig) => sum + 2 ** (sig - 1), 0);
  assertEquals(lab.call(actions.sysRtSigprocmask, 2, lab.words(64, 0, mask), 0, SET_BYTES), 0);
}

Deno.test("rt_sigaction: the size, the pointer, the signal; unknown flags are dropped", () => {
  const lab = new CallLab(), { sysRtSigaction } = actions, out = lab.memory + OUT;
  const handler = 0x5000, unknown = 0x400;
  const flags = SA_RESTART | SA_NOCLDSTOP;
  const act = lab.words(64, 0, handler, flags | unknown, 0x6000, -1);
  assertEquals(lab.call(sysRtSigaction, 65, BAD, 0, 4), "EINVAL");
  assertEquals(lab.call(sysRtSigaction, 65, BAD, 0, SET_BYTES), "EFAULT");
  for (const sig of [0, 65, -1 >>> 0, SIGKILL, SIGSTOP]) {
    assertEquals(lab.call(sysRtSigaction, sig, act, 0, SET_BYTES), "EINVAL");
  }
  assertEquals(lab.call(sysRtSigaction, SIGKILL, 0, out, SET_BYTES), 0, "may be asked for");
  assertEquals(lab.call(sysRtSigaction, SIGUSR1, act, BAD, SET_BYTES), "EFAULT");
  assertEquals(lab.call(sysRtSigaction, SIGUSR1, 0, out, SET_BYTES), 0);
  const [found, kept, restorer] = lab.readWords(64, OUT, 3);
  assertEquals([found, kept, restorer], [handler, flags, 0x6000], "set before the fault");
  const mask = lab.view(OUT + 24, 8).getBigUint64(0, true);
  assertEquals(mask, ~((1n << 8n) | (1n << 18n)) & (2n ** 64n - 1n), "SIGKILL and SIGSTOP are out");
});

Deno.test("a signal that becomes ignored is pending no more", () => {
  const lab = new CallLab(), { sysRtSigaction } = actions;
  for (
    const [sig, action, isKept] of [[SIGUSR1, 1, false], [SIGCHLD, 0, false], [
      SIGUSR1,
      0,
      true,
    ]] as const
  ) {
    block(lab, sig);
    lab.task.sighand.of(sig).handler = 0x5000;
    lab.call(send.sysTkill, 1, sig);
    assertEquals(isPending(lab, sig), true);
    lab.call(sysRtSigaction, sig, lab.words(64, 64, action, 0, 0, 0), 0, SET_BYTES);
    assertEquals(isPending(lab, sig), isKept, `signal ${sig}, action ${action}`);
  }
});

Deno.test("rt_sigprocmask: the size, the pointer, how; the old mask is that of before", () => {
  const lab = new CallLab(), { sysRtSigprocmask } = actions, out = lab.memory + OUT;
  const set = lab.words(64, 0, 0b1100);
  assertEquals(lab.call(sysRtSigprocmask, 0, BAD, 0, 16), "EINVAL");
  assertEquals(lab.call(sysRtSigprocmask, 3, BAD, 0, SET_BYTES), "EFAULT");
  assertEquals(lab.call(sysRtSigprocmask, 3, set, 0, SET_BYTES), "EINVAL");
  assertEquals(lab.call(sysRtSigprocmask, 3, 0, out, SET_BYTES), 0, "how counts with a set alone");
  assertEquals(lab.call(sysRtSigprocmask, 0, set, out, SET_BYTES), 0);
  assertEquals(lab.call(sysRtSigprocmask, 1, lab.words(64, 0, 0b0100), out, SET_BYTES), 0);
  assertEquals(lab.readWords(64, OUT, 1), [0b1100]);
  assertEquals(lab.call(sysRtSigprocmask, 2, lab.words(64, 0, -1), out, SET_BYTES), 0);
  assertEquals(lab.readWords(64, OUT, 1), [0b1000]);
  assertEquals(lab.call(sysRtSigprocmask, 0, 0, BAD, SET_BYTES), "EFAULT");
  assertEquals(lab.task.signals.blocked.has(SIGKILL), false);
  assertEquals(lab.task.signals.blocked.has(64), true);
});

Deno.test("rt_sigpending stores as many bytes as were requested", () => {
  const lab = new CallLab(), { sysRtSigpending } = actions;
  block(lab, SIGUSR1, 40);
  lab.call(send.sysTkill, 1, SIGUSR1);
  lab.call(send.sysKill, 1, 40);
  lab.words(64, OUT, -1);
  assertEquals(lab.call(sysRtSigpending, lab.memory + OUT, 9), "EINVAL");
  assertEquals(lab.call(sysRtSigpending, BAD, 8), "EFAULT");
  assertEquals(lab.call(sysRtSigpending, BAD, 0), 0);
  assertEquals(lab.call(sysRtSigpending, lab.memory + OUT, 4), 0);
  assertEquals(lab.readWords(32, OUT, 2), [1 << (SIGUSR1 - 1), -1]);
  assertEquals(lab.call(sysRtSigpending, lab.memory + OUT, 8), 0);
  assertEquals(lab.readWords(32, OUT, 2), [1 << (SIGUSR1 - 1), 1 << (40 - 33)]);
});

Deno.test("sigaltstack: pointers, flags, sizes, and the stack of before", () => {
  const lab = new CallLab(), { sysSigaltstack } = actions, out = lab.memory + OUT;
  const stack = (flags: number, size: number) => lab.words(64, 0, 0x70000, flags, size);
  assertEquals(lab.call(sysSigaltstack, BAD, 0), "EFAULT");
  assertEquals(lab.call(sysSigaltstack, stack(4, 8192), 0), "EINVAL");
  assertEquals(lab.call(sysSigaltstack, stack(0, 1024), 0), "ENOMEM");
  assertEquals(lab.call(sysSigaltstack, stack(0, 8192), out), 0);
  assertEquals(lab.readWords(64, OUT, 3), [0, 2, 0], "there was none: SS_DISABLE");
  assertEquals(lab.call(sysSigaltstack, stack(2, 5), out), 0);
  assertEquals(lab.readWords(64, OUT, 3), [0x70000, 0, 8192]);
  assertEquals(lab.call(sysSigaltstack, 0, BAD), "EFAULT");
});

Deno.test("kill, tkill and tgkill: ids, then the signal's number; 0 sends nothing", () => {
  const lab = new CallLab();
  block(lab, SIGUSR1);
  assertEquals(lab.call(send.sysKill, 99, 65), "ESRCH");
  assertEquals(lab.call(send.sysKill, 1, 65), "EINVAL");
  assertEquals(lab.call(send.sysKill, 1, -1 >>> 0), "EINVAL");
  assertEquals(lab.call(send.sysKill, -0x80000000 >>> 0, SIGUSR1), "ESRCH");
  assertEquals(lab.call(send.sysKill, -99 >>> 0, SIGUSR1), "ESRCH");
  assertEquals(lab.call(send.sysKill, -1 >>> 0, SIGUSR1), "ESRCH", "no process but init");
  assertEquals(lab.call(send.sysTkill, 0, 65), "EINVAL");
  assertEquals(lab.call(send.sysTkill, 99, 65), "ESRCH");
  assertEquals(lab.call(send.sysTkill, 1, 65), "EINVAL");
  assertEquals(lab.call(send.sysTgkill, 0, 1, SIGUSR1), "EINVAL");
  assertEquals(lab.call(send.sysTgkill, 1, -1 >>> 0, SIGUSR1), "EINVAL");
  assertEquals(lab.call(send.sysTgkill, 99, 1, SIGUSR1), "ESRCH", "a thread of another process");
  assertEquals(lab.call(send.sysKill, 1, 0), 0);
  assertEquals(lab.call(send.sysTgkill, 1, 1, 0), 0);
  assertEquals(isPending(lab, SIGUSR1), false);
  assertEquals(lab.call(send.sysTgkill, 1, 1, SIGUSR1), 0);
  assertEquals(lab.task.signals.pending.set.has(SIGUSR1), true, "the thread's");
  assertEquals(lab.task.group.pending.set.has(SIGUSR1), false);
});

/** A second process, which has ended. */
function addZombie(lab: CallLab, pid: number): void {
  const { pids } = lab.kernel, { group } = lab.task;
  const id = new TaskPid(pids, [pid]);
  enrollGroup(new ThreadGroup(id, group, group.pgrp, SIGCHLD, new Limits(null), 0));
}

Deno.test("rt_sigqueueinfo: the kernel's codes are the caller's own thread's alone", () => {
  const lab = new CallLab(), { sysRtSigqueueinfo, sysRtTgsigqueueinfo } = send;
  block(lab, SIGUSR1);
  const info = (code: number) => lab.words(32, 64, 0, 0, code, 0, 7, 8, 9, 0, ...Array(24).fill(0));
  addZombie(lab, 2);
  assertEquals(lab.call(sysRtSigqueueinfo, 2, SIGUSR1, BAD), "EFAULT");
  for (const code of [0, 1, -6]) {
    assertEquals(lab.call(sysRtSigqueueinfo, 2, SIGUSR1, info(code)), "EPERM");
    assertEquals(lab.call(sysRtTgsigqueueinfo, 2, 2, SIGUSR1, info(code)), "EPERM");
  }
  assertEquals(lab.call(sysRtSigqueueinfo, 99, SIGUSR1, info(-1)), "ESRCH");
  assertEquals(lab.call(sysRtSigqueueinfo, 1, 65, info(-1)), "EINVAL");
  assertEquals(lab.call(sysRtTgsigqueueinfo, 0, 1, SIGUSR1, info(-1)), "EINVAL");
  assertEquals(lab.call(sysRtTgsigqueueinfo, 2, 1, SIGUSR1, info(-1)), "ESRCH");
  assertEquals(isPending(lab, SIGUSR1), false);
  assertEquals(lab.call(sysRtSigqueueinfo, 1, SIGUSR1, info(-1)), 0);
  const set = lab.words(64, 0, 2 ** (SIGUSR1 - 1)), out = lab.memory + OUT;
  assertEquals(lab.call(wait.sysRtSigtimedwait, set, out, 0, SET_BYTES), SIGUSR1);
  assertEquals(lab.readWords(32, OUT, 7), [SIGUSR1, 0, -1, 0, 7, 8, 9]);
});

Deno.test("pidfd_send_signal: flags, the descriptor, the information", () => {
  const lab = new CallLab(), { sysPidfdSendSignal } = send;
  block(lab, SIGUSR1);
  const fd = Number(lab.call(sysPidfdOpen, 1, 0));
  const info = (sig: number) => lab.words(32, 64, sig, 0, -1, ...Array(29).fill(0));
  assertEquals(lab.call(sysPidfdSendSignal, 99, SIGUSR1, 0, 8), "EINVAL");
  assertEquals(lab.call(sysPidfdSendSignal, 99, SIGUSR1, 0, 3), "EINVAL", "two targets");
  assertEquals(lab.call(sysPidfdSendSignal, 99, SIGUSR1, BAD, 0), "EBADF");
  assertEquals(lab.call(sysPidfdSendSignal, fd, SIGUSR1, BAD, 0), "EFAULT");
  assertEquals(lab.call(sysPidfdSendSignal, fd, SIGUSR1, info(12), 0), "EINVAL", "another signal");
  assertEquals(lab.call(sysPidfdSendSignal, fd, 65, 0, 0), "EINVAL");
  assertEquals(lab.call(sysPidfdSendSignal, fd, 0, 0, 0), 0);
  assertEquals(isPending(lab, SIGUSR1), false);
  assertEquals(lab.call(sysPidfdSendSignal, fd, SIGUSR1, info(SIGUSR1), 1), 0);
  assertEquals(lab.task.signals.pending.set.has(SIGUSR1), true, "PIDFD_SIGNAL_THREAD");
});

Deno.test("rt_sigtimedwait: the size, the set, the time; then pending signals", () => {
  const lab = new CallLab(), { sysRtSigtimedwait } = wait;
  const set = lab.words(64, 0, 2 ** (SIGUSR1 - 1)), zero = lab.words(64, 64, 0, 0);
  assertEquals(lab.call(sysRtSigtimedwait, BAD, 0, BAD, 4), "EINVAL");
  assertEquals(lab.call(sysRtSigtimedwait, BAD, 0, BAD, SET_BYTES), "EFAULT");
  assertEquals(lab.call(sysRtSigtimedwait, set, 0, BAD, SET_BYTES), "EFAULT");
  assertEquals(
    lab.call(sysRtSigtimedwait, set, 0, lab.words(64, 128, 0, 1e9), SET_BYTES),
    "EINVAL",
  );
  assertEquals(lab.call(sysRtSigtimedwait, set, 0, zero, SET_BYTES), "EAGAIN");
  assertEquals(lab.call(sysRtSigtimedwait, set, 0, 0, SET_BYTES), BLOCK);
  lab.task.endWait();
  block(lab, SIGUSR1);
  lab.call(send.sysTkill, 1, SIGUSR1);
  lab.words(64, 0, 2 ** (SIGUSR1 - 1));
  assertEquals(lab.call(sysRtSigtimedwait, set, 0, zero, SET_BYTES), SIGUSR1);
  assertEquals(isPending(lab, SIGUSR1), false);
});

Deno.test("rt_sigsuspend: the size, the pointer, and the mask while it waits", () => {
  const lab = new CallLab(), { sysRtSigsuspend } = wait;
  block(lab, SIGUSR1);
  assertEquals(lab.call(sysRtSigsuspend, BAD, 4), "EINVAL");
  assertEquals(lab.call(sysRtSigsuspend, BAD, SET_BYTES), "EFAULT");
  assertEquals(lab.task.signals.blocked.has(SIGUSR1), true);
  assertEquals(lab.call(sysRtSigsuspend, lab.words(64, 0, -1), SET_BYTES), BLOCK);
  assertEquals(lab.task.signals.blocked.has(SIGCHLD), true);
  assertEquals(lab.task.signals.blocked.has(SIGKILL), false);
});

Deno.test("signalfd: the set's size and pointer, flags, the descriptor", () => {
  const lab = new CallLab(), set = lab.words(64, 0, 0);
  const f = Number(lab.call(sysOpen, "/f", O_CREAT | O_RDWR, 0o600));
  assertEquals(lab.call(sysSignalfd4, 99, BAD, 4, 1), "EINVAL");
  assertEquals(lab.call(sysSignalfd4, 99, BAD, SET_BYTES, 1), "EFAULT");
  assertEquals(lab.call(sysSignalfd4, 99, set, SET_BYTES, 1), "EINVAL");
  assertEquals(lab.call(sysSignalfd4, 99, set, SET_BYTES, 0), "EBADF");
  assertEquals(lab.call(sysSignalfd4, f, set, SET_BYTES, 0), "EINVAL");
  const made = Number(lab.call(sysSignalfd4, 2 ** 32 - 1, set, SET_BYTES, O_NONBLOCK));
  assertEquals(lab.call(sysSignalfd4, made, set, SET_BYTES, 0), made, "another mask for it");
  assertEquals(lab.call(sysRead, made, lab.memory + OUT, 128), "EAGAIN");
});
