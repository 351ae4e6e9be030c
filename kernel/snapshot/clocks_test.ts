import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { ECANCELED, ETIMEDOUT } from "../../ffi/abi/errno.ts";
import { SIGUSR1 } from "../../ffi/abi/signal.ts";
import { DATA, LabKernel, WAITS } from "../testing/task_lab.ts";
import { groupCpuNs } from "../task/cpu_clock.ts";
import type { Task } from "../task/task.ts";
import { readStoppedClocks, resumeClocks } from "./clocks.ts";

const REALTIME = 0, MONOTONIC = 1, BOOTTIME = 7, ABSTIME = 1, CANCEL_ON_SET = 2;
const SPEC = DATA, OUT = DATA + 64, WORD = DATA + 128, EVENT = DATA + 192, ID = DATA + 256;
const SECOND = 1e9, DAY = 86_400, FAR_SEC = 1e12;
const FUTEX_WAIT_BITSET_REALTIME = 9 | 128 | 256;

class StillLab {
  readonly kernel: LabKernel = new LabKernel();
  readonly task: Task = this.kernel.start();

  /** Writes an it_interval and an it_value, or another pair of times. */
  times(intervalSec: number, valueSec: number): number {
    const { mm } = this.task;
    [intervalSec, 0, valueSec, 0].forEach((word, i) => mm.store64(SPEC + 8 * i, word));
    return SPEC;
  }
  time(sec: number): number {
    return this.times(sec, 0);
  }
  get realtimeSec(): number {
    return this.kernel.host.realtimeSec();
  }
  call(name: string, ...args: number[]): number | string {
    return this.kernel.call(this.task, name, ...args);
  }
  /** A clock as a guest reads it, ns. */
  clock(id: number): number {
    assertEquals(this.call("clock_gettime", id, OUT), 0);
    return this.task.mm.load64(OUT) * SECOND + this.task.mm.load64(OUT + 8);
  }
  /** The kernel stands still while the host's clocks go on, negative: while they go back. */
  standStill(sec: number): void {
    const { kernel } = this, stopped = readStoppedClocks(kernel.host);
    kernel.host.nowNs += sec * SECOND;
    resumeClocks(kernel, stopped);
    this.pass(0);
  }
  pass(sec: number): void {
    this.kernel.pass(sec * SECOND);
  }
  get outcome(): number | string {
    return this.kernel.outcome(this.task);
  }
}

function withLab(test: (lab: StillLab) => void): void {
  const lab = new StillLab();
  test(lab);
  lab.kernel.close();
}

Deno.test("the monotonic clock goes on where it stopped; the real-time clock is the host's", () =>
  withLab((lab) => {
    for (const standstill of [40 * DAY, -40 * DAY, 0]) {
      lab.kernel.host.nowNs += 50 * DAY * SECOND;
      const before = [MONOTONIC, BOOTTIME, REALTIME].map((id) => lab.clock(id));
      lab.standStill(standstill);
      const after = [MONOTONIC, BOOTTIME, REALTIME].map((id) => lab.clock(id));
      for (const i of [0, 1]) assertAlmostEquals(after[i]! - before[i]!, 0, 1e6);
      assertAlmostEquals(after[2]! - before[2]!, standstill * SECOND, 1e6);
    }
  }));

Deno.test("a relative sleep keeps its rest over a standstill", () =>
  withLab((lab) => {
    assertEquals(lab.call("nanosleep", lab.time(10), 0), WAITS);
    lab.pass(4);
    lab.standStill(30 * DAY);
    lab.pass(5);
    assertEquals(lab.outcome, WAITS);
    lab.pass(2);
    assertEquals(lab.outcome, 0);
  }));

Deno.test("a sleep until a time of the real-time clock ends when that time has passed", () =>
  withLab((lab) => {
    const until = lab.realtimeSec + 100;
    assertEquals(lab.call("clock_nanosleep", REALTIME, ABSTIME, lab.time(until), 0), WAITS);
    lab.standStill(60);
    lab.pass(30);
    assertEquals(lab.outcome, WAITS);
    lab.standStill(-30);
    lab.pass(30);
    assertEquals(lab.outcome, WAITS, "the clock went back");
    lab.standStill(DAY);
    assertEquals(lab.outcome, 0);
  }));

