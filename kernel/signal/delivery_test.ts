import { assertEquals, assertNotEquals } from "@std/assert";
import {
  SA_NODEFER,
  SA_ONSTACK,
  SA_RESETHAND,
  SA_RESTART,
  SA_RESTORER,
  SA_SIGINFO,
  SIG_DFL,
  SIGBUS,
  SIGCONT,
  SIGKILL,
  SIGSEGV,
  SIGSTOP,
  SIGTERM,
  SIGTSTP,
  SIGUSR1,
  SIGUSR2,
} from "../../ffi/abi/signal.ts";
import { EFAULT, EINTR } from "../../ffi/abi/errno.ts";
import { SI_USER, SiginfoRt } from "../../ffi/abi/siginfo.ts";
import { Sigcontext, Ucontext } from "../../ffi/abi/ucontext.ts";
import { statusKilled } from "../../ffi/abi/wait.ts";
import {
  EFLAGS,
  FS_BASE,
  RAX,
  RDI,
  RDX,
  RIP,
  RSI,
  RSP,
  TRAP_EXCEPTION,
  TRAP_FAULT,
} from "../../platform/platform.ts";
import { contextOf, DATA, GONE, LabKernel, STACK_TOP, WAITS } from "../testing/task_lab.ts";
import { getReg, setReg } from "../task/registers.ts";
import { DEAD, STOPPED, type Task } from "../task/task.ts";
import { SigInfo } from "./pending.ts";
import { sendToGroup, sendToTask, userSignal } from "./send.ts";

const HANDLER = 0x6000, RESTORER = 0x7000;

function catching(task: Task, sig: number, flags: number = 0): void {
  const action = task.sighand.of(sig);
  action.handler = HANDLER;
  action.flags = (flags | SA_RESTORER | SA_SIGINFO) >>> 0;
  action.restorer = RESTORER;
}

function withTask(test: (kernel: LabKernel, task: Task) => void): void {
  const kernel = new LabKernel();
  const task = kernel.start();
  test(kernel, task);
  kernel.close();
}

/** The guest's handler returns. */
function sigreturn(kernel: LabKernel, task: Task): void {
  const { regs } = contextOf(task);
  setReg(regs, RSP, getReg(regs, RSP) + 8);
  kernel.call(task, "rt_sigreturn");
}

Deno.test("a handler's frame has the registers at the call's end, which sigreturn restores", () =>
  withTask((kernel, task) => {
    const { regs, fpu } = contextOf(task), sp = getReg(regs, RSP);
    fpu[200] = 77;
    catching(task, SIGUSR1);
    assertEquals(kernel.call(task, "kill", task.pid, SIGUSR1), GONE);
    assertEquals(getReg(regs, RIP), HANDLER);
    assertEquals(getReg(regs, RDI), SIGUSR1);
    const frame = getReg(regs, RSP);
    assertEquals(frame % 16, 8);
    assertEquals(task.mm.load64(frame), RESTORER);
    assertEquals(getReg(regs, RDX), frame + 8);
    const info = getReg(regs, RSI);
    assertEquals(task.mm.load32(info), SIGUSR1);
    assertEquals(task.mm.load32(info + SiginfoRt.at.code), SI_USER);
    assertEquals(task.mm.load32(info + SiginfoRt.at.pid), task.pid);
    const context = frame + 8 + Ucontext.at.mcontext;
    assertEquals(task.mm.load64(context + Sigcontext.at.rsp), sp);
    assertEquals(task.mm.load64(context + Sigcontext.at.rip), 0x5000);
    assertEquals(task.mm.load64(context + Sigcontext.at.rax), 0);
    assertEquals(task.mm.load64(context + Sigcontext.at.fpstate) % 64, 0);
    assertEquals(fpu[200], 0);
    assertEquals(task.signals.blocked.has(SIGUSR1), true);
    sigreturn(kernel, task);
    assertEquals(getReg(regs, RIP), 0x5000);
    assertEquals(getReg(regs, RSP), sp);
    assertEquals(fpu[200], 77);
    assertEquals(task.signals.blocked.has(SIGUSR1), false);
  }));

