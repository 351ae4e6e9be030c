import { assertEquals } from "@std/assert";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE } from "../../../ffi/abi/mman.ts";
import { DATA, GONE, LabKernel, WAITS } from "../../testing/task_lab.ts";
import { BLOCKED, type Task } from "../../task/task.ts";
import { SLICE_BYTES } from "../../vfs/open_file.ts";

const BUFFER = 0x100000000, O_RDWR_CREAT = 0o102;

function withFile(test: (kernel: LabKernel, task: Task, fd: number) => void): void {
  const kernel = new LabKernel(), task = kernel.start();
  task.mm.copyOut(DATA, Uint8Array.of(47, 102, 0), 0, 3);
  const fd = Number(kernel.call(task, "open", DATA, O_RDWR_CREAT, 0o644));
  test(kernel, task, fd);
  kernel.close();
}

/** Turns of the loop until the call that waits has a result. */
function turns(kernel: LabKernel, task: Task): number {
  let n = 0;
  for (; task.state === BLOCKED && n < 1000; n++) kernel.pass(1);
  return n;
}

Deno.test("long reads and writes let others go first between slices, and lose nothing", () =>
  withFile((kernel, task, fd) => {
    const bytes = SLICE_BYTES + 8192, flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    task.mm.mmap(BUFFER, bytes, 3, flags, null, 0);
    task.mm.store32(BUFFER + bytes - 8, 0x12345678);
    assertEquals(kernel.call(task, "pwrite64", fd, BUFFER, bytes, 0), WAITS);
    assertEquals([turns(kernel, task), kernel.outcome(task)], [1, bytes]);
    task.mm.munmap(BUFFER, bytes);
    task.mm.mmap(BUFFER, bytes, 3, flags, null, 0);
    assertEquals(kernel.call(task, "read", fd, BUFFER, bytes), WAITS);
    assertEquals([turns(kernel, task), kernel.outcome(task)], [1, bytes]);
    assertEquals(task.mm.load32(BUFFER + bytes - 8), 0x12345678);
    assertEquals(kernel.call(task, "lseek", fd, 0, 1), bytes);
    assertEquals(kernel.call(task, "pread64", fd, BUFFER, bytes, 4096), WAITS);
    assertEquals([turns(kernel, task), kernel.outcome(task)], [1, bytes - 4096]);
  }));

Deno.test("sendfile of megabytes: a bounded piece a turn", () =>
  withFile((kernel, task, fd) => {
    const bytes = 12 * SLICE_BYTES;
    assertEquals(kernel.call(task, "ftruncate", fd, 2 * bytes), 0);
    task.mm.copyOut(DATA, Uint8Array.of(47, 103, 0), 0, 3);
    const to = Number(kernel.call(task, "open", DATA, O_RDWR_CREAT, 0o644));
    assertEquals(kernel.call(task, "sendfile", to, fd, 0, bytes), WAITS);
    assertEquals([turns(kernel, task), kernel.outcome(task)], [11, bytes]);
    assertEquals(kernel.call(task, "lseek", to, 0, 1), bytes);
    assertEquals(kernel.call(task, "lseek", fd, 0, 1), bytes);
  }));

Deno.test("a long write with RWF_APPEND is in one piece at the end", () =>
  withFile((kernel, task, fd) => {
    const bytes = SLICE_BYTES + 4096, flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    task.mm.mmap(BUFFER, bytes, 3, flags, null, 0);
    assertEquals(kernel.call(task, "ftruncate", fd, 100), 0);
    task.mm.store64(DATA, BUFFER);
    task.mm.store64(DATA + 8, bytes);
    assertEquals(kernel.call(task, "pwritev2", fd, DATA, 1, 0, 0, 0x10), WAITS);
    assertEquals([turns(kernel, task), kernel.outcome(task)], [1, bytes]);
    assertEquals(kernel.call(task, "lseek", fd, 0, 2), bytes + 100);
  }));

Deno.test("getrandom of megabytes takes several turns", () =>
  withFile((kernel, task) => {
    const bytes = 3 << 20;
    task.mm.mmap(BUFFER, bytes, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, null, 0);
    assertEquals(kernel.call(task, "getrandom", BUFFER, bytes, 0), WAITS);
    assertEquals([turns(kernel, task), kernel.outcome(task)], [23, bytes]);
  }));

Deno.test("close_range of a full table takes several turns, and closes all", () =>
  withFile((kernel, task, fd) => {
    for (let i = 0; i < 1000; i++) kernel.call(task, "dup", fd);
    assertEquals(kernel.call(task, "close_range", 0, 0xffffffff, 0), WAITS);
    assertEquals([turns(kernel, task), kernel.outcome(task), task.files.count], [1, 0, 0]);
  }));

Deno.test("a process that ends with a full table closes it before its parent gets its status", () =>
  withFile((kernel, task, fd) => {
    const child = kernel.pids.tasks.get(Number(kernel.call(task, "fork")));
    if (child === undefined) throw new Error("no child");
    for (let i = 0; i < 3000; i++) kernel.call(child, "dup", fd);
    assertEquals(kernel.call(child, "exit_group", 3), GONE);
    assertEquals(child.files.count, 0);
    assertEquals(kernel.call(task, "wait4", -1, 0, 1, 0), child.pid);
  }));
