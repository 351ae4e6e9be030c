/** membarrier(2), rseq(2). */

import { EINVAL, ENOSYS, EPERM } from "../../../ffi/abi/errno.ts";
import * as F from "../../../ffi/abi/futex.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { RESTART_NOINTR, RUNNING, type Task } from "../../task/task.ts";

/** MEMBARRIER_CMD_* of MEMBARRIER_CMD_QUERY. */
const SUPPORTED = F.MEMBARRIER_CMD_GLOBAL | F.MEMBARRIER_CMD_GLOBAL_EXPEDITED |
  F.MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED | F.MEMBARRIER_CMD_PRIVATE_EXPEDITED |
  F.MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED | F.MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE |
  F.MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE;

/** Time between two checks whether all threads were stopped, ns. */
const LOOK_NS = 20_000;

/** The threads that ran at the start of the call, and their counts of stops. */
class Running {
  readonly tasks: Task[] = [];
  readonly stops: number[] = [];

  get isOver(): boolean {
    return this.tasks.every((x, i) => x.state !== RUNNING || x.stopCount !== this.stops[i]);
  }
}

/**
 * membarrier(2): stops and resumes every selected running thread, which is a full barrier on its
 * CPU.
 */
export function sysMembarrier(t: Task, a: SyscallArgs): number {
  const command = a.i32(0), flags = a.u32(1), { group } = t, { object } = t.progress;
  if (object instanceof Running) return object.isOver ? 0 : checkStopped(t);
  if (flags !== 0) return -EINVAL;
  switch (command) {
    case F.MEMBARRIER_CMD_QUERY:
      return SUPPORTED;
    case F.MEMBARRIER_CMD_GLOBAL:
    case F.MEMBARRIER_CMD_GLOBAL_EXPEDITED:
      return stopAll(t, t.kernel.pids.tasks.values());
    case F.MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED:
    case F.MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
    case F.MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
      group.membarriers |= command;
      return 0;
    case F.MEMBARRIER_CMD_PRIVATE_EXPEDITED:
    case F.MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE:
      // The bit to the left of a command is its registration.
      if ((group.membarriers & (command << 1)) === 0) return -EPERM;
      return stopAll(t, group.tasks);
    case F.MEMBARRIER_CMD_GET_REGISTRATIONS:
      return group.membarriers;
    default:
      return -EINVAL;
  }
}

function stopAll(t: Task, others: Iterable<Task>): number {
  const running = new Running();
  for (const x of others) {
    if (x.state !== RUNNING) continue;
    running.tasks.push(x);
    running.stops.push(x.stopCount);
    x.ctx.interrupt();
  }
  if (running.tasks.length === 0) return 0;
  t.progress.object = running;
  return checkStopped(t);
}

function checkStopped(t: Task): number {
  t.restart = RESTART_NOINTR;
  return t.waitUntil(t.kernel.now() + LOOK_NS);
}

/** rseq(2): programs work without it. */
export function sysRseq(): number {
  return -ENOSYS;
}
