/**
 * Limits as properties of a systemd unit (systemd.resource-control(5)), and the properties in
 * annotations (`org.systemd.property.X`, with values as `busctl` and runc write them). Pure
 * functions.
 */

import type { CgroupMode } from "../../../state/cgroup_record.ts";
import { EXIT_USAGE, UserError } from "../../../user_error.ts";
import { cpuWeight, ioWeight, swapLimit } from "../v1_to_v2.ts";
import type { Limits } from "../limits.ts";
import { expandList } from "../stats.ts";
import type { NamedVariant, Variant } from "./dbus_values.ts";

export type UnitProperty = NamedVariant;

const US_PER_S = 1e6;
const DEFAULT_PERIOD_US = 100_000;
/** systemd keeps the quota in steps of this. */
const QUOTA_STEP_US = 10_000;
const PREFIX = "org.systemd.property.";

function bool(name: string, value: boolean): UnitProperty {
  return { name, variant: { type: "b", value } };
}
function u64(name: string, value: number): UnitProperty {
  return { name, variant: { type: "t", value } };
}

/** The properties of every container's scope. */
export function scopeProperties(id: string, slice: string, pid: number): UnitProperty[] {
  return [
    { name: "Description", variant: { type: "s", value: `dvisor container ${id}` } },
    { name: "Slice", variant: { type: "s", value: slice } },
    { name: "PIDs", variant: { type: "au", value: [pid] } },
    // Subgroups belong to dvisor.
    bool("Delegate", true),
    ...["MemoryAccounting", "CPUAccounting", "TasksAccounting", "IOAccounting"].map((name) =>
      bool(name, true)
    ),
    bool("DefaultDependencies", false),
  ];
}

/**
 * Properties for limits. A limit without a property is written to the group's files only.
 *
 * @param annotations of config.json
 * @throws UserError for annotations that are not valid
 */
export function unitProperties(
  limits: Limits,
  mode: CgroupMode,
  annotations: ReadonlyMap<string, string> = new Map(),
): UnitProperty[] {
  const list = mode === "v2" ? propertiesV2(limits) : propertiesV1(limits);
  list.push(...quotaProperties(limits));
  if (limits.pidsLimit !== 0) {
    list.push(u64("TasksMax", limits.pidsLimit < 0 ? Infinity : limits.pidsLimit));
  }
  for (const [name, value] of annotations) {
    if (name.startsWith(PREFIX)) list.push(annotated(name.slice(PREFIX.length), value));
  }
  return list;
}

function propertiesV2({ memory, cpu, blockIo }: Limits): UnitProperty[] {
  const list: UnitProperty[] = [];
  const bytes = (name: string, value: number) => {
    if (value !== 0) list.push(u64(name, value < 0 ? Infinity : value));
  };
  bytes("MemoryMax", memory.limit);
  bytes("MemoryLow", memory.reservation);
  bytes("MemorySwapMax", swapLimit(memory.swap, memory.limit));
  if (cpu.shares !== 0 && cpu.idle !== 1) list.push(u64("CPUWeight", cpuWeight(cpu.shares)));
  if (blockIo.weight !== 0) list.push(u64("IOWeight", ioWeight(blockIo.weight)));
  if (cpu.cpus !== "") list.push(mask("AllowedCPUs", cpu.cpus));
  if (cpu.mems !== "") list.push(mask("AllowedMemoryNodes", cpu.mems));
  return list;
}

function propertiesV1({ memory, cpu, blockIo }: Limits): UnitProperty[] {
  const list: UnitProperty[] = [];
  if (memory.limit !== 0) list.push(u64("MemoryLimit", memory.limit < 0 ? Infinity : memory.limit));
  if (cpu.shares !== 0) list.push(u64("CPUShares", cpu.shares));
  if (blockIo.weight !== 0) list.push(u64("BlockIOWeight", blockIo.weight));
  return list;
}

function quotaProperties({ cpu }: Limits): UnitProperty[] {
  const list: UnitProperty[] = [];
  if (cpu.period !== 0) list.push(u64("CPUQuotaPeriodUSec", cpu.period));
  if (cpu.quota === 0) return list;
  const perSecond = cpu.quota * US_PER_S / (cpu.period || DEFAULT_PERIOD_US);
  const rounded = Math.ceil(perSecond / QUOTA_STEP_US) * QUOTA_STEP_US;
  return [...list, u64("CPUQuotaPerSecUSec", cpu.quota < 0 ? Infinity : rounded)];
}

/** `0-2` as bits: systemd's way to name processors. */
function mask(name: string, ids: string): UnitProperty {
  const bytes: number[] = [];
  for (const id of expandList(ids) ?? []) {
    const at = id >> 3;
    while (bytes.length <= at) bytes.push(0);
    bytes[at] = (bytes[at] ?? 0) | 1 << (id & 7);
  }
  return { name, variant: { type: "ay", value: bytes } };
}

/** @throws UserError */
function annotated(name: string, text: string): UnitProperty {
  const variant = /^[A-Z][A-Za-z]*$/.test(name) ? parseVariant(text.trim()) : null;
  if (variant === null) {
    const where = `config.json: annotations has ${PREFIX}${name.slice(0, 40)}`;
    throw new UserError(`${where}, which is no property with a value`, EXIT_USAGE);
  }
  // People write `TimeoutStopSec` for what the bus calls `TimeoutStopUSec`.
  const seconds = /^(.+)(?<!U)Sec$/.exec(name);
  if (seconds === null || typeof variant.value !== "number") return { name, variant };
  return u64(`${seconds[1]}USec`, Math.round(variant.value * US_PER_S));
}

/** A value in the text form of GVariant: the kinds that properties of units have. */
export function parseVariant(text: string): Variant | null {
  if (text === "true" || text === "false") return { type: "b", value: text === "true" };
  const string = quoted(text);
  if (string !== null) return { type: "s", value: string };
  const number = /^(?:(int32|uint32|uint64) )?(-?\d{1,20})$/.exec(text);
  if (number !== null) {
    const value = Number(number[2]);
    if (number[1] === "uint64") return value >= 0 ? { type: "t", value } : null;
    if (number[1] === "uint32") {
      return value >= 0 && value < 2 ** 32 ? { type: "u", value } : null;
    }
    return Math.abs(value) < 2 ** 31 ? { type: "i", value } : null;
  }
  const list = /^\[(.*)\]$/s.exec(text);
  if (list === null) return null;
  const items = (list[1] ?? "").split(",").map((item) => quoted(item.trim()));
  const strings = items.filter((item) => item !== null);
  return strings.length === items.length ? { type: "as", value: strings } : null;
}

/** The text between two quotation marks of either kind; null if it is none. */
function quoted(text: string): string | null {
  const match = /^'((?:[^'\\]|\\.)*)'$|^"((?:[^"\\]|\\.)*)"$/s.exec(text);
  const inner = match?.[1] ?? match?.[2];
  return inner === undefined ? null : inner.replace(/\\(.)/gs, "$1");
}
