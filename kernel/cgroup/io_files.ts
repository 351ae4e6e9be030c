/** io.* of version 2 and blkio.* of version 1: files of the io controller. */

import { EINVAL, ENODEV, ERANGE } from "../../ffi/abi/errno.ts";
import { majorOf, makedev, minorOf } from "../../ffi/abi/stat.ts";
import type { Cgroup } from "./cgroup.ts";
import { IO } from "./controllers.ts";
import type { FileSpec } from "./files.ts";
import { type DeviceIo, type IoRate, isStored } from "./io.ts";
import { shown } from "./numbers.ts";
import type { View } from "./view.ts";

type Way = "reads" | "writes";
type Limit = "maxBytes" | "maxTransfers";

const LIMITS: ReadonlyMap<string, readonly [Way, Limit]> = new Map([
  ["rbps", ["reads", "maxBytes"]],
  ["wbps", ["writes", "maxBytes"]],
  ["riops", ["reads", "maxTransfers"]],
  ["wiops", ["writes", "maxTransfers"]],
]);

export const IO_FILES: readonly FileSpec[] = [
  { name: "io.max", controller: IO, read: maxText, write: storeMax },
  { name: "io.stat", controller: IO, read: statText },
];

export const LEGACY_IO_FILES: readonly FileSpec[] = [
  throttle("blkio.throttle.read_bps_device", "reads", "maxBytes"),
  throttle("blkio.throttle.read_iops_device", "reads", "maxTransfers"),
  throttle("blkio.throttle.write_bps_device", "writes", "maxBytes"),
  throttle("blkio.throttle.write_iops_device", "writes", "maxTransfers"),
  counter("blkio.throttle.io_service_bytes", (rate) => rate.bytes, false),
  counter("blkio.throttle.io_service_bytes_recursive", (rate) => rate.bytes, true),
  counter("blkio.throttle.io_serviced", (rate) => rate.transfers, false),
  counter("blkio.throttle.io_serviced_recursive", (rate) => rate.transfers, true),
];

function nameOf(dev: number): string {
  return `${majorOf(dev)}:${minorOf(dev)}`;
}

/** Parses "8:0": the device, -EINVAL, or -ENODEV if the writer has no such device. */
function deviceOf(text: string, view: View): number {
  const m = /^(\d{1,4}):(\d{1,7})$/.exec(text);
  if (m === null) return -EINVAL;
  const dev = makedev(Number(m[1]), Number(m[2]));
  return isStored(view.task, dev) ? dev : -ENODEV;
}

function maxText(group: Cgroup): string {
  const limited = group.io.devices.filter((device) => device.isLimited);
  return limited.map((device) => {
    const values = [...LIMITS].map(([key, [way, limit]]) => `${key}=${shown(device[way][limit])}`);
    return `${nameOf(device.dev)} ${values.join(" ")}\n`;
  }).join("");
}

/** Stores "MAJ:MIN rbps=N wiops=max"; limits that are not named stay. */
function storeMax(group: Cgroup, text: string, view: View): number {
  const [name = "", ...words] = text.split(/\s+/), dev = deviceOf(name, view);
  if (dev < 0) return dev;
  const wanted: [Way, Limit, number][] = [];
  for (const word of words) {
    const [key = "", value = "", more] = word.split("="), place = LIMITS.get(key);
    if (more !== undefined || !/^(max|\d+)$/.test(value)) return -EINVAL;
    const n = value === "max" ? Infinity : Number(value);
    if (n === 0) return -ERANGE;
    if (place === undefined) return -EINVAL;
    wanted.push([...place, n]);
  }
  const device = group.io.of(dev);
  for (const [way, limit, n] of wanted) device[way][limit] = n;
  return 0;
}

function statText(group: Cgroup): string {
  return group.io.devices.map(({ dev, reads, writes }) => {
    if (reads.transfers + writes.transfers === 0) return "";
    return `${nameOf(dev)} rbytes=${reads.bytes} wbytes=${writes.bytes} rios=${reads.transfers} ` +
      `wios=${writes.transfers} dbytes=0 dios=0\n`;
  }).join("");
}

/** A file that stores "MAJ:MIN N", 0 for no limit. */
function throttle(name: string, way: Way, limit: Limit): FileSpec {
  return {
    name,
    controller: IO,
    isBelowRoot: true,
    read: ({ io }) => {
      const limited = io.devices.filter((device) => device[way][limit] !== Infinity);
      return limited.map((d) => `${nameOf(d.dev)} ${d[way][limit]}\n`).join("");
    },
    write: (group, text, view) => {
      const [device = "", value = "", more] = text.split(/\s+/), dev = deviceOf(device, view);
      if (dev < 0) return dev;
      if (more !== undefined || !/^\d+$/.test(value)) return -EINVAL;
      group.io.of(dev)[way][limit] = Number(value) || Infinity;
      return 0;
    },
  };
}

/** A file that shows transfers; all are synchronous. */
function counter(name: string, count: (rate: IoRate) => number, isRecursive: boolean): FileSpec {
  return {
    name,
    controller: IO,
    isBelowRoot: true,
    read: (group) => {
      let text = "", total = 0;
      for (const [dev, uses] of usesOf(isRecursive ? group.subtree() : [group])) {
        const reads = sum(uses.map((use) => count(use.reads)));
        const writes = sum(uses.map((use) => count(use.writes))), all = reads + writes;
        if (all === 0) continue;
        const d = nameOf(dev);
        text += `${d} Read ${reads}\n${d} Write ${writes}\n${d} Sync ${all}\n${d} Async 0\n` +
          `${d} Discard 0\n${d} Total ${all}\n`;
        total += all;
      }
      return `${text}Total ${total}\n`;
    },
  };
}

function usesOf(groups: readonly Cgroup[]): Map<number, DeviceIo[]> {
  return Map.groupBy(groups.flatMap(({ io }) => io.devices), ({ dev }) => dev);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}
