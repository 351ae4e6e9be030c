import { assertEquals } from "@std/assert";
import * as P from "../../../ffi/abi/ptrace.ts";
import { SIGCONT, SIGSTOP, SIGTRAP, SIGUSR1 } from "../../../ffi/abi/signal.ts";
import {
  CLONE_FILES,
  CLONE_FS,
  CLONE_SIGHAND,
  CLONE_THREAD,
  CLONE_VM,
} from "../../../ffi/abi/sched.ts";
import { EFLAGS } from "../../../platform/platform.ts";
import { NO_CAPS } from "../../cred/credentials.ts";
import { DEAD, RUNNING, TRACED } from "../../task/task.ts";
import { contextOf, DATA, GONE } from "../../testing/task_lab.ts";
import { TraceLab, withRunning, withStopped } from "../ptrace_testing.ts";

/** The status of a stop by PTRACE_INTERRUPT, and of a group stop of a seized tracee. */
const TRAPPED = P.PTRACE_EVENT_STOP << 16 | SIGTRAP << 8 | 0x7f;
const GROUP_STOP = P.PTRACE_EVENT_STOP << 16 | SIGSTOP << 8 | 0x7f;
const THREAD = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
const NONE = 999_999, SIGNAL = 65;

Deno.test("ptrace finds processes, and tracees that have stopped", () =>
  withRunning((lab) => {
    const { tracer, tracee, kernel } = lab;
    assertEquals([lab.do(P.PTRACE_ATTACH, 0, 0, NONE), lab.do(P.PTRACE_CONT)], ["ESRCH", "ESRCH"]);
    assertEquals(lab.do(P.PTRACE_ATTACH, 0, 0, tracer.tid), "EPERM", "itself");
    assertEquals(kernel.call(tracee, "ptrace", P.PTRACE_TRACEME), 0);
    assertEquals(kernel.call(tracee, "ptrace", P.PTRACE_TRACEME), -1);
    assertEquals([lab.do(P.PTRACE_CONT), lab.do(P.PTRACE_GETREGS)], ["ESRCH", "ESRCH"], "it runs");
    assertEquals([lab.do(P.PTRACE_ATTACH), lab.do(P.PTRACE_SEIZE)], ["EPERM", "EPERM"]);
    assertEquals([lab.do(P.PTRACE_INTERRUPT), lab.do(P.PTRACE_KILL), tracee.state], [
      "EIO",
      0,
      DEAD,
    ]);
  }));

Deno.test("only the thread that traces makes requests", () =>
  withStopped((lab) => {
    const other = lab.fork();
    assertEquals(lab.kernel.call(other, "ptrace", P.PTRACE_CONT, lab.tracee.tid), -3);
    assertEquals([lab.do(P.PTRACE_CONT), lab.tracee.state], [0, RUNNING]);
  }));

Deno.test("options, addresses and signals of requests are checked", () =>
  withStopped((lab) => {
    const wrong: readonly [request: number, addr: number, data: number, error: string][] = [
      [P.PTRACE_SETOPTIONS, 0, 1 << 30, "EINVAL"],
      [P.PTRACE_SETOPTIONS, 0, 2 ** 40, "EINVAL"],
      [P.PTRACE_SEIZE, 1, 0, "EIO"],
      [P.PTRACE_SEIZE, 0, 1 << 30, "EIO"],
      [P.PTRACE_CONT, 0, SIGNAL, "EIO"],
      [P.PTRACE_SYSCALL, 0, SIGNAL, "EIO"],
      [P.PTRACE_DETACH, 0, SIGNAL, "EIO"],
      [P.PTRACE_LISTEN, 0, 0, "EIO"],
      [P.PTRACE_SYSEMU_SINGLESTEP, 0, 0, "EIO"],
      [999, 0, 0, "EIO"],
    ];
    for (const [request, addr, data, error] of wrong) {
      assertEquals(lab.do(request, addr, data), error, `${request}`);
    }
    assertEquals(lab.do(P.PTRACE_SETOPTIONS, 0, P.PTRACE_O_SUSPEND_SECCOMP), 0);
    lab.tracer.cred = { ...lab.tracer.cred, effective: NO_CAPS };
    assertEquals(lab.do(P.PTRACE_SETOPTIONS, 0, P.PTRACE_O_SUSPEND_SECCOMP), "EPERM");
    assertEquals(lab.do(P.PTRACE_SEIZE, 0, P.PTRACE_O_SUSPEND_SECCOMP), "EPERM");
    assertEquals([lab.do(P.PTRACE_SETOPTIONS, 0, P.PTRACE_O_EXITKILL), lab.tracee.trace?.options], [
      0,
      P.PTRACE_O_EXITKILL,
    ]);
  }));

Deno.test("PTRACE_ATTACH stops a process, PTRACE_DETACH releases it with a signal", () =>
  withRunning((lab) => {
    const { tracee } = lab;
    assertEquals([lab.do(P.PTRACE_ATTACH), lab.wait()], [0, SIGSTOP << 8 | 0x7f]);
    assertEquals([tracee.state, lab.do(P.PTRACE_DETACH, 0, 0)], [TRACED, 0]);
    assertEquals([tracee.state, tracee.trace], [RUNNING, null]);
    assertEquals([lab.do(P.PTRACE_ATTACH), lab.wait() >> 8], [0, SIGSTOP]);
    assertEquals([lab.do(P.PTRACE_DETACH, 0, SIGUSR1), tracee.state], [0, DEAD]);
    assertEquals(lab.wait(), SIGUSR1);
  }));

