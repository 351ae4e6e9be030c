/**
 * The io controller: what groups transferred to and from each stored file system, and their limits
 * (io.max). A task over a limit returns to guest code later (delay.ts).
 *
 * DIFFERS: "devices" are those that stat(2) shows of files, as there are no block devices below.
 * Each read and write counts when the program makes it, as there is no page cache; transfers by
 * mappings of files are not seen.
 */

import type { TransferCharger } from "../vfs/transfers.ts";
import type { Kernel } from "../task/kernel_services.ts";
import type { Task } from "../task/task.ts";
import type { Cgroup } from "./cgroup.ts";
import { IO } from "./controllers.ts";
import { delayTask } from "./delay.ts";

const NS_A_SECOND = 1e9;
/** Shorter delays are saved up, ns. */
const LEAST_NS = 1e6;
/** LIMIT: devices that a group counts; a further one replaces the one that was used first. */
const DEVICES_MAX = 64;

/** Counts and limits of one direction. */
export class IoRate {
  bytes: number = 0;
  transfers: number = 0;
  /** Bytes a second. */
  maxBytes: number = Infinity;
  maxTransfers: number = Infinity;
  /** The time when all transfers are paid for. */
  private paidNs: number = 0;

  get isLimited(): boolean {
    return this.maxBytes !== Infinity || this.maxTransfers !== Infinity;
  }

  /** Count a transfer: the time when the task may go on. HOT */
  add(bytes: number, kernel: Kernel): number {
    this.bytes += bytes;
    this.transfers++;
    if (!this.isLimited) return 0;
    const now = kernel.now(), cost = Math.max(bytes / this.maxBytes, 1 / this.maxTransfers);
    this.paidNs = Math.max(now, this.paidNs) + cost * NS_A_SECOND;
    return this.paidNs - now < LEAST_NS ? 0 : this.paidNs;
  }
}

/** Counts and limits of one group for one device. */
export class DeviceIo {
  readonly dev: number;
  readonly reads: IoRate = new IoRate();
  readonly writes: IoRate = new IoRate();

  constructor(dev: number) {
    this.dev = dev;
  }

  get isLimited(): boolean {
    return this.reads.isLimited || this.writes.isLimited;
  }
}

/** The state of the io controller in one group. */
export class IoState {
  devices: DeviceIo[] = [];

  /** HOT */
  of(dev: number): DeviceIo {
    const { devices } = this;
    for (let i = 0; i < devices.length; i++) if (devices[i]!.dev === dev) return devices[i]!;
    return this.addDevice(dev);
  }

  private addDevice(dev: number): DeviceIo {
    const { devices } = this, one = new DeviceIo(dev);
    if (devices.length === DEVICES_MAX) {
      const unlimited = devices.findIndex((d) => !d.isLimited);
      devices.splice(Math.max(0, unlimited), 1);
    }
    devices.push(one);
    return one;
  }

  onLoss(lost: number): void {
    if ((lost & IO) !== 0) this.devices = [];
  }
}

/** Charges transfers of tasks to their groups. */
export class IoCharges implements TransferCharger {
  private readonly kernel: Kernel;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  /** HOT */
  charge(dev: number, bytes: number, isWrite: boolean): void {
    const { kernel } = this, task = kernel.current;
    if (task === null) return;
    const { transfers } = task.billed;
    if (isWrite) transfers.storedBytes += bytes;
    else transfers.fetchedBytes += bytes;
    const { unified, legacy } = task.cgroups;
    let untilNs = 0;
    for (let up: Cgroup | null = unified; up !== null; up = up.parent) {
      if (up.parent !== null && (up.controllers & IO) === 0) continue;
      untilNs = Math.max(untilNs, add(up, dev, bytes, isWrite, kernel));
    }
    for (let i = 0; i < legacy.length; i++) {
      if ((legacy[i]!.controllers & IO) === 0) continue;
      untilNs = Math.max(untilNs, add(legacy[i]!, dev, bytes, isWrite, kernel));
    }
    if (untilNs > 0) delayTask(task.billed, untilNs);
  }
}

function add(group: Cgroup, dev: number, bytes: number, isWrite: boolean, kernel: Kernel): number {
  const device = group.io.of(dev);
  return (isWrite ? device.writes : device.reads).add(bytes, kernel);
}

/** Whether transfers to a device count: a file system that the task sees, and that is stored. */
export function isStored(task: Task | null, dev: number): boolean {
  for (const { fs } of task?.fs.namespace.mounts ?? []) {
    if (fs.dev === dev && fs.isStored) return true;
  }
  return false;
}
