/**
 * The device nodes that host processes of a container may open and make: the rules of
 * `linux.resources.devices`, and those of every container (runtime-spec,
 * config-linux.md#allowed-device-list).
 *
 * A sandboxed program never opens a device of the host, because its devices are the sandbox's own.
 * The rules hold for the processes that serve it. Neighbour: device_filter.ts does the same for
 * cgroup v2.
 */

import { readIfThere, writeGroupFile } from "./control_files.ts";
import type { DeviceRule } from "../../spec/resources_section.ts";

type Id = number | null;

function allow(type: "b" | "c", major: Id, minor: Id, access: string): DeviceRule {
  return { isAllowed: true, type, major, minor, access };
}

/** Always allowed, as with runc, and what the platforms of a sandbox open. */
const ALWAYS: readonly DeviceRule[] = [
  allow("c", null, null, "m"),
  allow("b", null, null, "m"),
  allow("c", 1, 3, "rwm"),
  allow("c", 1, 5, "rwm"),
  allow("c", 1, 7, "rwm"),
  allow("c", 1, 8, "rwm"),
  allow("c", 1, 9, "rwm"),
  allow("c", 5, 0, "rwm"),
  allow("c", 5, 2, "rwm"),
  allow("c", 136, null, "rwm"),
  // KVM.
  allow("c", 10, 232, "rw"),
];

/** The rules in force, in order; later ones override earlier ones. Empty: everything is allowed. */
export function effectiveRules(rules: readonly DeviceRule[]): readonly DeviceRule[] {
  return rules.length === 0 ? [] : [...rules, ...ALWAYS];
}

/** Writes them to a group of the devices controller of v1. @throws CgroupError */
export function writeDeviceRules(dir: string, rules: readonly DeviceRule[]): void {
  for (const rule of effectiveRules(rules)) {
    const file = rule.isAllowed ? "devices.allow" : "devices.deny";
    // "Deny all" is written once. Written again while processes run, it would deny for a moment
    // what later rules allow.
    if (isDenyAll(rule) && !readIfThere(dir, "devices.list").startsWith("a ")) continue;
    writeGroupFile(dir, file, ruleText(rule));
  }
}

function isDenyAll(rule: DeviceRule): boolean {
  return !rule.isAllowed && rule.type === "a";
}

/** `c 1:3 rwm`. */
function ruleText(rule: DeviceRule): string {
  // For the kernel `a` means all of everything.
  if (rule.type === "a" && rule.major === null && rule.minor === null) return "a";
  const id = (n: Id) => n === null ? "*" : String(n);
  return `${rule.type === "u" ? "c" : rule.type} ${id(rule.major)}:${
    id(rule.minor)
  } ${rule.access}`;
}
