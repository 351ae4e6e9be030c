/** System V objects and messages are charged to those that make them. */

import { assert, assertEquals } from "@std/assert";
import { ENOMEM } from "../../../ffi/abi/errno.ts";
import { IPC_PRIVATE, IPC_RMID } from "../../../ffi/abi/ipc.ts";
import { IPC_BYTES } from "../../core/quota.ts";
import { DATA, LabKernel } from "../../testing/task_lab.ts";

Deno.test("sets, queues and messages take bytes of the maker's account, and end with ENOMEM", () => {
  const kernel = new LabKernel(), task = kernel.start(), { account } = task.group;
  const used = IPC_BYTES.used, bytes = account.bytes;
  const set = Number(kernel.call(task, "semget", IPC_PRIVATE, 1000, 0o600));
  const queue = Number(kernel.call(task, "msgget", IPC_PRIVATE, 0o600));
  task.mm.store32(DATA, 1);
  task.mm.store32(DATA + 4, 0);
  assertEquals(kernel.call(task, "msgsnd", queue, DATA, 1000, 0), 0);
  assert(IPC_BYTES.used - used > 9000, "values, pids and a message");
  assertEquals(account.bytes - bytes, IPC_BYTES.used - used);
  account.bytesMax = account.bytes + 500;
  assertEquals(kernel.call(task, "msgsnd", queue, DATA, 1000, 0), -ENOMEM);
  assertEquals(kernel.call(task, "semget", IPC_PRIVATE, 1000, 0o600), -ENOMEM);
  account.bytesMax = Infinity;
  assertEquals(kernel.call(task, "msgctl", queue, IPC_RMID, 0), 0);
  assertEquals(kernel.call(task, "semctl", set, 0, IPC_RMID, 0), 0);
  assertEquals([IPC_BYTES.used, account.bytes], [used, bytes]);
  kernel.close();
});