Deno.test("a futex call that waits for a time of the real-time clock times out", () =>
  withLab((lab) => {
    const until = lab.time(lab.realtimeSec + 100);
    const call = () => lab.call("futex", WORD, FUTEX_WAIT_BITSET_REALTIME, 0, until, 0, 1);
    assertEquals(call(), WAITS);
    lab.standStill(DAY);
    assertEquals(lab.outcome, -ETIMEDOUT);
  }));

Deno.test("a timerfd of the real-time clock follows it, others keep their rest", () =>
  withLab((lab) => {
    const make = (clock: number) => lab.call("timerfd_create", clock, 0o4000) as number;
    const real = make(REALTIME), relative = make(REALTIME), monotonic = make(MONOTONIC);
    const set = (fd: number, flags: number, ...times: [number, number]) =>
      assertEquals(lab.call("timerfd_settime", fd, flags, lab.times(...times), 0), 0);
    const ticks = (fd: number) => {
      const r = lab.call("read", fd, OUT, 8);
      return r === 8 ? lab.task.mm.load64(OUT) : r;
    };
    set(real, ABSTIME, DAY, lab.realtimeSec + 100);
    set(relative, 0, 0, 100);
    set(monotonic, 0, 0, 100);
    lab.standStill(10 * DAY + 1000);
    assertEquals([real, relative, monotonic].map(ticks), [11, -11, -11]);
    // It has expired and was not read when the clock goes back: the expiration is taken back.
    lab.standStill(DAY);
    lab.standStill(-DAY);
    assertEquals(ticks(real), 0);
    lab.pass(101);
    assertEquals([relative, monotonic].map(ticks), [1, 1]);
  }));

Deno.test("TFD_TIMER_CANCEL_ON_SET cancels a timer, far away or not, once for a standstill", () =>
  withLab((lab) => {
    const fd = lab.call("timerfd_create", REALTIME, 0o4000) as number;
    const set = (sec: number, flags: number) =>
      lab.call("timerfd_settime", fd, flags, lab.times(0, sec), 0);
    const read = () => lab.call("read", fd, OUT, 8);
    assertEquals(set(FAR_SEC, ABSTIME | CANCEL_ON_SET), 0);
    assertEquals(read(), -11);
    lab.standStill(1);
    assertEquals([read(), read()], [-ECANCELED, -11]);
    lab.standStill(1);
    assertEquals(set(FAR_SEC, ABSTIME | CANCEL_ON_SET), -ECANCELED, "set all the same");
    assertEquals(read(), -11);
    assertEquals(set(FAR_SEC, CANCEL_ON_SET), 0, "not an absolute time");
    lab.standStill(1);
    assertEquals(read(), -11);
  }));

Deno.test("a POSIX timer of the real-time clock follows it", () =>
  withLab((lab) => {
    const { task, kernel } = lab;
    task.signals.blocked.add(SIGUSR1);
    task.mm.store64(EVENT, 0);
    task.mm.store64(EVENT + 8, SIGUSR1);
    assertEquals(lab.call("timer_create", REALTIME, EVENT, ID), 0);
    const id = task.mm.load32(ID);
    assertEquals(
      lab.call("timer_settime", id, ABSTIME, lab.times(0, lab.realtimeSec + DAY), 0),
      0,
    );
    assertEquals(kernel.timers.followers.size, 1);
    lab.standStill(DAY / 2);
    assertEquals(lab.call("timer_gettime", id, OUT), 0);
    assertAlmostEquals(task.mm.load64(OUT + 16), DAY / 2, 2);
    lab.standStill(DAY);
    assertEquals(lab.call("timer_gettime", id, OUT), 0);
    assertEquals([task.mm.load64(OUT + 16), task.mm.load64(OUT + 24)], [0, 0], "it has expired");
    assertEquals(lab.call("timer_delete", id), 0);
    assertEquals(kernel.timers.followers.size, 0);
  }));

Deno.test("CPU clocks do not count a standstill", () =>
  withLab((lab) => {
    const { group } = lab.task, before = groupCpuNs(group);
    lab.standStill(DAY);
    const used = groupCpuNs(group) - before;
    assert(used >= 0 && used < SECOND, `${used}`);
  }));
