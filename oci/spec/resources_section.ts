/**
 * `linux.resources` of config.json (config-linux.md, "Control groups"), also the format of `update
 * --resources`. Absent members are null. launch/cgroup/limits.ts has their meaning.
 */

import type { JsonNode } from "../json_node.ts";

/** One rule of the device controller. */
export interface DeviceRule {
  readonly isAllowed: boolean;
  /** `a`: all. */
  readonly type: "a" | "b" | "c" | "u" | "p";
  /** null: all of them. */
  readonly major: number | null;
  readonly minor: number | null;
  /** Some of r, w, m. */
  readonly access: string;
}

/** Bytes; -1: no limit. */
export interface MemoryResources {
  readonly limit: number | null;
  readonly reservation: number | null;
  /** Memory and swap together. */
  readonly swap: number | null;
  readonly kernel: number | null;
  readonly kernelTCP: number | null;
  readonly swappiness: number | null;
  readonly disableOOMKiller: boolean | null;
  readonly useHierarchy: boolean | null;
  readonly checkBeforeUpdate: boolean | null;
}

/** Times in us. */
export interface CpuResources {
  readonly shares: number | null;
  readonly quota: number | null;
  readonly burst: number | null;
  readonly period: number | null;
  readonly realtimeRuntime: number | null;
  readonly realtimePeriod: number | null;
  /** Lists as in cpuset(7): "0-2,7". */
  readonly cpus: string | null;
  readonly mems: string | null;
  readonly idle: number | null;
}

interface WeightDevice {
  readonly major: number;
  readonly minor: number;
  readonly weight: number | null;
  readonly leafWeight: number | null;
}

/** Bytes or operations a second. */
interface ThrottleDevice {
  readonly major: number;
  readonly minor: number;
  readonly rate: number;
}

export interface BlockIoResources {
  readonly weight: number | null;
  readonly leafWeight: number | null;
  readonly weightDevice: readonly WeightDevice[];
  readonly throttleReadBpsDevice: readonly ThrottleDevice[];
  readonly throttleWriteBpsDevice: readonly ThrottleDevice[];
  readonly throttleReadIOPSDevice: readonly ThrottleDevice[];
  readonly throttleWriteIOPSDevice: readonly ThrottleDevice[];
}

interface HugepageLimit {
  /** "2MB" */
  readonly pageSize: string;
  readonly limit: number;
}

interface NetworkResources {
  readonly classID: number | null;
  readonly priorities: readonly { readonly name: string; readonly priority: number }[];
}

export interface RdmaLimit {
  readonly device: string;
  readonly hcaHandles: number | null;
  readonly hcaObjects: number | null;
}

export interface Resources {
  readonly devices: readonly DeviceRule[];
  readonly memory: MemoryResources | null;
  readonly cpu: CpuResources | null;
  /** Tasks; -1 and 0: no limit. */
  readonly pidsLimit: number | null;
  readonly blockIO: BlockIoResources | null;
  readonly hugepageLimits: readonly HugepageLimit[];
  readonly network: NetworkResources | null;
  readonly rdma: readonly RdmaLimit[];
  /** Files of cgroup v2 and what is written to them, in the order of config.json. */
  readonly unified: readonly (readonly [file: string, value: string])[];
}

const INT64_MAX = 2 ** 63, UINT64_MAX = 2 ** 64;
const UINT32_MAX = 2 ** 32 - 1, UINT16_MAX = 65535;

/** An absent section gives one without anything. @throws UserError naming the JSON path */
export function readResources(node: JsonNode): Resources {
  return {
    devices: node.member("devices").items().map(readRule),
    memory: node.member("memory").optional(null, readMemory),
    cpu: node.member("cpu").optional(null, readCpu),
    pidsLimit: node.member("pids").optional(null, (pids) => signed(pids.member("limit"))),
    blockIO: node.member("blockIO").optional(null, readBlockIo),
    hugepageLimits: node.member("hugepageLimits").items().map(readHugepageLimit),
    network: node.member("network").optional(null, readNetwork),
    rdma: node.member("rdma").members().map((limit) => ({
      device: limit.name,
      hcaHandles: uint32(limit.member("hcaHandles")),
      hcaObjects: uint32(limit.member("hcaObjects")),
    })),
    unified: node.member("unified").members().map((entry) => [unifiedName(entry), entry.string()]),
  };
}

