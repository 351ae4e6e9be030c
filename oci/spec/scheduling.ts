/** How a process of config.json is scheduled: `scheduler`, `ioPriority`, `execCPUAffinity`. */

import * as R from "../../ffi/abi/resource.ts";
import * as S from "../../ffi/abi/sched.ts";
import type { SchedulerSpec } from "../protocol/boot_spec.ts";
import type { JsonNode } from "../json_node.ts";

const POLICIES: Readonly<Record<string, number>> = {
  SCHED_OTHER: S.SCHED_NORMAL,
  SCHED_FIFO: S.SCHED_FIFO,
  SCHED_RR: S.SCHED_RR,
  SCHED_BATCH: S.SCHED_BATCH,
  SCHED_IDLE: S.SCHED_IDLE,
  SCHED_DEADLINE: S.SCHED_DEADLINE,
};
const FLAGS: Readonly<Record<string, number>> = {
  SCHED_FLAG_RESET_ON_FORK: S.SCHED_FLAG_RESET_ON_FORK,
  SCHED_FLAG_RECLAIM: S.SCHED_FLAG_RECLAIM,
  SCHED_FLAG_DL_OVERRUN: S.SCHED_FLAG_DL_OVERRUN,
  SCHED_FLAG_KEEP_POLICY: S.SCHED_FLAG_KEEP_POLICY,
  SCHED_FLAG_KEEP_PARAMS: S.SCHED_FLAG_KEEP_PARAMS,
};
const IO_CLASSES: Readonly<Record<string, number>> = {
  IOPRIO_CLASS_RT: R.IOPRIO_CLASS_RT,
  IOPRIO_CLASS_BE: R.IOPRIO_CLASS_BE,
  IOPRIO_CLASS_IDLE: R.IOPRIO_CLASS_IDLE,
};
const NS_MAX = 2 ** 63;
const PRIORITY_MAX = 99;
/** LIMIT: CPU numbers, as CPU_SETSIZE. */
const CPU_MAX = 1023;

export function readScheduler(node: JsonNode): SchedulerSpec {
  const policy = node.member("policy").oneOf(Object.keys(POLICIES));
  const isRealTime = policy === "SCHED_FIFO" || policy === "SCHED_RR";
  const ns = (name: string): number => node.member(name).optional(0, (n) => n.integer(0, NS_MAX));
  const priority = node.member("priority");
  let flags = 0;
  for (const flag of node.member("flags").items()) {
    flags |= FLAGS[flag.oneOf(Object.keys(FLAGS))] ?? 0;
  }
  return {
    policy: POLICIES[policy] ?? 0,
    nice: node.member("nice").optional(0, (n) => n.integer(-20, 19)),
    priority: isRealTime
      ? priority.integer(1, PRIORITY_MAX)
      : priority.optional(0, (n) => n.integer(0, 0)),
    flags,
    runtimeNs: ns("runtime"),
    deadlineNs: ns("deadline"),
    periodNs: ns("period"),
  };
}

/** As ioprio_set(2) takes it. */
export function readIoPriority(node: JsonNode): number {
  const name = node.member("class").oneOf(Object.keys(IO_CLASSES));
  const priority = node.member("priority").optional(0, (n) => n.integer(0, 7));
  return ((IO_CLASSES[name] ?? 0) << R.IOPRIO_CLASS_SHIFT) | priority;
}

/** The CPUs of `final`, or of `initial` where that is all there is. */
export function readCpuAffinity(node: JsonNode): number[] | null {
  const initial = readCpuList(node.member("initial"));
  return readCpuList(node.member("final")) ?? initial;
}

/** A list as in cpuset(7), "0-3,7". */
function readCpuList(node: JsonNode): number[] | null {
  const text = node.optional("", (n) => n.string()).trim();
  if (text === "") return null;
  const cpus = new Set<number>();
  for (const part of text.split(",")) {
    const match = /^\s*(\d{1,5})(?:-(\d{1,5}))?\s*$/.exec(part);
    const first = Number(match?.[1] ?? NaN), last = Number(match?.[2] ?? match?.[1] ?? NaN);
    if (!(first <= last && last <= CPU_MAX)) node.expected('a list of CPUs such as "0-3,7"');
    for (let cpu = first; cpu <= last; cpu++) cpus.add(cpu);
  }
  return [...cpus].sort((a, b) => a - b);
}
