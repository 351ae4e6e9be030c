/**
 * Faults in the middle of the kernel's work: exceptions at points that a seed draws, thrown where
 * handlers reach for user memory, frames, quotas, timers, descriptors, waits and the platform. The
 * classes are wrapped from outside, so the kernel knows nothing of it.
 *
 * Neighbour: fault_test.ts.
 */

import { ClientConnection } from "../../gofer/client/connection.ts";
import { TimerQueue } from "../../kernel/time/timer.ts";
import { Quota } from "../../kernel/core/quota.ts";
import { WaitQueue } from "../../kernel/core/wait.ts";
import { UserAccess } from "../../kernel/mm/copy_user.ts";
import { FrameAllocator } from "../../kernel/mm/frames.ts";
import { FakeSpace } from "../../kernel/testing/fake_platform.ts";
import { Task } from "../../kernel/task/task.ts";
import type { ThreadGroup } from "../../kernel/task/thread_group.ts";
import { FdTable } from "../../kernel/vfs/fd_table.ts";
import type { SandboxKernel } from "../../kernel/kernel.ts";
import type { Random } from "../harness/seeded.ts";

export interface Point {
  readonly of: { readonly prototype: object };
  readonly names: readonly string[];
  /** Methods that throw after their work. */
  readonly isBehind?: boolean;
}

/** Methods where a handler may fail: reaching for memory and quotas, changing mappings, waiting. */
export const HANDLERS: readonly Point[] = [
  {
    of: UserAccess,
    names: ["copyIn", "copyOut", "clear", "load32", "load64", "store32", "store64", "cstring"],
  },
  { of: UserAccess, names: ["copyIn", "copyOut", "store32"], isBehind: true },
  { of: FrameAllocator, names: ["alloc"] },
  { of: FakeSpace, names: ["mapArena", "mapFile", "unmap", "protect"] },
  { of: Task, names: ["waitFor", "waitUntil"] },
  { of: Task, names: ["waitFor", "waitUntil"], isBehind: true },
  { of: Quota, names: ["take"] },
  { of: ClientConnection, names: ["call"] },
  { of: ClientConnection, names: ["call"], isBehind: true },
];

/**
 * The same, and in the midst of wake-ups, timers and descriptor tables, which no handler undoes.
 */
export const EVERYWHERE: readonly Point[] = [
  ...HANDLERS,
  { of: Task, names: ["endWait"] },
  { of: TimerQueue, names: ["arm", "disarm"] },
  { of: FdTable, names: ["get", "install", "close"] },
  { of: FdTable, names: ["install"], isBehind: true },
  { of: WaitQueue, names: ["wake", "add", "remove"] },
];

export class InjectedFault extends Error {
  override readonly name = "InjectedFault";
}

/** One fault. */
interface Injected {
  readonly where: string;
  readonly group: ThreadGroup;
  /** The task was ending already. */
  readonly wasExiting: boolean;
}

export class FaultInjector {
  readonly faults: Injected[] = [];
  readonly #kernel: SandboxKernel;
  readonly #chance: Random;
  readonly #spread: number;
  /** Whether points in the exit of a task throw too. */
  readonly #hitsEnds: boolean;
  #left: number;

  /** @param spread one in about so many points fails */
  constructor(kernel: SandboxKernel, chance: Random, spread: number, hitsEnds: boolean) {
    this.#kernel = kernel;
    this.#chance = chance;
    this.#spread = spread;
    this.#hitsEnds = hitsEnds;
    this.#left = 1 + chance.below(spread);
  }

  /** Called at each point. @throws InjectedFault */
  pass(where: string): void {
    const task = this.#kernel.current;
    if (task === null || task.group.isInit) return;
    const isEnd = task.endStep > 0 || task.group.isExiting;
    if (isEnd && !this.#hitsEnds || --this.#left > 0) return;
    this.#left = 1 + this.#chance.below(this.#spread);
    this.faults.push({ where, group: task.group, wasExiting: task.group.isExiting });
    throw new InjectedFault(where);
  }
}

/** Runs `body` while the injector's points are in place. */
export function injecting(
  injector: FaultInjector,
  points: readonly Point[],
  body: () => void,
): void {
  const undo: (() => void)[] = [];
  try {
    for (const { of: { prototype }, names, isBehind } of points) {
      for (const name of names) undo.push(wrap(prototype, name, isBehind === true, injector));
    }
    body();
  } finally {
    for (const restore of undo.reverse()) restore();
  }
}

function wrap(
  prototype: object,
  name: string,
  isBehind: boolean,
  injector: FaultInjector,
): () => void {
  const descriptor = Object.getOwnPropertyDescriptor(prototype, name);
  const method: unknown = descriptor?.value;
  if (descriptor === undefined || typeof method !== "function") throw new Error(`no ${name}`);
  const value = isBehind
    ? function (this: unknown, ...args: unknown[]): unknown {
      const result: unknown = Reflect.apply(method, this, args);
      injector.pass(`behind ${name}`);
      return result;
    }
    : function (this: unknown, ...args: unknown[]): unknown {
      injector.pass(name);
      return Reflect.apply(method, this, args);
    };
  Object.defineProperty(prototype, name, { ...descriptor, value });
  return () => Object.defineProperty(prototype, name, descriptor);
}
