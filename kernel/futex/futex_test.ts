import { assertEquals } from "@std/assert";
import { SIGTERM, SIGUSR1 } from "../../ffi/abi/signal.ts";
import { EAGAIN, EDEADLK, EFAULT, EINVAL, EPERM, ETIMEDOUT } from "../../ffi/abi/errno.ts";
import {
  FUTEX_CMP_REQUEUE,
  FUTEX_LOCK_PI,
  FUTEX_OWNER_DIED,
  FUTEX_TRYLOCK_PI,
  FUTEX_UNLOCK_PI,
  FUTEX_WAIT,
  FUTEX_WAIT_BITSET,
  FUTEX_WAITERS,
  FUTEX_WAKE,
  FUTEX_WAKE_BITSET,
  FUTEX_WAKE_OP,
} from "../../ffi/abi/futex.ts";
import { DATA, LabKernel, WAITS } from "../testing/task_lab.ts";
import { FutexTable, FutexWaiter } from "./futex_table.ts";
import { sendToTask, userSignal } from "../signal/send.ts";
import type { Task } from "../task/task.ts";

const THREAD = 0x10f00;
const WORD = DATA, OTHER = DATA + 64, TIME = DATA + 128;

function withThreads(
  count: number,
  test: (kernel: LabKernel, task: Task, threads: Task[]) => void,
): void {
  const kernel = new LabKernel(), task = kernel.start(), threads: Task[] = [];
  for (let i = 0; i < count; i++) {
    const tid = Number(kernel.call(task, "clone", THREAD, DATA + 0x8000 + i * 0x1000));
    threads.push(kernel.pids.tasks.get(tid)!);
  }
  test(kernel, task, threads);
  kernel.close();
}

Deno.test("wait and wake in order of arrival, and only as many as asked for", () =>
  withThreads(3, (kernel, task, threads) => {
    task.mm.store32(WORD, 5);
    assertEquals(kernel.call(task, "futex", WORD, FUTEX_WAIT, 4, 0), -EAGAIN);
    assertEquals(kernel.call(task, "futex", 16, FUTEX_WAIT, 4, 0), -EFAULT);
    assertEquals(kernel.call(task, "futex", WORD + 1, FUTEX_WAIT, 4, 0), -EINVAL);
    for (const t of threads) assertEquals(kernel.call(t, "futex", WORD, FUTEX_WAIT, 5, 0), WAITS);
    assertEquals(kernel.call(task, "futex", WORD, FUTEX_WAKE, 2), 2);
    assertEquals(threads.map((t) => kernel.outcome(t)), [0, 0, WAITS]);
    assertEquals(kernel.call(task, "futex", WORD, FUTEX_WAKE, 9), 1);
    assertEquals(kernel.call(task, "futex", WORD, FUTEX_WAKE, 9), 0);
  }));

Deno.test("a relative and an absolute time-out", () =>
  withThreads(1, (kernel, task, [other]) => {
    task.mm.store64(TIME, 1);
    task.mm.store64(TIME + 8, 0);
    assertEquals(kernel.call(task, "futex", WORD, FUTEX_WAIT, 0, TIME), WAITS);
    kernel.pass(0.5e9);
    assertEquals(kernel.outcome(task), WAITS);
    kernel.pass(0.6e9);
    assertEquals(kernel.outcome(task), -ETIMEDOUT);
    assertEquals(kernel.call(other!, "futex", WORD, FUTEX_WAKE, 1), 0);
    assertEquals(kernel.call(task, "futex", WORD, FUTEX_WAIT_BITSET, 0, TIME, 0, 1), -ETIMEDOUT);
    task.mm.store64(TIME + 8, 1e9);
    assertEquals(kernel.call(task, "futex", WORD, FUTEX_WAIT, 0, TIME), -EINVAL);
  }));

Deno.test("a wait that a signal interrupts leaves the queue", () =>
  withThreads(1, (kernel, task, [other]) => {
    task.sighand.of(SIGUSR1).handler = 0x6000;
    task.sighand.of(SIGUSR1).flags = 0x04000000;
    assertEquals(kernel.call(other!, "futex", WORD, FUTEX_WAIT, 0, 0), WAITS);
    sendToTask(other!, userSignal(SIGUSR1, task));
    kernel.settle();
    assertEquals(kernel.call(task, "futex", WORD, FUTEX_WAKE, 1), 0);
  }));