Deno.test("registers that a handler writes to its frame are loaded, but not every flag", () =>
  withTask((kernel, task) => {
    const { regs } = contextOf(task);
    setReg(regs, EFLAGS, 0x202);
    setReg(regs, FS_BASE, 0x1234);
    catching(task, SIGUSR1);
    kernel.call(task, "kill", task.pid, SIGUSR1);
    const context = getReg(regs, RSP) + 8 + Ucontext.at.mcontext;
    task.mm.store64(context + Sigcontext.at.rip, 0x9000);
    task.mm.store64(context + Sigcontext.at.eflags, 0xffffffff);
    sigreturn(kernel, task);
    assertEquals(getReg(regs, RIP), 0x9000);
    assertEquals(getReg(regs, EFLAGS), 0x202 | 0x50dd5);
    assertEquals(getReg(regs, FS_BASE), 0x1234);
  }));

Deno.test("sigreturn without a frame, or with a foreign code segment, is SIGSEGV", () =>
  withTask((kernel, task) => {
    const { regs } = contextOf(task);
    setReg(regs, RSP, 0x100);
    assertEquals(kernel.call(task, "rt_sigreturn"), GONE);
    assertEquals(kernel.initStatus, statusKilled(SIGSEGV, false));
    assertEquals(task.state, DEAD);
  }));

Deno.test("a handler that has no room ends the process, its stack not being there", () =>
  withTask((kernel, task) => {
    catching(task, SIGUSR1);
    setReg(contextOf(task).regs, RSP, DATA + 64);
    kernel.call(task, "kill", task.pid, SIGUSR1);
    assertEquals(kernel.initStatus, statusKilled(SIGSEGV, false));
  }));

Deno.test("a restorer is needed", () =>
  withTask((kernel, task) => {
    catching(task, SIGUSR1);
    task.sighand.of(SIGUSR1).flags = SA_SIGINFO;
    kernel.call(task, "kill", task.pid, SIGUSR1);
    assertEquals(kernel.initStatus, statusKilled(SIGSEGV, false));
  }));

Deno.test("SA_NODEFER and SA_RESETHAND", () =>
  withTask((kernel, task) => {
    catching(task, SIGUSR1, SA_NODEFER | SA_RESETHAND);
    kernel.call(task, "kill", task.pid, SIGUSR1);
    assertEquals(task.signals.blocked.has(SIGUSR1), false);
    assertEquals(task.sighand.of(SIGUSR1).handler, SIG_DFL);
  }));

Deno.test("SA_ONSTACK goes to the alternate stack, and stays there when nested", () =>
  withTask((kernel, task) => {
    const { regs } = contextOf(task);
    task.signals.altBase = DATA;
    task.signals.altSize = 0x4000;
    task.signals.altFlags = 0;
    catching(task, SIGUSR1, SA_ONSTACK);
    catching(task, SIGUSR2, SA_ONSTACK);
    kernel.call(task, "kill", task.pid, SIGUSR1);
    const first = getReg(regs, RSP);
    assertEquals(first > DATA && first < DATA + 0x4000, true);
    kernel.call(task, "kill", task.pid, SIGUSR2);
    const second = getReg(regs, RSP);
    assertEquals(second > DATA && second < first - 128, true);
    sigreturn(kernel, task);
    sigreturn(kernel, task);
    assertEquals(getReg(regs, RSP), STACK_TOP - 0x1000);
  }));

Deno.test("an alternate stack that is too small is SIGSEGV, not memory below it", () =>
  withTask((kernel, task) => {
    task.signals.altBase = DATA + 0x4000;
    task.signals.altSize = 0x400;
    task.signals.altFlags = 0;
    catching(task, SIGUSR1, SA_ONSTACK);
    kernel.call(task, "kill", task.pid, SIGUSR1);
    assertEquals(kernel.initStatus, statusKilled(SIGSEGV, false));
  }));