Deno.test("a seized process stops by PTRACE_INTERRUPT, and listens until the next one", () =>
  withRunning((lab) => {
    const interrupt = () => lab.do(P.PTRACE_INTERRUPT), listen = () => lab.do(P.PTRACE_LISTEN);
    assertEquals([lab.do(P.PTRACE_SEIZE), lab.wait(), listen()], [0, 0, "ESRCH"]);
    assertEquals([interrupt(), lab.wait()], [0, TRAPPED]);
    assertEquals([listen(), lab.wait(), lab.do(P.PTRACE_CONT)], [0, 0, "ESRCH"]);
    assertEquals([interrupt(), lab.wait(), lab.do(P.PTRACE_CONT)], [0, TRAPPED, 0]);
    assertEquals(lab.tracee.state, RUNNING);
  }));

Deno.test("a seized process in a group stop listens until it is continued", () =>
  withRunning((lab) => {
    const { kernel, tracer, tracee } = lab;
    const kill = (sig: number) => kernel.call(tracer, "kill", tracee.pid, sig);
    lab.do(P.PTRACE_SEIZE);
    kill(SIGSTOP);
    assertEquals([lab.wait(), lab.do(P.PTRACE_LISTEN)], [SIGSTOP << 8 | 0x7f, "EIO"]);
    assertEquals([lab.do(P.PTRACE_CONT, 0, SIGSTOP), lab.wait()], [0, GROUP_STOP]);
    assertEquals([lab.do(P.PTRACE_LISTEN), lab.wait(), lab.do(P.PTRACE_CONT)], [0, 0, "ESRCH"]);
    kill(SIGCONT);
    assertEquals([lab.wait(), lab.do(P.PTRACE_CONT)], [TRAPPED, 0]);
    assertEquals(lab.wait(), SIGCONT << 8 | 0x7f);
  }));

Deno.test("PTRACE_LISTEN in a group stop that ended returns to the tracer at once", () =>
  withRunning((lab) => {
    const { kernel, tracer, tracee } = lab;
    lab.do(P.PTRACE_SEIZE);
    kernel.call(tracer, "kill", tracee.pid, SIGSTOP);
    lab.wait();
    assertEquals([lab.do(P.PTRACE_CONT, 0, SIGSTOP), lab.wait()], [0, GROUP_STOP]);
    kernel.call(tracer, "kill", tracee.pid, SIGCONT);
    assertEquals([lab.do(P.PTRACE_LISTEN), lab.wait()], [0, TRAPPED]);
  }));

Deno.test("a thread that listens reports the stop of its process", () =>
  withRunning((lab) => {
    const { kernel, tracer, tracee } = lab;
    const other = Number(kernel.call(tracee, "clone", THREAD, DATA + 0x8000));
    lab.do(P.PTRACE_SEIZE);
    lab.do(P.PTRACE_INTERRUPT);
    assertEquals([lab.wait(), lab.do(P.PTRACE_LISTEN), lab.wait()], [TRAPPED, 0, 0]);
    kernel.call(tracer, "tgkill", tracee.pid, other, SIGSTOP);
    assertEquals(lab.wait(), GROUP_STOP);
    assertEquals([lab.do(P.PTRACE_LISTEN), lab.wait()], [0, 0]);
    kernel.call(tracer, "kill", tracee.pid, SIGCONT);
    assertEquals(lab.wait(), TRAPPED);
  }));

Deno.test("a tracee runs freely, by one instruction, or with another signal", () =>
  withStopped((lab) => {
    const { regs } = contextOf(lab.tracee), { kernel, tracee } = lab;
    const isStepping = () => (regs.getUint32(EFLAGS, true) & 0x100) !== 0;
    assertEquals([lab.do(P.PTRACE_SINGLESTEP), tracee.state, isStepping()], [0, RUNNING, true]);
    kernel.call(tracee, "kill", tracee.pid, SIGUSR1);
    assertEquals([lab.wait() >> 8, isStepping()], [SIGTRAP, false], "behind the call");
    assertEquals([lab.do(P.PTRACE_CONT), lab.wait() >> 8], [0, SIGUSR1]);
    assertEquals([lab.do(P.PTRACE_CONT), isStepping(), lab.wait()], [0, false, 0], "no signal");
    kernel.call(tracee, "kill", tracee.pid, SIGUSR1);
    assertEquals([lab.wait() >> 8, lab.do(P.PTRACE_CONT, 0, SIGUSR1)], [SIGUSR1, 0]);
    assertEquals([kernel.outcome(tracee), lab.wait()], [GONE, SIGUSR1]);
  }));

Deno.test("tracees of a tracer that ends run on, or die with PTRACE_O_EXITKILL", () => {
  for (const options of [0, P.PTRACE_O_EXITKILL]) {
    const lab = new TraceLab(), { kernel, tracee } = lab, tracer = lab.fork();
    assertEquals(kernel.call(tracer, "ptrace", P.PTRACE_SEIZE, tracee.tid, 0, options), 0);
    assertEquals(kernel.call(tracer, "exit_group", 0), GONE);
    assertEquals([tracee.trace, tracee.state], [null, options === 0 ? RUNNING : DEAD]);
    kernel.close();
  }
});
