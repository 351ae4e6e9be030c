/**
 * `linux.resources` (spec/resources_section.ts) in the form in which control groups are written:
 * absent and 0 keep the current value, -1 is "no limit".
 *
 * Also the overhead of a sandbox, which is added to limits of the host. Not here: the files of each
 * limit (v1_resources.ts, v2_resources.ts).
 */

import type {
  BlockIoResources,
  CpuResources,
  DeviceRule,
  MemoryResources,
  RdmaLimit,
  Resources,
} from "../../spec/resources_section.ts";
import { UserError } from "../../user_error.ts";

interface MemoryLimits {
  /** Bytes. */
  readonly limit: number;
  readonly reservation: number;
  /** Memory and swap together, as cgroup v1 counts; v2 gets the difference. */
  readonly swap: number;
  readonly kernelTcp: number;
  /** 0 to 100; null leaves it. */
  readonly swappiness: number | null;
  readonly disableOomKiller: boolean;
  /** Refuse a limit below what is used already. */
  readonly checkBeforeUpdate: boolean;
}

export interface CpuLimits {
  readonly shares: number;
  /** Microseconds. */
  readonly quota: number;
  readonly period: number;
  readonly burst: number | null;
  readonly realtimeRuntime: number;
  readonly realtimePeriod: number;
  /** 1: only when nothing else wants to run. */
  readonly idle: number | null;
  /** Lists as `0-3,7`; "" leaves them. */
  readonly cpus: string;
  readonly mems: string;
}

/** `value` is a weight, or a rate in bytes or operations per second. */
export interface DeviceValue {
  readonly major: number;
  readonly minor: number;
  readonly value: number;
}

export interface BlockIoLimits {
  readonly weight: number;
  readonly leafWeight: number;
  readonly weightDevices: readonly DeviceValue[];
  readonly leafWeightDevices: readonly DeviceValue[];
  readonly readBps: readonly DeviceValue[];
  readonly writeBps: readonly DeviceValue[];
  readonly readIops: readonly DeviceValue[];
  readonly writeIops: readonly DeviceValue[];
}

export interface Limits {
  readonly memory: MemoryLimits;
  readonly cpu: CpuLimits;
  readonly pidsLimit: number;
  readonly blockIo: BlockIoLimits;
  readonly hugepages: readonly { readonly pageSize: string; readonly limit: number }[];
  readonly classId: number | null;
  readonly priorities: readonly { readonly name: string; readonly priority: number }[];
  readonly rdma: readonly RdmaLimit[];
  /** v2 only: file name to value. */
  readonly unified: readonly (readonly [string, string])[];
  readonly devices: readonly DeviceRule[];
}

/**
 * What a sandbox's kernel, its Gofer and their threads use of the host in addition to the program.
 * The sandbox's kernel keeps the program's own limits exactly; the host's limit, larger by this,
 * stands behind them.
 */
export interface Overhead {
  readonly memoryBytes: number;
  /** Host threads. */
  readonly pids: number;
}

export const NO_OVERHEAD: Overhead = { memoryBytes: 0, pids: 0 };

/**
 * @param overhead added to memory limits; limits of processes are at least its host threads
 * @throws UserError for numbers that no control group takes
 */
export function limitsOf(resources: Resources, overhead: Overhead = NO_OVERHEAD): Limits {
  const { pids } = overhead;
  const pidsLimit = resources.pidsLimit ?? 0;
  return {
    memory: memoryOf(resources.memory, overhead.memoryBytes),
    cpu: cpuOf(resources.cpu),
    pidsLimit: pidsLimit > 0 ? Math.max(pidsLimit, pids) : pidsLimit,
    blockIo: blockIoOf(resources.blockIO),
    hugepages: resources.hugepageLimits,
    classId: resources.network?.classID ?? null,
    priorities: resources.network?.priorities ?? [],
    rdma: resources.rdma,
    unified: resources.unified,
    devices: resources.devices.map(checkedRule),
  };
}

