/**
 * Objects of the boot process in the state of a kernel: listeners, waiters, timers, logs. A
 * snapshot leaves them out, as if they had never been there: the boot process stands around a copy
 * in its own way. What it gives from the start is in the surroundings.
 *
 * Neighbour: made_fields.ts (what belongs to no boot process).
 */

import { Waiter, WaitQueue } from "../../core/wait.ts";
import { Containment } from "../../containment.ts";
import { HostWatch } from "../../fs/hostfd/host_inode.ts";
import { Job } from "../../job/job.ts";
import { SandboxKernel } from "../../kernel.ts";
import { OomKiller } from "../../oom/oom_killer.ts";
import { CallRecord } from "../../task/call_record.ts";
import { ThreadGroup } from "../../task/thread_group.ts";
import { type Timer, TimerQueue } from "../../time/timer.ts";
import { TurnServer } from "../../turn_server.ts";
import type { ConvertedField } from "../graph/class_row.ts";
import { BOOT_CLASSES } from "../rules/host.ts";
import { STATE_TABLE } from "../state_table.ts";
import type { MadeFields } from "./field_rules.ts";
import type { Surroundings } from "./surroundings.ts";

const BOOT_NAMES: ReadonlySet<string> = new Set(BOOT_CLASSES);
const STATE: ReadonlySet<object> = new Set(STATE_TABLE.map(({ made }) => made.prototype));

/** In a minified program classes have other names. */
const HAS_NAMES = Waiter.name === "Waiter";

/**
 * A class of neither kind is left in, so that the encoder reports it; without names it is taken for
 * one of the boot process.
 */
function isOfBoot(object: object): boolean {
  const prototype = Object.getPrototypeOf(object);
  if (STATE.has(prototype) || prototype === HostWatch.prototype) return false;
  return !HAS_NAMES || BOOT_NAMES.has(object.constructor.name);
}

/** A field that may hold an object of the boot process. */
function without(field: string): ConvertedField {
  return {
    save(object) {
      const held: object | null = Reflect.get(object, field);
      return held === null || isOfBoot(held) ? null : held;
    },
  };
}

/** What the boot process gives a kernel from the start. */
function outside(role: "debugLog" | "observer" | "sink" | "turns"): ConvertedField {
  return { make: (_owner, host) => (host as Surroundings)[role] };
}

/** The first waiter in a direction, from `waiter` on, that is no part of the boot process. */
function ownWaiter(waiter: Waiter | null, to: "next" | "prev"): Waiter | null {
  let at = waiter;
  while (at !== null && isOfBoot(at)) at = at[to];
  return at;
}

/** The place of a waiter in its queue. */
function waiterAt(field: "head" | "tail" | "next" | "prev"): ConvertedField {
  const to = field === "head" || field === "next" ? "next" : "prev";
  return { save: (object) => ownWaiter(Reflect.get(object, field), to) };
}

/** Armed timers. Those that are left have the same order as before. */
const HEAP: Readonly<ConvertedField> = {
  save(object) {
    const all = (object as TimerQueue).all(), own = all.filter((timer) => !isOfBoot(timer));
    // An array in order is a heap; the order of timers that are due at once is that of the array.
    return own.length === all.length ? own : own.sort((a, b) => a.deadlineNs - b.deadlineNs);
  },
  make(_queue, _host, saved) {
    for (const [i, timer] of (saved as Timer[]).entries()) timer.index = i;
    return saved;
  },
};

export const BOOT_FIELDS: readonly MadeFields[] = [
  { made: CallRecord, fields: { observer: outside("observer") } },
  { made: Containment, fields: { sink: outside("sink") } },
  { made: Job, fields: { listener: without("listener") } },
  { made: OomKiller, fields: { listener: without("listener") } },
  { made: SandboxKernel, fields: { debugLog: outside("debugLog") } },
  { made: ThreadGroup, fields: { exitListener: without("exitListener") } },
  { made: TimerQueue, fields: { heap: HEAP } },
  { made: TurnServer, fields: { turns: outside("turns") } },
  { made: WaitQueue, fields: { head: waiterAt("head"), tail: waiterAt("tail") } },
  { made: Waiter, fields: { next: waiterAt("next"), prev: waiterAt("prev") } },
];