function readRule(node: JsonNode): DeviceRule {
  const access = node.member("access").optional("rwm", (n) => n.string());
  if (!/^[rwm]*$/.test(access)) node.member("access").expected("some of r, w, m");
  return {
    isAllowed: node.member("allow").boolean(),
    type: node.member("type").optional("a", (n) => n.oneOf(["a", "b", "c", "u", "p"])),
    major: deviceNumber(node.member("major")),
    minor: deviceNumber(node.member("minor")),
    access: access === "" ? "rwm" : access,
  };
}

/** -1 is any, as in runc. */
function deviceNumber(node: JsonNode): number | null {
  const value = node.optional(-1, (n) => n.integer(-1, UINT32_MAX));
  return value < 0 ? null : value;
}

function readMemory(node: JsonNode): MemoryResources {
  return {
    limit: signed(node.member("limit")),
    reservation: signed(node.member("reservation")),
    swap: signed(node.member("swap")),
    kernel: signed(node.member("kernel")),
    kernelTCP: signed(node.member("kernelTCP")),
    swappiness: node.member("swappiness").optional(null, (n) => n.integer(0, 200)),
    disableOOMKiller: flag(node.member("disableOOMKiller")),
    useHierarchy: flag(node.member("useHierarchy")),
    checkBeforeUpdate: flag(node.member("checkBeforeUpdate")),
  };
}

function readCpu(node: JsonNode): CpuResources {
  return {
    shares: unsigned(node.member("shares")),
    quota: signed(node.member("quota")),
    burst: unsigned(node.member("burst")),
    period: unsigned(node.member("period")),
    realtimeRuntime: signed(node.member("realtimeRuntime")),
    realtimePeriod: unsigned(node.member("realtimePeriod")),
    cpus: list(node.member("cpus")),
    mems: list(node.member("mems")),
    idle: node.member("idle").optional(null, (n) => n.integer(0, 1)),
  };
}

function readBlockIo(node: JsonNode): BlockIoResources {
  const throttles = (name: string) => node.member(name).items().map(readThrottle);
  return {
    weight: uint16(node.member("weight")),
    leafWeight: uint16(node.member("leafWeight")),
    weightDevice: node.member("weightDevice").items().map((device) => ({
      ...readDevice(device),
      weight: uint16(device.member("weight")),
      leafWeight: uint16(device.member("leafWeight")),
    })),
    throttleReadBpsDevice: throttles("throttleReadBpsDevice"),
    throttleWriteBpsDevice: throttles("throttleWriteBpsDevice"),
    throttleReadIOPSDevice: throttles("throttleReadIOPSDevice"),
    throttleWriteIOPSDevice: throttles("throttleWriteIOPSDevice"),
  };
}

function readThrottle(node: JsonNode): ThrottleDevice {
  return { ...readDevice(node), rate: node.member("rate").integer(0, UINT64_MAX) };
}

function readDevice(node: JsonNode): { major: number; minor: number } {
  return {
    major: node.member("major").integer(0, UINT32_MAX),
    minor: node.member("minor").integer(0, UINT32_MAX),
  };
}

function readHugepageLimit(node: JsonNode): HugepageLimit {
  const size = node.member("pageSize");
  // It becomes part of a file's name.
  if (!/^[1-9][0-9]*[KMG]B$/.test(size.string())) size.expected('a size such as "2MB"');
  return { pageSize: size.string(), limit: node.member("limit").integer(0, UINT64_MAX) };
}

function readNetwork(node: JsonNode): NetworkResources {
  return {
    classID: uint32(node.member("classID")),
    priorities: node.member("priorities").items().map((entry) => ({
      name: entry.member("name").string(),
      priority: entry.member("priority").integer(0, UINT32_MAX),
    })),
  };
}

/** A file in the container's cgroup, nowhere else. */
function unifiedName(entry: JsonNode): string {
  const { name } = entry;
  if (!/^[\w-]+(\.[\w.-]+)?$/.test(name)) entry.fail("is no file of a cgroup");
  return name;
}

function list(node: JsonNode): string | null {
  const text = node.optional("", (n) => n.string());
  if (!/^[0-9,\- \n]*$/.test(text)) node.expected('a list such as "0-2,7"');
  return text === "" ? null : text;
}

function flag(node: JsonNode): boolean | null {
  return node.optional(null, (n) => n.boolean());
}
function signed(node: JsonNode): number | null {
  return node.optional(null, (n) => n.integer(-INT64_MAX, INT64_MAX));
}
function unsigned(node: JsonNode): number | null {
  return node.optional(null, (n) => n.integer(0, UINT64_MAX));
}
function uint32(node: JsonNode): number | null {
  return node.optional(null, (n) => n.integer(0, UINT32_MAX));
}
function uint16(node: JsonNode): number | null {
  return node.optional(null, (n) => n.integer(0, UINT16_MAX));
}