Deno.test("two pending signals push two frames, the lower number runs last", () =>
  withTask((kernel, task) => {
    const { regs } = contextOf(task);
    catching(task, SIGUSR1);
    catching(task, SIGUSR2);
    task.signals.blocked.set(0xffffffff, 0xffffffff);
    kernel.call(task, "kill", task.pid, SIGUSR2);
    kernel.call(task, "kill", task.pid, SIGUSR1);
    task.mm.store64(DATA, 0);
    assertEquals(kernel.call(task, "rt_sigprocmask", 2, DATA, 0, 8), GONE);
    assertEquals(getReg(regs, RDI), SIGUSR2);
    sigreturn(kernel, task);
    assertEquals(getReg(regs, RIP), HANDLER);
    assertEquals(getReg(regs, RDI), SIGUSR1);
    sigreturn(kernel, task);
    assertEquals(getReg(regs, RIP), 0x5000);
  }));

Deno.test("a wait that a handler interrupts: EINTR, or the call again with SA_RESTART", () => {
  for (const flags of [0, SA_RESTART]) {
    withTask((kernel, task) => {
      const { regs } = contextOf(task), wait4 = 61;
      catching(task, SIGUSR1, flags);
      kernel.call(task, "fork");
      assertEquals(kernel.call(task, "wait4", -1, 0, 0, 0), WAITS);
      sendToTask(task, userSignal(SIGUSR1, task));
      kernel.settle();
      const context = getReg(regs, RSP) + 8 + Ucontext.at.mcontext;
      const rax = task.mm.load32(context + Sigcontext.at.rax) | 0;
      const rip = task.mm.load64(context + Sigcontext.at.rip);
      assertEquals([rax, rip], flags === 0 ? [-EINTR, 0x5000] : [wait4, 0x5000 - 2]);
    });
  }
});

Deno.test("a wait goes on after a stop that no handler saw", () =>
  withTask((kernel, task) => {
    kernel.call(task, "fork");
    assertEquals(kernel.call(task, "pause"), WAITS);
    sendToGroup(task.group, userSignal(SIGSTOP, task));
    kernel.settle();
    assertEquals(task.state, STOPPED);
    sendToGroup(task.group, userSignal(SIGCONT, task));
    kernel.settle();
    assertEquals(kernel.outcome(task), WAITS);
  }));

Deno.test("SIGCONT removes pending stops, and a stop removes a pending SIGCONT", () =>
  withTask((_kernel, task) => {
    task.signals.blocked.set(0xffffffff, 0xffffffff);
    sendToTask(task, userSignal(SIGTSTP, task));
    assertEquals(task.signals.pending.set.has(SIGTSTP), true);
    sendToGroup(task.group, userSignal(SIGCONT, task));
    assertEquals(task.signals.pending.set.has(SIGTSTP), false);
    sendToTask(task, userSignal(SIGTSTP, task));
    assertEquals(task.group.pending.set.has(SIGCONT), false);
  }));

Deno.test("sigsuspend: the handler's frame has the mask of before", () =>
  withTask((kernel, task) => {
    catching(task, SIGUSR1);
    task.signals.blocked.add(SIGUSR1);
    task.mm.store64(DATA, 0);
    assertEquals(kernel.call(task, "rt_sigsuspend", DATA, 8), WAITS);
    sendToGroup(task.group, userSignal(SIGUSR1, task));
    kernel.settle();
    const { regs } = contextOf(task);
    assertEquals(getReg(regs, RIP), HANDLER);
    const mask = getReg(regs, RSP) + 8 + Ucontext.at.sigmask;
    assertEquals(task.mm.load32(mask), 1 << (SIGUSR1 - 1));
    sigreturn(kernel, task);
    assertEquals(task.signals.blocked.has(SIGUSR1), true);
    assertEquals(regs.getInt32(RAX, true), -EINTR);
  }));

