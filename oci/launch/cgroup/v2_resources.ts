/**
 * Writes resources to a group of a cgroup v2 host: Documentation/admin-guide/cgroup-v2. Numbers of
 * v1 are converted (v1_to_v2.ts). A setting without a counterpart in v2 is an error.
 *
 * Not here: which devices may be opened (device_filter.ts), making the group (container_cgroup.ts).
 */

import { UserError } from "../../user_error.ts";
import { attachDeviceFilter } from "./device_filter.ts";
import { cpuWeight, ioWeight, limitText, swapLimit } from "./v1_to_v2.ts";
import {
  CgroupError,
  codeOf,
  decimal,
  exists,
  placeOf,
  readIfThere,
  readNumber,
  writeGroupFile,
} from "./control_files.ts";
import type { BlockIoLimits, CpuLimits, DeviceValue, Limits } from "./limits.ts";
import { V1_WRITERS, writeRdma } from "./v1_resources.ts";

/** Controllers of v2, by the v1 controller with the same task. */
const CONTROLLER_OF: Readonly<Record<string, string>> = {
  cpuset: "cpuset",
  memory: "memory",
  cpu: "cpu",
  pids: "pids",
  blkio: "io",
  hugetlb: "hugetlb",
  rdma: "rdma",
};

/** Controllers that these limits use. */
export function neededV2(r: Limits): string[] {
  const needed = new Set<string>();
  for (const [v1, v2] of Object.entries(CONTROLLER_OF)) {
    if (V1_WRITERS[v1]?.needs(r) ?? false) needed.add(v2);
  }
  for (const [name] of r.unified) {
    const controller = name.slice(0, name.indexOf("."));
    if (controller !== "cgroup") needed.add(controller);
  }
  return [...needed];
}

/**
 * @param isRootless whether device rules that the host refuses are left out
 * @throws UserError, CgroupError
 */
export function applyV2(dir: string, r: Limits, isRootless = false): void {
  refuseForeign(r);
  if (r.cpu.cpus !== "") writeGroupFile(dir, "cpuset.cpus", r.cpu.cpus);
  if (r.cpu.mems !== "") writeGroupFile(dir, "cpuset.mems", r.cpu.mems);
  if (r.pidsLimit !== 0) {
    writeGroupFile(dir, "pids.max", r.pidsLimit < 0 ? "max" : decimal(r.pidsLimit));
  }
  setMemory(dir, r);
  setIo(dir, r.blockIo);
  setCpu(dir, r.cpu);
  for (const { pageSize, limit } of r.hugepages) {
    writeGroupFile(dir, `hugetlb.${pageSize}.max`, decimal(limit));
    const reserved = `hugetlb.${pageSize}.rsvd.max`;
    if (exists(dir, reserved)) writeGroupFile(dir, reserved, decimal(limit));
  }
  writeRdma(dir, r);
  for (const [name, value] of r.unified) setUnified(dir, name, value);
  // Without CAP_BPF there are none, as under runc.
  if (!isRootless) attachDeviceFilter(dir, r.devices);
}

/** Refuses limits that only v1 has. 0 and false are the behaviour of v2. */
function refuseForeign(r: Limits): void {
  const foreign: [string, boolean][] = [
    ["memory.kernelTCP", r.memory.kernelTcp > 0],
    ["memory.swappiness", r.memory.swappiness !== null],
    ["memory.disableOOMKiller", r.memory.disableOomKiller],
    ["cpu.realtimeRuntime", r.cpu.realtimeRuntime > 0],
    ["cpu.realtimePeriod", r.cpu.realtimePeriod > 0],
    ["blockIO.leafWeight", r.blockIo.leafWeight !== 0 || r.blockIo.leafWeightDevices.length > 0],
    ["network.classID", r.classId !== null && r.classId !== 0],
    ["network.priorities", r.priorities.length > 0],
  ];
  for (const [name, isAsked] of foreign) {
    if (!isAsked) continue;
    throw new UserError(
      `linux.resources.${name}: this host has cgroup v2, which has no such thing`,
    );
  }
}

