/**
 * `linux` of config.json. A sandbox is always isolated in every way, so each new namespace that is asked for is there;
 * one that exists already cannot be joined.
 */

import { fromText } from "../../kernel/core/bytes.ts";
import type { Config } from "./config.ts";
import type { JsonNode } from "./json_node.ts";

const NAMESPACES = ["pid", "network", "ipc", "uts", "mount", "user", "cgroup", "time"] as const;
/** What would change what the program sees or may do, and does not. */
const REFUSED = [
  "devices",
  "gidMappings",
  "intelRdt",
  "mountLabel",
  "personality",
  "seccomp",
  "sysctl",
  "timeOffsets",
  "uidMappings",
];
const PROPAGATIONS = ["private", "rprivate", "slave", "rslave"] as const;

type LinuxPart = Pick<Config, "maskedPaths" | "readonlyPaths" | "memoryLimit" | "cpuLimit">;

export function readLinux(linux: JsonNode): LinuxPart {
  for (const name of REFUSED) linux.member(name).refuse();
  for (const namespace of linux.member("namespaces").items()) {
    namespace.member("type").oneOf(NAMESPACES);
    namespace.member("path").refuse();
  }
  linux.member("rootfsPropagation").optional(null, (n) => {
    n.oneOf(PROPAGATIONS);
    return null;
  });
  linux.member("cgroupsPath").optional("", (n) => n.string());
  const resources = linux.member("resources");
  return {
    maskedPaths: linux.member("maskedPaths").items().map((n) => fromText(n.absolutePath())),
    readonlyPaths: linux.member("readonlyPaths").items().map((n) => fromText(n.absolutePath())),
    memoryLimit: resources.member("memory").member("limit").optional<number | null>(null, bytes),
    cpuLimit: readCpuLimit(resources.member("cpu")),
  };
}

/** -1 and 0 are none. */
function bytes(node: JsonNode): number | null {
  const value = node.integer(-1, Number.MAX_SAFE_INTEGER);
  return value <= 0 ? null : value;
}

function readCpuLimit(cpu: JsonNode): number | null {
  const quota = cpu.member("quota").optional(-1, (n) => n.integer(-1, Number.MAX_SAFE_INTEGER));
  const period = cpu.member("period").optional(100_000, (n) => n.integer(1, 1_000_000));
  return quota <= 0 ? null : quota / period;
}
