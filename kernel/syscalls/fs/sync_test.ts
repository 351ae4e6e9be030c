import { assertEquals } from "@std/assert";
import { EBADF, EIO } from "../../../ffi/abi/errno.ts";
import { BLOCKED, type Task } from "../../task/task.ts";
import { DATA, LabKernel, WAITS } from "../../testing/task_lab.ts";

/** Makes the root file system one of `count` written files, which are synced with these results. */
function write(task: Task, results: number[]): void {
  Object.defineProperties(task.fs.root.mount.fs, {
    unsyncedFiles: { get: () => results.length, configurable: true },
    syncFile: { value: () => results.shift() ?? 0, configurable: true },
  });
}

Deno.test("sync and syncfs write one file a turn, and syncfs gives the first error", () => {
  const kernel = new LabKernel(), task = kernel.start(), results = [0, -EIO, 0, -EBADF];
  const turns = () => {
    let n = 0;
    for (; task.state === BLOCKED && n < 100; n++) kernel.pass(1);
    return n;
  };
  task.mm.copyOut(DATA, Uint8Array.of(47, 0), 0, 2);
  const fd = Number(kernel.call(task, "open", DATA, 0));
  write(task, results);
  assertEquals(kernel.call(task, "syncfs", fd), WAITS);
  assertEquals([turns(), kernel.outcome(task), results], [3, -EIO, []]);
  assertEquals(kernel.call(task, "syncfs", fd), 0);
  assertEquals(kernel.call(task, "syncfs", 99), -EBADF);
  results.push(-EIO, -EIO, -EIO);
  assertEquals(kernel.call(task, "sync"), WAITS);
  assertEquals([turns(), kernel.outcome(task), results], [2, 0, []]);
  kernel.close();
});

Deno.test("a sync does not wait for files that are written behind its start", () => {
  const kernel = new LabKernel(), task = kernel.start(), results = [0, 0];
  write(task, results);
  assertEquals(kernel.call(task, "sync"), WAITS);
  results.push(0, 0, 0);
  kernel.pass(1);
  assertEquals([kernel.outcome(task), results.length], [0, 3]);
  kernel.close();
});
