/**
 * Writes resources to the groups of a cgroup v1 host, a controller at a time: the files, and the
 * order in which the kernel accepts the values. See cgroups(7) and
 * Documentation/admin-guide/cgroup-v1.
 *
 * Not here: device rules (device_rules.ts), making groups (container_cgroup.ts).
 */

import { UserError } from "../../user_error.ts";
import { writeDeviceRules } from "./device_rules.ts";
import {
  CgroupError,
  codeOf,
  decimal,
  exists,
  placeOf,
  readNumber,
  writeGroupFile,
} from "./control_files.ts";
import type { BlockIoLimits, CpuLimits, DeviceValue, Limits } from "./limits.ts";

interface V1Controller {
  /** Whether these limits use the controller. */
  needs(limits: Limits): boolean;
  /** @throws UserError, CgroupError */
  apply(dir: string, limits: Limits): void;
}

/** Controllers with something to set, by name. */
export const V1_WRITERS: Readonly<Record<string, V1Controller>> = {
  cpuset: {
    needs: (r) => r.cpu.cpus !== "" || r.cpu.mems !== "",
    apply(dir, r) {
      if (r.cpu.cpus !== "") writeGroupFile(dir, "cpuset.cpus", r.cpu.cpus);
      if (r.cpu.mems !== "") writeGroupFile(dir, "cpuset.mems", r.cpu.mems);
    },
  },
  devices: {
    needs: (r) => r.devices.length > 0,
    apply: (dir, r) => writeDeviceRules(dir, r.devices),
  },
  memory: {
    needs: (r) => {
      const { limit, reservation, swap, kernelTcp, swappiness, disableOomKiller } = r.memory;
      return limit !== 0 || reservation !== 0 || swap !== 0 || kernelTcp !== 0 ||
        swappiness !== null || disableOomKiller;
    },
    apply: setMemory,
  },
  cpu: {
    needs: ({ cpu }) =>
      cpu.shares !== 0 || cpu.quota !== 0 || cpu.period !== 0 || cpu.burst !== null ||
      cpu.idle !== null || cpu.realtimePeriod !== 0 || cpu.realtimeRuntime !== 0,
    apply: (dir, r) => setCpu(dir, r.cpu),
  },
  pids: {
    needs: (r) => r.pidsLimit !== 0,
    apply: (dir, r) =>
      writeGroupFile(dir, "pids.max", r.pidsLimit < 0 ? "max" : decimal(r.pidsLimit)),
  },
  blkio: {
    needs: ({ blockIo: b }) =>
      b.weight !== 0 || b.leafWeight !== 0 ||
      [b.weightDevices, b.leafWeightDevices, b.readBps, b.writeBps, b.readIops, b.writeIops]
        .some((values) => values.length > 0),
    apply: (dir, r) => setBlockIo(dir, r.blockIo),
  },
  hugetlb: {
    needs: (r) => r.hugepages.length > 0,
    apply: setHugepages,
  },
  net_cls: {
    needs: (r) => r.classId !== null,
    apply: (dir, r) => writeGroupFile(dir, "net_cls.classid", decimal(r.classId ?? 0)),
  },
  net_prio: {
    needs: (r) => r.priorities.length > 0,
    apply(dir, r) {
      for (const { name, priority } of r.priorities) {
        writeGroupFile(dir, "net_prio.ifpriomap", `${name} ${priority}`);
      }
    },
  },
  rdma: { needs: (r) => r.rdma.length > 0, apply: writeRdma },
};

/** Limits of RDMA devices: the same file in both versions. */
export function writeRdma(dir: string, r: Limits): void {
  for (const { device, hcaHandles, hcaObjects } of r.rdma) {
    const handles = hcaHandles === null ? "" : ` hca_handle=${hcaHandles}`;
    const objects = hcaObjects === null ? "" : ` hca_object=${hcaObjects}`;
    if (handles + objects !== "") writeGroupFile(dir, "rdma.max", device + handles + objects);
  }
}

function setHugepages(dir: string, r: Limits): void {
  for (const { pageSize, limit } of r.hugepages) {
    writeGroupFile(dir, `hugetlb.${pageSize}.limit_in_bytes`, decimal(limit));
    // Reservations are counted apart since Linux 5.7.
    const reserved = `hugetlb.${pageSize}.rsvd.limit_in_bytes`;
    if (exists(dir, reserved)) writeGroupFile(dir, reserved, decimal(limit));
  }
}

const LIMIT = "memory.limit_in_bytes", SUM = "memory.memsw.limit_in_bytes";

function setMemory(dir: string, r: Limits): void {
  const { memory } = r;
  setLimits(dir, memory.limit, swapFor(dir, memory.limit, memory.swap), memory.checkBeforeUpdate);
  if (memory.reservation !== 0) {
    writeGroupFile(dir, "memory.soft_limit_in_bytes", decimal(memory.reservation));
  }
  if (memory.kernelTcp !== 0) {
    writeGroupFile(dir, "memory.kmem.tcp.limit_in_bytes", decimal(memory.kernelTcp));
  }
  if (memory.disableOomKiller) writeGroupFile(dir, "memory.oom_control", "1");
  if (memory.swappiness !== null) {
    writeGroupFile(dir, "memory.swappiness", decimal(memory.swappiness));
  }
}