Deno.test("a wait that a kill ends leaves the queue", () =>
  withThreads(1, (kernel, task, [other]) => {
    const child = kernel.pids.tasks.get(Number(kernel.call(other!, "fork")))!;
    assertEquals(kernel.call(child, "futex", WORD, FUTEX_WAIT, 0, 0), WAITS);
    kernel.call(task, "kill", child.pid, SIGTERM);
    assertEquals(kernel.futexes.first(child.mm, WORD), null);
  }));

Deno.test("bitsets choose", () =>
  withThreads(2, (kernel, task, [a, b]) => {
    kernel.call(a!, "futex", WORD, FUTEX_WAIT_BITSET, 0, 0, 0, 1);
    kernel.call(b!, "futex", WORD, FUTEX_WAIT_BITSET, 0, 0, 0, 2);
    assertEquals(kernel.call(task, "futex", WORD, FUTEX_WAKE_BITSET, 9, 0, 0, 0), -EINVAL);
    assertEquals(kernel.call(task, "futex", WORD, FUTEX_WAKE_BITSET, 9, 0, 0, 2), 1);
    assertEquals([kernel.outcome(a!), kernel.outcome(b!)], [WAITS, 0]);
  }));

Deno.test("requeue moves waiters, and they are then woken at the other word", () =>
  withThreads(3, (kernel, task, threads) => {
    for (const t of threads) kernel.call(t, "futex", WORD, FUTEX_WAIT, 0, 0);
    assertEquals(kernel.call(task, "futex", WORD, FUTEX_CMP_REQUEUE, 1, 1, OTHER, 7), -EAGAIN);
    assertEquals(kernel.call(task, "futex", WORD, FUTEX_CMP_REQUEUE, 1, 9, OTHER, 0), 3);
    assertEquals(threads.map((t) => kernel.outcome(t)), [0, WAITS, WAITS]);
    assertEquals(kernel.call(task, "futex", WORD, FUTEX_WAKE, 9), 0);
    assertEquals(kernel.call(task, "futex", OTHER, FUTEX_WAKE, 9), 2);
  }));

Deno.test("wake-op changes the second word and wakes by its old value", () =>
  withThreads(2, (kernel, task, [a, b]) => {
    kernel.call(a!, "futex", WORD, FUTEX_WAIT, 0, 0);
    kernel.call(b!, "futex", OTHER, FUTEX_WAIT, 0, 0);
    // OTHER += 3; wake if the old value was 0.
    const op = (1 << 28) | (0 << 24) | (3 << 12);
    assertEquals(kernel.call(task, "futex", WORD, FUTEX_WAKE_OP, 1, 1, OTHER, op), 2);
    assertEquals(task.mm.load32(OTHER), 3);
  }));

Deno.test("words of two processes in shared memory are one futex, private ones are not", () =>
  withThreads(0, (kernel, task) => {
    const shared = Number(kernel.call(task, "mmap", 0, 4096, 3, 0x21, -1, 0));
    const child = kernel.pids.tasks.get(Number(kernel.call(task, "fork")))!;
    assertEquals(kernel.call(child, "futex", WORD, FUTEX_WAIT, 0, 0), WAITS);
    assertEquals(kernel.call(task, "futex", WORD, FUTEX_WAKE, 1), 0);
    kernel.call(task, "kill", child.pid, SIGTERM);
    const second = kernel.pids.tasks.get(Number(kernel.call(task, "fork")))!;
    assertEquals(kernel.call(second, "futex", shared, FUTEX_WAIT, 0, 0), WAITS);
    assertEquals(kernel.call(task, "futex", shared, FUTEX_WAKE, 1), 1);
  }));

