/**
 * What calls make is charged to their callers, ends with an error when there is no room, and is
 * given back.
 */

import { assert, assertEquals } from "@std/assert";
import { ENOMEM, ENOSPC } from "../../ffi/abi/errno.ts";
import { IPC_PRIVATE, IPC_RMID } from "../../ffi/abi/ipc.ts";
import { CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWUTS } from "../../ffi/abi/sched.ts";
import { IPC_BYTES, NAMESPACE_BYTES, RINGS } from "../core/quota.ts";
import { DATA, LabKernel } from "../testing/task_lab.ts";

Deno.test("sets, queues and messages take the maker's bytes, and end with ENOMEM", () => {
  const kernel = new LabKernel(), task = kernel.start(), { account } = task.group;
  const used = IPC_BYTES.countOf(account), bytes = account.bytes;
  const set = Number(kernel.call(task, "semget", IPC_PRIVATE, 1000, 0o600));
  const queue = Number(kernel.call(task, "msgget", IPC_PRIVATE, 0o600));
  task.mm.store32(DATA, 1);
  task.mm.store32(DATA + 4, 0);
  assertEquals(kernel.call(task, "msgsnd", queue, DATA, 1000, 0), 0);
  assert(IPC_BYTES.countOf(account) - used > 9000, "values, pids and a message");
  assertEquals(account.bytes - bytes, IPC_BYTES.countOf(account) - used);
  account.bytesMax = account.bytes + 500;
  assertEquals(kernel.call(task, "msgsnd", queue, DATA, 1000, 0), -ENOMEM);
  assertEquals(kernel.call(task, "semget", IPC_PRIVATE, 1000, 0o600), -ENOMEM);
  account.bytesMax = Infinity;
  assertEquals(kernel.call(task, "msgctl", queue, IPC_RMID, 0), 0);
  assertEquals(kernel.call(task, "semctl", set, 0, IPC_RMID, 0), 0);
  assertEquals([IPC_BYTES.countOf(account), account.bytes], [used, bytes]);
  kernel.close();
});

Deno.test("a ring is charged and released", () => {
  const kernel = new LabKernel(), task = kernel.start(), { account } = task.group;
  const used = RINGS.countOf(account),
    setup = () => Number(kernel.call(task, "io_uring_setup", 1, DATA));
  const fd = setup();
  assertEquals(RINGS.countOf(account) - used, 1);
  account.bytesMax = account.bytes + RINGS.bytesEach - 1;
  task.mm.copyOut(DATA, new Uint8Array(120), 0, 120);
  assertEquals(setup(), -ENOMEM);
  assertEquals(kernel.call(task, "close", fd), 0);
  assertEquals(RINGS.countOf(account), used);
  kernel.close();
});

Deno.test("namespaces are charged to their makers, and released with the last user", () => {
  const kernel = new LabKernel(), task = kernel.start(), { account } = task.group;
  const used = NAMESPACE_BYTES.countOf(account);
  for (const flag of [CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWNET]) {
    const before = NAMESPACE_BYTES.countOf(account);
    assertEquals(kernel.call(task, "unshare", flag), 0);
    const after = NAMESPACE_BYTES.countOf(account);
    assert(after > before);
    assertEquals(kernel.call(task, "unshare", flag), 0);
    assertEquals(NAMESPACE_BYTES.countOf(account), after, "the one before is gone");
  }
  account.bytesMax = account.bytes;
  assertEquals(kernel.call(task, "unshare", CLONE_NEWNET), -ENOSPC);
  account.bytesMax = Infinity;
  kernel.call(task, "exit_group", 0);
  assertEquals(NAMESPACE_BYTES.countOf(account), used);
  kernel.close();
});
