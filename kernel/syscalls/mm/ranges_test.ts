import { assert, assertEquals } from "@std/assert";
import { ENOMEM } from "../../../ffi/abi/errno.ts";
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_NORESERVE,
  MAP_PRIVATE,
  PAGE_SIZE,
} from "../../../ffi/abi/mman.ts";
import {
  CLONE_FILES,
  CLONE_FS,
  CLONE_SIGHAND,
  CLONE_THREAD,
  CLONE_VM,
} from "../../../ffi/abi/sched.ts";
import { TURN_AREAS, TURN_EXTENTS } from "../../mm/slices.ts";
import { exitGroup } from "../../task/exit_request.ts";
import { BLOCKED, DEAD, type Task } from "../../task/task.ts";
import { DATA, LabKernel, WAITS } from "../../testing/task_lab.ts";

const THREAD = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
const BASE = 0x100000000, AREAS = 4 * TURN_AREAS;
const FLAGS = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;

/** A task with areas of one page each, whose protections alternate. */
function withAreas(test: (kernel: LabKernel, task: Task) => void): void {
  const kernel = new LabKernel(), task = kernel.start(), { mm } = task;
  mm.mmap(BASE, AREAS * PAGE_SIZE, 3, FLAGS, null, 0);
  for (let k = 0; k < AREAS; k++) mm.store32(BASE + k * PAGE_SIZE, k);
  for (let k = 0; k < AREAS; k += 2) mm.mprotect(BASE + k * PAGE_SIZE, PAGE_SIZE, 1);
  test(kernel, task);
  kernel.close();
}

/** Turns of the loop until the call that waits has a result. */
function turns(kernel: LabKernel, task: Task): number {
  let n = 0;
  for (; task.state === BLOCKED && n < 1000; n++) kernel.pass(1);
  return n;
}

Deno.test("munmap of many areas: so many a turn, and all in the end", () =>
  withAreas((kernel, task) => {
    const before = task.mm.vmas.length;
    assertEquals(kernel.call(task, "munmap", BASE, AREAS * PAGE_SIZE), WAITS);
    assertEquals(before - task.mm.vmas.length, TURN_AREAS);
    assertEquals([turns(kernel, task), kernel.outcome(task)], [AREAS / TURN_AREAS - 1, 0]);
    assertEquals(before - task.mm.vmas.length, AREAS);
    assertEquals(task.mm.changes.owner, null);
  }));

Deno.test("mprotect of many areas merges them, and ends at a refused one", () =>
  withAreas((kernel, task) => {
    const { mm } = task, before = mm.vmas.length;
    assertEquals(kernel.call(task, "mprotect", BASE, AREAS * PAGE_SIZE, 3), WAITS);
    assertEquals([turns(kernel, task), kernel.outcome(task)], [AREAS / TURN_AREAS - 1, 0]);
    assertEquals(before - mm.vmas.length, AREAS - 1);
    assertEquals(mm.load32(BASE + 77 * PAGE_SIZE), 77);
    mm.munmap(BASE + (AREAS - 1) * PAGE_SIZE, PAGE_SIZE);
    for (let k = 0; k < AREAS - 1; k += 2) mm.mprotect(BASE + k * PAGE_SIZE, PAGE_SIZE, 1);
    assertEquals(kernel.call(task, "mprotect", BASE, AREAS * PAGE_SIZE, 3), WAITS);
    turns(kernel, task);
    assertEquals(kernel.outcome(task), -ENOMEM);
  }));

Deno.test("other calls of the same memory wait for a change in slices", () =>
  withAreas((kernel, task) => {
    const tid = kernel.call(task, "clone", THREAD, DATA + 0x8000);
    const other = kernel.pids.tasks.get(Number(tid))!;
    assertEquals(kernel.call(task, "munmap", BASE, AREAS * PAGE_SIZE), WAITS);
    assertEquals(
      kernel.call(other, "mmap", 0, PAGE_SIZE, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      WAITS,
    );
    assert(task.mm.changes.covers(BASE + PAGE_SIZE));
    turns(kernel, task);
    assertEquals(kernel.outcome(task), 0);
    turns(kernel, other);
    assert(Number(kernel.outcome(other)) > 0);
  }));

Deno.test("a process that ends between slices leaves the change", () =>
  withAreas((kernel, task) => {
    const { mm } = task;
    assertEquals(kernel.call(task, "munmap", BASE, AREAS * PAGE_SIZE), WAITS);
    exitGroup(task.group, 0);
    kernel.pass(1);
    assertEquals([task.state, mm.changes.owner], [DEAD, null]);
  }));

Deno.test("a fixed mapping over many areas, advice and locks take several turns", () =>
  withAreas((kernel, task) => {
    const { mm } = task, whole = AREAS * PAGE_SIZE;
    assertEquals(kernel.call(task, "madvise", BASE, whole, 16), WAITS);
    assertEquals([turns(kernel, task), kernel.outcome(task)], [AREAS / TURN_AREAS - 1, 0]);
    assertEquals(kernel.call(task, "munlock", BASE, whole), WAITS);
    assertEquals([turns(kernel, task), kernel.outcome(task)], [AREAS / TURN_AREAS - 1, 0]);
    const before = mm.vmas.length;
    assertEquals(kernel.call(task, "mmap", BASE, whole, 3, FLAGS, -1, 0), WAITS);
    assertEquals([turns(kernel, task), kernel.outcome(task)], [AREAS / TURN_AREAS - 1, BASE]);
    assertEquals(before - mm.vmas.length, AREAS - 1);
  }));

Deno.test("one large area takes as many turns as its extents do, and a large hole none", () => {
  const kernel = new LabKernel(), task = kernel.start(), { mm } = task, n = 3 * TURN_EXTENTS;
  mm.mmap(BASE, 1 << 30, 0, FLAGS, null, 0);
  assertEquals(kernel.call(task, "munmap", BASE, 2 ** 40), 0);
  mm.mmap(BASE, n * PAGE_SIZE, 3, FLAGS, null, 0);
  // A frame of its own for each second page.
  for (let k = 0; k < n; k += 2) {
    mm.pages.insert(BASE / PAGE_SIZE + k, 1, mm.ctx.frames.alloc(1) / PAGE_SIZE, -1, 0);
  }
  assertEquals(kernel.call(task, "munmap", BASE, n * PAGE_SIZE), WAITS);
  assertEquals([turns(kernel, task), kernel.outcome(task)], [1, 0]);
  assertEquals(mm.pages.indexOf(BASE / PAGE_SIZE), mm.pages.length);
  kernel.close();
});