Deno.test("PI: the lock is handed to the first waiter, marked as waited for", () =>
  withThreads(2, (kernel, task, [a, b]) => {
    assertEquals(kernel.call(task, "futex", WORD, FUTEX_LOCK_PI, 0, 0), 0);
    assertEquals(task.mm.load32(WORD), task.tid);
    assertEquals(kernel.call(task, "futex", WORD, FUTEX_LOCK_PI, 0, 0), -EDEADLK);
    assertEquals(kernel.call(a!, "futex", WORD, FUTEX_TRYLOCK_PI, 0, 0), -EAGAIN);
    assertEquals(kernel.call(a!, "futex", WORD, FUTEX_LOCK_PI, 0, 0), WAITS);
    assertEquals(kernel.call(b!, "futex", WORD, FUTEX_LOCK_PI, 0, 0), WAITS);
    assertEquals(task.mm.load32(WORD), (task.tid | FUTEX_WAITERS) >>> 0);
    assertEquals(kernel.call(task, "futex", WORD, FUTEX_UNLOCK_PI, 0, 0), 0);
    assertEquals(kernel.outcome(a!), 0);
    assertEquals(task.mm.load32(WORD), (a!.tid | FUTEX_WAITERS) >>> 0);
    assertEquals(kernel.call(task, "futex", WORD, FUTEX_UNLOCK_PI, 0, 0), -EPERM);
    kernel.call(a!, "exit", 0);
    assertEquals(kernel.outcome(b!), 0);
    assertEquals(task.mm.load32(WORD), (b!.tid | FUTEX_OWNER_DIED | FUTEX_WAITERS) >>> 0);
  }));

Deno.test("robust list: owned words are marked, others left alone, a loop ends", () =>
  withThreads(1, (kernel, task, [other]) => {
    const HEAD = DATA + 0x100, FIRST = DATA + 0x200, SECOND = DATA + 0x300, OFFSET = 8;
    const { mm } = task, tid = other!.tid;
    mm.store64(HEAD, FIRST);
    mm.store64(HEAD + 8, OFFSET);
    mm.store64(HEAD + 16, 0);
    mm.store64(FIRST, SECOND);
    mm.store64(SECOND, FIRST);
    mm.store32(FIRST + OFFSET, (tid | FUTEX_WAITERS) >>> 0);
    mm.store32(SECOND + OFFSET, task.tid);
    assertEquals(kernel.call(other!, "set_robust_list", HEAD, 24), 0);
    const wait = kernel.call(
      task,
      "futex",
      FIRST + OFFSET,
      FUTEX_WAIT,
      (tid | FUTEX_WAITERS) >>> 0,
      0,
    );
    assertEquals(wait, WAITS);
    kernel.call(other!, "exit", 0);
    assertEquals(kernel.outcome(task), 0);
    assertEquals(mm.load32(FIRST + OFFSET), (FUTEX_OWNER_DIED | FUTEX_WAITERS) >>> 0);
    assertEquals(mm.load32(SECOND + OFFSET), task.tid);
  }));

Deno.test("robust lists made of garbage do no harm", () =>
  withThreads(4, (kernel, task, threads) => {
    const { mm } = task;
    const heads = [8, DATA + 0x100, 2 ** 47, DATA + 0x180];
    mm.store64(DATA + 0x100, 0x123);
    mm.store64(DATA + 0x100 + 8, -5 + 2 ** 53);
    mm.store64(DATA + 0x180, DATA + 0x181);
    mm.store64(DATA + 0x190, DATA + 0x3);
    threads.forEach((t, i) => {
      kernel.call(t, "set_robust_list", heads[i]!, 24);
      kernel.call(t, "exit", 0);
    });
    assertEquals(task.group.tasks.length, 1);
  }));

Deno.test("the table against a list: random adds, removals and wake-ups", () => {
  const kernel = new LabKernel(), task = kernel.start(), table = new FutexTable();
  const owners = [{}, {}], model: { waiter: FutexWaiter; owner: object; offset: number }[] = [];
  let seed = 12345;
  const random = (n: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % n;
  };
  for (let i = 0; i < 5000; i++) {
    const owner = owners[random(2)]!, offset = random(8) * 4 * 1024;
    const same = model.filter((m) => m.owner === owner && m.offset === offset);
    if (random(3) > 0) {
      const waiter = new FutexWaiter(task);
      table.add(waiter, owner, offset);
      model.push({ waiter, owner, offset });
    } else if (random(2) === 0) {
      const n = random(3);
      assertEquals(table.wake(owner, offset, n, 0xffffffff), Math.min(n, same.length));
      for (const m of same.slice(0, n)) {
        assertEquals(m.waiter.isWoken, true);
        model.splice(model.indexOf(m), 1);
      }
    } else if (same.length > 0) {
      const m = same[random(same.length)]!;
      table.remove(m.waiter);
      model.splice(model.indexOf(m), 1);
    }
    const left = model.find((m) => m.owner === owner && m.offset === offset);
    assertEquals(table.first(owner, offset), left?.waiter ?? null, `step ${i}`);
  }
  kernel.close();
});
