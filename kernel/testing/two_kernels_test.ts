/** Tests of two kernels in one process: calls of both in turn, with nothing shared. */

import { assertEquals } from "@std/assert";
import { RLIMIT_NOFILE } from "../../ffi/abi/resource.ts";
import { CLOCK_MONOTONIC } from "../../ffi/abi/time.ts";
import { KCMP_FILE } from "../../ffi/abi/system.ts";
import { EBADF, EEXIST, EMFILE, ENFILE } from "../../ffi/abi/errno.ts";
import { IPC_CREAT, IPC_EXCL } from "../../ffi/abi/ipc.ts";
import { AF_UNIX, SOCK_DGRAM } from "../../ffi/abi/socket.ts";
import { registerFamilies } from "../net/families.ts";
import { OPEN_FILES } from "../core/quota.ts";
import type { Task } from "../task/task.ts";
import { DATA, LabKernel, WAITS } from "./task_lab.ts";

interface Side {
  readonly kernel: LabKernel;
  readonly task: Task;
  call(name: string, ...args: number[]): number | string;
}

function newSide(): Side {
  const kernel = new LabKernel(), task = kernel.start();
  registerFamilies(kernel.namespaces.net);
  return { kernel, task, call: (name, ...args) => kernel.call(task, name, ...args) };
}

function withTwo(check: (one: Side, other: Side) => void): void {
  const one = newSide(), other = newSide();
  try {
    check(one, other);
  } finally {
    one.kernel.close();
    other.kernel.close();
  }
}

Deno.test("descriptors of one kernel are none of the other's", () => {
  withTwo((one, other) => {
    assertEquals([one.call("eventfd2", 1, 0), other.call("eventfd2", 2, 0)], [0, 0]);
    assertEquals([one.call("eventfd2", 3, 0), other.call("close", 0)], [1, 0]);
    assertEquals(one.call("read", 0, DATA, 8), 8);
    assertEquals(one.task.mm.load32(DATA), 1);
    assertEquals([one.call("dup", 1), other.call("dup", 1)], [2, -EBADF]);
  });
});

Deno.test("a wait in one kernel ends in that kernel", () => {
  withTwo((one, other) => {
    for (const side of [one, other]) assertEquals(side.call("pipe2", DATA, 0), 0);
    assertEquals(one.call("read", 0, DATA, 1), WAITS);
    assertEquals(other.call("write", 1, DATA, 1), 1);
    assertEquals(one.kernel.outcome(one.task), WAITS);
    assertEquals([one.kernel.current, other.kernel.current], [one.task, other.task]);
  });
});

Deno.test("quotas and limits count the objects of their kernel", () => {
  withTwo((one, other) => {
    const count = ({ kernel }: Side) => OPEN_FILES.countOf(kernel.accounts.root);
    const before = [count(one), count(other)] as const;
    for (let i = 0; i < 5; i++) {
      one.call("eventfd2", 0, 0);
      if (i < 2) other.call("eventfd2", 0, 0);
    }
    assertEquals([count(one) - before[0], count(other) - before[1]], [5, 2]);
    const { account } = one.task.group;
    OPEN_FILES.add(OPEN_FILES.limit, account);
    assertEquals([one.call("eventfd2", 0, 0), other.call("eventfd2", 0, 0)], [-ENFILE, 2]);
    OPEN_FILES.give(OPEN_FILES.limit, account);
    other.task.group.limits.set(RLIMIT_NOFILE, 3, 3);
    assertEquals([one.call("eventfd2", 0, 0), other.call("eventfd2", 0, 0)], [5, -EMFILE]);
  });
});

Deno.test("ids and names are given by each kernel", () => {
  withTwo((one, other) => {
    assertEquals([one.call("getpid"), other.call("getpid")], [1, 1]);
    const cookies = [one, other].map(({ kernel }) => kernel.namespaces.net.cookie);
    assertEquals(cookies, [1, 1]);
    const inodes = [one, other].map(({ kernel }) => kernel.memory.nextIno());
    assertEquals(inodes, [1, 1]);
    const devices = [one, other].map(({ kernel }) => kernel.anon.pipes.dev);
    assertEquals(devices[0], devices[1]);
    const flags = IPC_CREAT | IPC_EXCL | 0o600;
    const first = one.call("msgget", 7, flags);
    assertEquals([other.call("msgget", 7, flags), one.call("msgget", 7, flags)], [first, -EEXIST]);
    for (const { call, task } of [one, other]) {
      task.mm.copyOut(DATA, new Uint8Array([AF_UNIX, 0, 0, 65]), 0, 4);
      assertEquals([call("socket", AF_UNIX, SOCK_DGRAM, 0), call("bind", 0, DATA, 4)], [0, 0]);
    }
  });
});

Deno.test("each kernel orders its objects, and numbers those without a name", () => {
  withTwo((one, other) => {
    for (const { call, kernel, task } of [one, other]) {
      for (const fd of [0, 1]) assertEquals(call("eventfd2", 0, 0), fd);
      const compared = [[0, 0], [1, 0], [0, 1]].map(([x = 0, y = 0]) =>
        call("kcmp", 1, 1, KCMP_FILE, x, y)
      );
      assertEquals(compared, [0, 1, 2]);
      const ids = [0, 1].map((fd) =>
        /id: (\d+)/.exec(task.files.get(fd)?.fdinfo(task.pids) ?? "")?.[1]
      );
      assertEquals(ids, ["0", "1"]);
      assertEquals(kernel.anon.pipes.makeInode(0o600).ino, kernel.anon.pids.makeInode(0o600).ino);
    }
    assertEquals(one.task.files.get(0)?.inode === other.task.files.get(0)?.inode, false);
  });
});

Deno.test("each kernel has its clock and its record of calls", () => {
  withTwo((one, other) => {
    one.kernel.pass(5e9);
    const seconds = ({ call, task }: Side) => {
      assertEquals(call("clock_gettime", CLOCK_MONOTONIC, DATA), 0);
      return task.mm.load32(DATA);
    };
    assertEquals([seconds(one), seconds(other)], [6, 1]);
    assertEquals(one.call("getppid"), 0);
    assertEquals([one.kernel.calls.count, other.kernel.calls.count], [2, 1]);
  });
});
