/**
 * `linux` of config.json (config-linux.md). A sandbox is isolated in every respect, independent of
 * the namespaces in it.
 */

import { fromText } from "../../kernel/core/bytes.ts";
import type { DeviceSpec } from "../protocol/boot_spec.ts";
import { type IdMapping, readMappings } from "./id_mappings.ts";
import type { JsonNode } from "../json_node.ts";
import { readResources, type Resources } from "./resources_section.ts";
import { readTimeOffsets, type TimeOffsets } from "./time_offsets.ts";

export const NAMESPACE_TYPES = [
  "pid",
  "network",
  "ipc",
  "uts",
  "mount",
  "user",
  "cgroup",
  "time",
] as const;

export type NamespaceType = typeof NAMESPACE_TYPES[number];

export interface NamespaceEntry {
  readonly type: NamespaceType;
  /** Of the host: one to join; null: a new one. */
  readonly path: string | null;
}

type Propagation = "private" | "shared" | "slave" | "unbindable";

export interface LinuxConfig {
  /** Each type at most once. */
  readonly namespaces: readonly NamespaceEntry[];
  /** Of the new time namespace; null: none. */
  readonly timeOffsets: TimeOffsets | null;
  readonly uidMappings: readonly IdMapping[];
  readonly gidMappings: readonly IdMapping[];
  readonly devices: readonly DeviceSpec[];
  /** As in the file; null: absent. */
  readonly cgroupsPath: string | null;
  readonly resources: Resources;
  /** null: not said. */
  readonly rootfsPropagation: { readonly type: Propagation; readonly isRecursive: boolean } | null;
  /** Byte strings, names as in sysctl(8). */
  readonly sysctl: readonly (readonly [name: string, value: string])[];
}

/** Members that the specification has and this runtime does not support. */
const REFUSED = ["intelRdt", "netDevices", "memoryPolicy"];
const PROPAGATIONS = [
  "private",
  "rprivate",
  "shared",
  "rshared",
  "slave",
  "rslave",
  "unbindable",
  "runbindable",
] as const;

interface LinuxPart {
  readonly linux: LinuxConfig;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
}

export function readLinux(node: JsonNode): LinuxPart {
  for (const name of REFUSED) node.member(name).refuse();
  const namespaces = readNamespaces(node.member("namespaces"));
  const linux: LinuxConfig = {
    namespaces,
    timeOffsets: timeOffsetsFor(namespaces, node.member("timeOffsets")),
    uidMappings: readMappings(node.member("uidMappings")),
    gidMappings: readMappings(node.member("gidMappings")),
    devices: readDevices(node.member("devices")),
    cgroupsPath: node.member("cgroupsPath").optional("", (n) => n.string()) || null,
    resources: readResources(node.member("resources")),
    rootfsPropagation: readPropagation(node.member("rootfsPropagation")),
    sysctl: node.member("sysctl").members().map(readSysctl),
  };
  return {
    linux,
    maskedPaths: node.member("maskedPaths").items().map((n) => fromText(n.absolutePath())),
    readonlyPaths: node.member("readonlyPaths").items().map((n) => fromText(n.absolutePath())),
  };
}

function readNamespaces(node: JsonNode): NamespaceEntry[] {
  const entries: NamespaceEntry[] = [];
  for (const item of node.items()) {
    const type = item.member("type").oneOf(NAMESPACE_TYPES);
    if (entries.some((entry) => entry.type === type)) item.fail(`is a second "${type}"`);
    const path = item.member("path");
    const isNew = path.optional("", (n) => n.string()) === "";
    entries.push({ type, path: isNew ? null : path.absolutePath() });
  }
  return entries;
}

/** Only clocks of a new namespace can be set. */
function timeOffsetsFor(namespaces: readonly NamespaceEntry[], node: JsonNode): TimeOffsets | null {
  const offsets = readTimeOffsets(node);
  if (offsets === null || namespaces.some(({ type, path }) => type === "time" && path === null)) {
    return offsets;
  }
  return node.fail('is set, and linux.namespaces has no new one of type "time"');
}

function readPropagation(node: JsonNode): LinuxConfig["rootfsPropagation"] {
  if (node.isAbsent || node.value === "") return null;
  const name = node.oneOf(PROPAGATIONS);
  const isRecursive = name.startsWith("r");
  return { type: propagationOf(isRecursive ? name.slice(1) : name), isRecursive };
}

function propagationOf(name: string): Propagation {
  return name === "shared" || name === "slave" || name === "unbindable" ? name : "private";
}

function readSysctl(node: JsonNode): readonly [string, string] {
  if (node.name.includes("\0")) node.fail("has a NUL in its name");
  return [fromText(node.name), fromText(node.string())];
}

const DEFAULT_MODE = 0o666;
const ID_MAX = 0xfffffffe;
/** The greatest device numbers that dev_t has room for. */
const MAJOR_MAX = 0xfff, MINOR_MAX = 0xfffff;

function readDevices(devices: JsonNode): DeviceSpec[] {
  return devices.items().map(readDevice);
}

function readDevice(node: JsonNode): DeviceSpec {
  const kind = node.member("type").oneOf(["c", "b", "u", "p"]);
  const number = (name: string, max: number): number =>
    kind === "p" ? 0 : node.member(name).integer(0, max);
  return {
    path: fromText(node.member("path").absolutePath()),
    type: kind === "u" ? "c" : kind,
    major: number("major", MAJOR_MAX),
    minor: number("minor", MINOR_MAX),
    mode: node.member("fileMode").optional(DEFAULT_MODE, (n) => n.integer(0, 0xffffffff)) & 0o7777,
    uid: node.member("uid").optional(0, (n) => n.integer(0, ID_MAX)),
    gid: node.member("gid").optional(0, (n) => n.integer(0, ID_MAX)),
  };
}
