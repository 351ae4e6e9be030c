// CPU time of tasks: by the clock, and by what the host's processors did where they tell.

import { assertAlmostEquals } from "@std/assert";
import {
  CLONE_FILES,
  CLONE_FS,
  CLONE_SIGHAND,
  CLONE_THREAD,
  CLONE_VM,
} from "../../ffi/abi/sched.ts";
import { DATA, LabKernel } from "../testing/task_lab.ts";
import { groupUserNs, threadCpuNs, threadUserNs } from "./cpu_clock.ts";
import type { Task } from "./task.ts";

const SECOND = 1e9, TOLERANCE = 1e6, HOST_PID = 77;
const THREAD = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;

/** @param usedNs CPU time of the process in each second; negative: the host does not report it */
class Lab {
  readonly kernel: LabKernel = new LabKernel();
  readonly task: Task = this.kernel.start();
  /** CPU time of the task when the test begins. */
  readonly startNs: number;
  private readonly usedNs: number;

  constructor(usedNs: number) {
    this.usedNs = usedNs;
    this.kernel.pass(0);
    this.kernel.call(this.task, "getppid");
    this.startNs = threadCpuNs(this.task);
    if (usedNs < 0) return;
    (this.task.mm.space as { hostPid: number }).hostPid = HOST_PID;
    this.kernel.host.cpuNsOf.set(HOST_PID, this.startNs);
  }

  runSeconds(seconds: number): void {
    const { cpuNsOf } = this.kernel.host;
    if (this.usedNs >= 0) {
      cpuNsOf.set(HOST_PID, cpuNsOf.get(HOST_PID)! + seconds * this.usedNs);
    }
    this.kernel.pass(seconds * SECOND);
  }

  thread(): Task {
    const tid = this.kernel.call(this.task, "clone", THREAD >>> 0, DATA + 0x8000, DATA);
    return this.kernel.pids.tasks.get(Number(tid))!;
  }
}

function withLab(usedNs: number, test: (lab: Lab) => void): void {
  const lab = new Lab(usedNs);
  test(lab);
  lab.kernel.close();
}

Deno.test("a thread that runs used all the time, as far as is known", () =>
  withLab(-1, (lab) => {
    lab.runSeconds(2);
    lab.kernel.call(lab.task, "getppid");
    assertAlmostEquals(threadCpuNs(lab.task) - lab.startNs, 2 * SECOND, TOLERANCE);
    lab.runSeconds(1);
    assertAlmostEquals(threadCpuNs(lab.task) - lab.startNs, 3 * SECOND, TOLERANCE);
  }));

Deno.test("where the host gave its process less, it used that", () =>
  withLab(0.1 * SECOND, (lab) => {
    lab.runSeconds(2);
    assertAlmostEquals(
      threadUserNs(lab.task) - lab.startNs,
      0.2 * SECOND,
      TOLERANCE,
      "while it runs",
    );
    lab.runSeconds(3);
    lab.kernel.call(lab.task, "getppid");
    assertAlmostEquals(threadCpuNs(lab.task) - lab.startNs, 0.5 * SECOND, TOLERANCE);
  }));

Deno.test("threads that ran at the same time share the host's CPU time", () =>
  withLab(0.8 * SECOND, (lab) => {
    const others = [1, 2, 3].map(() => lab.thread());
    lab.runSeconds(1);
    for (const t of others) {
      lab.kernel.call(t, "getppid");
      assertAlmostEquals(threadCpuNs(t), 0.2 * SECOND, TOLERANCE);
    }
    assertAlmostEquals(groupUserNs(lab.task.group) - lab.startNs, 0.8 * SECOND, TOLERANCE);
  }));