/**
 * Without a memory limit there is no limit of memory and swap together, unless config.json has one.
 */
function swapFor(dir: string, limit: number, swap: number): number {
  return limit === -1 && swap === 0 && exists(dir, SUM) ? -1 : swap;
}

/**
 * The kernel refuses a limit above the sum, and a sum below the limit. So the order depends on the
 * current values.
 */
function setLimits(dir: string, limit: number, sum: number, isChecked: boolean): void {
  if (limit > 0 && isChecked) {
    const usage = readNumber(dir, "memory.usage_in_bytes");
    if (usage >= limit) {
      throw new UserError(
        `${placeOf(LIMIT)}the limit ${limit} is below what is used already (${usage})`,
      );
    }
  }
  const writeLimit = () => limit !== 0 && putLimit(dir, LIMIT, limit);
  const writeSum = () => sum !== 0 && putLimit(dir, SUM, sum);
  if (sum === -1 || readNumber(dir, LIMIT) < sum) {
    writeSum();
    writeLimit();
  } else {
    writeLimit();
    writeSum();
  }
}

function putLimit(dir: string, name: string, value: number): void {
  try {
    writeGroupFile(dir, name, decimal(value));
  } catch (error) {
    if (codeOf(error) !== "EBUSY") throw error;
    const usage = readNumber(dir, "memory.usage_in_bytes");
    const peak = readNumber(dir, "memory.max_usage_in_bytes");
    throw new CgroupError(
      `${
        placeOf(name)
      }cannot set the memory limit to ${value}: ${usage} bytes are in use (at most ${peak} were)`,
      error,
    );
  }
}

function setCpu(dir: string, cpu: CpuLimits): void {
  if (cpu.realtimePeriod !== 0) {
    writeGroupFile(dir, "cpu.rt_period_us", decimal(cpu.realtimePeriod));
  }
  if (cpu.realtimeRuntime !== 0) {
    writeGroupFile(dir, "cpu.rt_runtime_us", decimal(cpu.realtimeRuntime));
  }
  if (cpu.shares !== 0) setShares(dir, cpu.shares);
  if (cpu.idle !== null) writeGroupFile(dir, "cpu.idle", decimal(cpu.idle));
  setBandwidth(dir, cpu);
}

/** The kernel accepts a value out of range and sets the nearest one. */
function setShares(dir: string, shares: number): void {
  writeGroupFile(dir, "cpu.shares", decimal(shares));
  const set = readNumber(dir, "cpu.shares");
  if (set === shares) return;
  const bound = shares > set ? "most" : "least";
  throw new UserError(`linux.resources.cpu.shares is ${shares}, the ${bound} is ${set}`);
}

/**
 * Period and burst may be invalid with the current quota, and valid with the quota that follows.
 */
function setBandwidth(dir: string, cpu: CpuLimits): void {
  const later: [string, string][] = [];
  const put = (name: string, value: string) => {
    try {
      writeGroupFile(dir, name, value);
    } catch (error) {
      if (codeOf(error) !== "EINVAL" || cpu.quota === 0) throw error;
      later.push([name, value]);
    }
  };
  if (cpu.period !== 0) put("cpu.cfs_period_us", decimal(cpu.period));
  if (cpu.burst !== null) put("cpu.cfs_burst_us", decimal(cpu.burst));
  if (cpu.quota !== 0) writeGroupFile(dir, "cpu.cfs_quota_us", decimal(cpu.quota));
  for (const [name, value] of later) writeGroupFile(dir, name, value);
}

function setBlockIo(dir: string, b: BlockIoLimits): void {
  // BFQ's files exist where CFQ's are gone (Linux 5.0).
  const prefix = exists(dir, "blkio.weight") ? "blkio." : "blkio.bfq.";
  if (b.weight !== 0) writeGroupFile(dir, `${prefix}weight`, decimal(b.weight));
  if (b.leafWeight !== 0) writeGroupFile(dir, "blkio.leaf_weight", decimal(b.leafWeight));
  putDevices(dir, `${prefix}weight_device`, b.weightDevices);
  putDevices(dir, "blkio.leaf_weight_device", b.leafWeightDevices);
  putDevices(dir, "blkio.throttle.read_bps_device", b.readBps);
  putDevices(dir, "blkio.throttle.write_bps_device", b.writeBps);
  putDevices(dir, "blkio.throttle.read_iops_device", b.readIops);
  putDevices(dir, "blkio.throttle.write_iops_device", b.writeIops);
}

function putDevices(dir: string, name: string, values: readonly DeviceValue[]): void {
  for (const { major, minor, value } of values) {
    writeGroupFile(dir, name, `${major}:${minor} ${decimal(value)}`);
  }
}
