/** Objects of the boot process are left out of a copy, as if they had never been there. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { Waiter, WaitQueue } from "../../core/wait.ts";
import { Retry } from "../../ipc/host_fifo.ts";
import { TaskWaiter } from "../../task/task_wait.ts";
import { Timer, TimerQueue } from "../../time/timer.ts";
import { decodeGraph } from "../graph/decoder.ts";
import { encodeGraph } from "../graph/encoder.ts";
import { GraphError } from "../graph/graph_error.ts";
import { kernelTable } from "./kernel_table.ts";

class Host {}
class Arena {}

/** Named as classes of oci/boot are. */
class QueueWaiter extends Waiter {
  override onWake(): void {}
}

class EndTimer extends Timer {
  override onExpire(): void {}
}

class UnknownTimer extends EndTimer {}

const TABLE = kernelTable({ host: Host, platforms: [], arena: Arena, spaces: [], contexts: [] });

interface Held {
  readonly queue: WaitQueue;
  readonly timers: TimerQueue;
}

function copyOf(held: Held): Held {
  const copy = decodeGraph(encodeGraph(held, TABLE).bytes, TABLE, { host: new Host() });
  assert("queue" in copy && copy.queue instanceof WaitQueue);
  assert("timers" in copy && copy.timers instanceof TimerQueue);
  return { queue: copy.queue, timers: copy.timers };
}

/** The masks of the waiters of a queue, forwards and backwards. */
function masks(queue: WaitQueue): number[][] {
  return [["head", "next"], ["tail", "prev"]].map(([from = "", to = ""]) => {
    const found: number[] = [];
    for (let at = Reflect.get(queue, from); at !== null; at = Reflect.get(at, to)) {
      assert(at.queue === queue);
      found.push(at.mask);
    }
    return found;
  });
}

/** "B" stands for a waiter of the boot process. */
for (const order of ["", "B", "BB", "KBK", "BKBBKB", "KKBB"]) {
  Deno.test(`a queue of waiters "${order}" is copied without B`, () => {
    const queue = new WaitQueue(), own: number[] = [];
    for (const [i, letter] of [...order].entries()) {
      const isOwn = letter === "K";
      if (isOwn) own.push(i + 1);
      queue.add(isOwn ? Reflect.construct(TaskWaiter, [null]) : new QueueWaiter(), i + 1);
    }
    const copy = copyOf({ queue, timers: new TimerQueue() });
    assertEquals(masks(copy.queue), [own, own.toReversed()]);
  });
}

Deno.test("a copy lacks the timers of the boot process, and the others keep their order", () => {
  const timers = new TimerQueue(), own: number[] = [];
  for (let i = 0; i < 40; i++) {
    const isOwn = i % 3 !== 0, deadlineNs = i * 7919 % 41;
    if (isOwn) own.push(deadlineNs);
    timers.arm(isOwn ? new Retry() : new EndTimer(), deadlineNs);
  }
  const copy = copyOf({ queue: new WaitQueue(), timers }).timers, fired: number[] = [];
  while (copy.size > 0) {
    const [next] = copy.all();
    assert(next instanceof Retry && next.index === 0);
    fired.push(next.deadlineNs);
    copy.disarm(next);
  }
  assertEquals(fired, own.sort((a, b) => a - b));
});

Deno.test("an object without a fate is reported, and not left out", () => {
  const timers = new TimerQueue();
  timers.arm(new UnknownTimer(), 1);
  assertThrows(() => copyOf({ queue: new WaitQueue(), timers }), GraphError, "UnknownTimer");
});
