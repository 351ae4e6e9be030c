/** Tests of quota.ts: what objects are charged as is about what they take of V8's heap. */

import { assert, assertEquals } from "@std/assert";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { DATA, LabKernel } from "../testing/task_lab.ts";
import { registerFamilies } from "../net/families.ts";
import type { Task } from "../task/task.ts";
import { KINDS_MAX } from "./account.ts";
import { EBPF_INSTRUCTIONS } from "../bpf/ebpf_program.ts";
import * as quotas from "./quota.ts";

setFlagsFromString("--expose-gc");
const gc: unknown = runInNewContext("gc");

function heapBytes(): number {
  if (typeof gc === "function") gc();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

/** The charge may be this many times too large or too small. */
const FACTOR = 3;

/** Makes `count` objects; returns the heap bytes that one took, and the bytes it is charged as. */
function costOf(count: number, make: Make): { bytes: number; charged: number } {
  const kernel = new LabKernel(), task = kernel.start();
  registerFamilies(kernel.namespaces.net);
  task.group.limits.set(7, 1 << 20, 1 << 20);
  make(kernel, task, 0);
  const before = heapBytes(), chargedBefore = task.group.account.bytes;
  for (let i = 1; i <= count; i++) make(kernel, task, i);
  const bytes = (heapBytes() - before) / count;
  const charged = (task.group.account.bytes - chargedBefore) / count;
  kernel.close();
  return { bytes, charged };
}

function name(t: Task, i: number): number {
  const text = new TextEncoder().encode(`/f${i}\0`);
  t.mm.copyOut(DATA, text, 0, text.length);
  return DATA;
}

type Make = (kernel: LabKernel, t: Task, i: number) => void;

const MAKERS: readonly [string, number, Make][] = [
  ["eventfd", 20_000, (k, t) => {
    k.call(t, "eventfd2", 0, 0);
  }],
  ["socketpair", 5_000, (k, t) => {
    k.call(t, "socketpair", 1, 1, 0, DATA);
  }],
  ["pipe", 5_000, (k, t) => {
    k.call(t, "pipe2", DATA, 0);
  }],
  ["udp", 5_000, (k, t) => {
    k.call(t, "socket", 2, 2, 0);
  }],
  ["mknod", 20_000, (k, t, i) => {
    k.call(t, "mknod", name(t, i), 0o100644, 0);
  }],
  ["mkdir", 20_000, (k, t, i) => {
    k.call(t, "mkdir", name(t, i), 0o755);
  }],
  ["record lock", 5_000, (k, t, i) => {
    if (i === 0) k.call(t, "open", name(t, 0), 0o102, 0o644);
    t.mm.store32(DATA, 1);
    t.mm.store64(DATA + 8, 2 * i);
    t.mm.store64(DATA + 16, 1);
    k.call(t, "fcntl", 0, 6, DATA);
  }],
  ["datagram", 5_000, (k, t, i) => {
    if (i % 10 === 0) k.call(t, "socketpair", 1, 2, 0, DATA);
    k.call(t, "write", t.mm.load32(DATA), DATA, 1);
  }],
  ["epoll item", 5_000, (k, t, i) => {
    if (i === 0) k.call(t, "epoll_create1", 0);
    const fd = Number(k.call(t, "eventfd2", 0, 0));
    t.mm.store32(DATA, 1);
    k.call(t, "epoll_ctl", 0, 1, fd, DATA);
  }],
  ["inotify watch", 5_000, (k, t, i) => {
    if (i === 0) k.call(t, "inotify_init1", 0);
    k.call(t, "mknod", name(t, i), 0o100644, 0);
    k.call(t, "inotify_add_watch", 0, DATA, 2);
  }],
  ["signal", 20_000, (k, t) => {
    t.signals.blocked.add(34);
    t.mm.store32(DATA, 34);
    t.mm.store32(DATA + 8, -1);
    k.call(t, "rt_sigqueueinfo", t.group.pid, 34, DATA);
  }],
];
for (const [what, count, make] of MAKERS) {
  Deno.test(`an object is charged for about the heap that it uses: ${what}`, () => {
    const { bytes, charged } = costOf(count, make);
    assert(charged > bytes / FACTOR && charged < bytes * FACTOR, `${charged} for ${bytes} bytes`);
  });
}

Deno.test("each quota has a kind of its own, for which accounts have room", () => {
  const all = [...Object.values(quotas), EBPF_INSTRUCTIONS].filter((q) =>
    q instanceof quotas.Quota
  );
  const kinds = new Set(all.map((quota) => quota.kind));
  assertEquals(kinds.size, all.length);
  assertEquals(Math.max(...kinds) < KINDS_MAX, true);
});