function setMemory(dir: string, { memory }: Limits): void {
  const { limit, reservation } = memory;
  const swap = limitText(swapLimit(memory.swap, limit));
  if (limit > 0 && memory.checkBeforeUpdate) {
    const usage = readNumber(dir, "memory.current");
    if (usage > limit) {
      throw new UserError(
        `${placeOf("memory.max")}the limit ${limit} is below what is used already (${usage})`,
      );
    }
  }
  // A host without swap accounting lacks the file; "no limit" holds there anyway.
  if (swap !== "" && (swap !== "max" || exists(dir, "memory.swap.max"))) {
    writeGroupFile(dir, "memory.swap.max", swap);
  }
  if (limit !== 0) writeGroupFile(dir, "memory.max", limitText(limit));
  if (reservation !== 0) writeGroupFile(dir, "memory.low", limitText(reservation));
}

function setCpu(dir: string, cpu: CpuLimits): void {
  if (cpu.idle !== null) writeGroupFile(dir, "cpu.idle", decimal(cpu.idle));
  // An idle group has no weight: the kernel refuses it.
  if (cpu.shares !== 0 && cpu.idle !== 1) {
    writeGroupFile(dir, "cpu.weight", decimal(cpuWeight(cpu.shares)));
  }
  const isLater = cpu.burst !== null && !putBurst(dir, cpu);
  if (cpu.quota !== 0 || cpu.period !== 0) {
    const quota = cpu.quota > 0 ? decimal(cpu.quota) : "max";
    // A period without a quota keeps the current quota.
    const [old = "max", oldPeriod = "100000"] = currentMax(dir);
    const period = cpu.period === 0 ? oldPeriod : decimal(cpu.period);
    writeGroupFile(dir, "cpu.max", `${cpu.quota === 0 ? old : quota} ${period}`);
  }
  if (isLater) writeGroupFile(dir, "cpu.max.burst", decimal(cpu.burst ?? 0));
}

/** False if the burst must wait until the quota is set. */
function putBurst(dir: string, cpu: CpuLimits): boolean {
  try {
    writeGroupFile(dir, "cpu.max.burst", decimal(cpu.burst ?? 0));
    return true;
  } catch (error) {
    if (codeOf(error) !== "EINVAL" || cpu.quota === 0) throw error;
    return false;
  }
}

function currentMax(dir: string): string[] {
  return readIfThere(dir, "cpu.max").split(" ").filter((word) => word !== "");
}

function setIo(dir: string, b: BlockIoLimits): void {
  const isBfq = exists(dir, "io.bfq.weight");
  const file = isBfq ? "io.bfq.weight" : "io.weight";
  const scale = (weight: number) => decimal(isBfq ? weight : ioWeight(weight));
  if (b.weight !== 0) writeGroupFile(dir, file, `default ${scale(b.weight)}`);
  for (const { major, minor, value } of b.weightDevices) {
    writeGroupFile(dir, file, `${major}:${minor} ${scale(value)}`);
  }
  putRates(dir, "rbps", b.readBps);
  putRates(dir, "wbps", b.writeBps);
  putRates(dir, "riops", b.readIops);
  putRates(dir, "wiops", b.writeIops);
}

function putRates(dir: string, key: string, values: readonly DeviceValue[]): void {
  for (const { major, minor, value } of values) {
    const rate = value === 0 ? "max" : decimal(value);
    writeGroupFile(dir, "io.max", `${major}:${minor} ${key}=${rate}`);
  }
}

function setUnified(dir: string, name: string, value: string): void {
  try {
    writeGroupFile(dir, name, value);
  } catch (error) {
    if (exists(dir, name)) throw error;
    const what = `linux.resources.unified has ${
      JSON.stringify(name)
    }, which this host does not have`;
    throw new CgroupError(what, error);
  }
}