Deno.test("sigtimedwait takes queued signals in order, and times out", () =>
  withTask((kernel, task) => {
    const RT = 40;
    task.signals.blocked.add(RT);
    task.mm.store64(DATA, 2 ** (RT - 1));
    for (const value of [7, 8]) {
      const info = new SigInfo(RT, -1);
      info.valueLo = value;
      sendToTask(task, info);
    }
    assertEquals(kernel.call(task, "rt_sigtimedwait", DATA, DATA + 256, 0, 8), RT);
    assertEquals(task.mm.load32(DATA + 256 + SiginfoRt.at.value), 7);
    assertEquals(kernel.call(task, "rt_sigtimedwait", DATA, DATA + 256, 0, 8), RT);
    assertEquals(task.mm.load32(DATA + 256 + SiginfoRt.at.value), 8);
    task.mm.store64(DATA + 64, 1);
    task.mm.store64(DATA + 72, 0);
    assertEquals(kernel.call(task, "rt_sigtimedwait", DATA, 0, DATA + 64, 8), WAITS);
    kernel.pass(2e9);
    assertEquals(kernel.outcome(task), -11);
    assertEquals(kernel.call(task, "rt_sigtimedwait", DATA, 0, DATA + 64, 8), WAITS);
    sendToTask(task, new SigInfo(RT, 0));
    kernel.settle();
    assertEquals(kernel.outcome(task), RT);
    assertEquals(kernel.call(task, "rt_sigtimedwait", 8, 0, 0, 8), -EFAULT);
  }));

Deno.test("a fault that cannot be resolved is a signal with its address", () =>
  withTask((kernel, task) => {
    const ctx = contextOf(task);
    catching(task, SIGSEGV);
    ctx.faultAddr = 0x123000;
    ctx.faultAccess = 2;
    ctx.signo = SIGSEGV;
    ctx.trapno = 14;
    ctx.errorCode = 6;
    ctx.isFull = true;
    kernel.trap(task, TRAP_FAULT);
    assertEquals(getReg(ctx.regs, RIP), HANDLER);
    const info = getReg(ctx.regs, RSI);
    assertEquals(task.mm.load32(info + SiginfoRt.at.code), 1);
    assertEquals(task.mm.load64(info + 16), 0x123000);
    const context = getReg(ctx.regs, RSP) + 8 + Ucontext.at.mcontext;
    assertEquals(task.mm.load64(context + Sigcontext.at.cr2), 0x123000);
    assertEquals(task.mm.load64(context + Sigcontext.at.trapno), 14);
    assertEquals(task.mm.load64(context + Sigcontext.at.err), 6);
  }));

Deno.test("an exception that is blocked or ignored ends the process", () => {
  for (const ignore of [false, true]) {
    withTask((kernel, task) => {
      catching(task, SIGBUS);
      if (ignore) task.sighand.of(SIGBUS).handler = 1;
      else task.signals.blocked.add(SIGBUS);
      contextOf(task).signo = SIGBUS;
      kernel.trap(task, TRAP_EXCEPTION);
      assertEquals(kernel.initStatus, statusKilled(SIGBUS, false));
    });
  }
});

Deno.test("an unkillable init ignores signals that it does not catch, except from outside", () =>
  withTask((kernel, task) => {
    task.group.isUnkillable = true;
    for (const sig of [SIGTERM, SIGKILL, SIGSTOP]) kernel.call(task, "kill", task.pid, sig);
    assertEquals(task.state === DEAD || task.group.isStopped, false);
    const info = new SigInfo(SIGKILL, 0);
    info.isFromOutside = true;
    sendToGroup(task.group, info);
    kernel.settle();
    assertEquals(task.state, DEAD);
    assertNotEquals(kernel.initStatus, -1);
  }));