/** Controllers whose limits the kernel of a sandbox can keep by itself. */
export type KernelController = "memory" | "cpu" | "pids";

/**
 * Leaves out what the kernel of the sandbox keeps where the host has no group for it.
 * @param lacks whether the host has none for this controller
 */
export function withoutKernelLimits(
  limits: Limits,
  lacks: (controller: KernelController) => boolean,
): Limits {
  const { memory, cpu } = limits;
  return {
    ...limits,
    // Guest memory is never swapped inside the sandbox.
    memory: lacks("memory") ? { ...memory, limit: 0, swap: 0 } : memory,
    cpu: lacks("cpu") ? { ...cpu, quota: 0, period: 0, shares: 0 } : cpu,
    pidsLimit: lacks("pids") ? 0 : limits.pidsLimit,
  };
}

function memoryOf(memory: MemoryResources | null, overhead: number): MemoryLimits {
  const limit = memory?.limit ?? 0, swap = memory?.swap ?? 0;
  const more = (bytes: number) => bytes > 0 ? bytes + overhead : bytes;
  const swappiness = memory?.swappiness ?? null;
  if (swappiness !== null && swappiness > 100) {
    throw new UserError(`linux.resources.memory.swappiness is ${swappiness}, expected 0 to 100`);
  }
  return {
    limit: more(limit),
    reservation: memory?.reservation ?? 0,
    swap: more(swap),
    kernelTcp: memory?.kernelTCP ?? 0,
    swappiness,
    disableOomKiller: memory?.disableOOMKiller ?? false,
    checkBeforeUpdate: memory?.checkBeforeUpdate ?? false,
  };
}

function cpuOf(cpu: CpuResources | null): CpuLimits {
  return {
    shares: cpu?.shares ?? 0,
    quota: cpu?.quota ?? 0,
    period: cpu?.period ?? 0,
    burst: cpu?.burst ?? null,
    realtimeRuntime: cpu?.realtimeRuntime ?? 0,
    realtimePeriod: cpu?.realtimePeriod ?? 0,
    idle: cpu?.idle ?? null,
    cpus: cpu?.cpus?.trim() ?? "",
    mems: cpu?.mems?.trim() ?? "",
  };
}

function blockIoOf(io: BlockIoResources | null): BlockIoLimits {
  const rates = (values: readonly { major: number; minor: number; rate: number }[] = []) =>
    values.map(({ major, minor, rate }) => ({ major, minor, value: rate }));
  const weights = (name: "weight" | "leafWeight") =>
    (io?.weightDevice ?? []).flatMap((device) => {
      const value = device[name];
      const { major, minor } = device;
      return value === null ? [] : [{ major, minor, value: checkWeight(value) }];
    });
  return {
    weight: checkWeight(io?.weight ?? 0),
    leafWeight: checkWeight(io?.leafWeight ?? 0),
    weightDevices: weights("weight"),
    leafWeightDevices: weights("leafWeight"),
    readBps: rates(io?.throttleReadBpsDevice),
    writeBps: rates(io?.throttleWriteBpsDevice),
    readIops: rates(io?.throttleReadIOPSDevice),
    writeIops: rates(io?.throttleWriteIOPSDevice),
  };
}

function checkWeight(weight: number): number {
  if (weight === 0 || weight >= 10 && weight <= 1000) return weight;
  throw new UserError(`linux.resources.blockIO has the weight ${weight}, expected 10 to 1000`);
}

/** A rule for all devices of a type has no numbers. */
function checkedRule(rule: DeviceRule): DeviceRule {
  const isAll = rule.type === "a" && rule.major === null && rule.minor === null;
  if (isAll || rule.type === "b" || rule.type === "c" || rule.type === "u") return rule;
  throw new UserError(`linux.resources.devices has a rule of type ${rule.type} with numbers`);
}
