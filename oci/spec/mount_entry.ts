/** One entry of `mounts` in config.json. */

import { fromText } from "../../kernel/core/bytes.ts";
import { isFlagOption, isPropagationOption } from "../protocol/mount_options.ts";
import { type MountIds, readMountIds } from "./id_mappings.ts";
import type { JsonNode } from "../json_node.ts";

export interface ConfigMount {
  /** In the sandbox: absolute, without `.`, `..` and doubled slashes; a byte string. */
  readonly destination: string;
  /** "bind", or a file system type of the kernel. */
  readonly type: string;
  /**
   * Of a bind mount: a host path, relative to the bundle. Of other mounts the name that
   * /proc/mounts shows, or null.
   */
  readonly source: string | null;
  /** Byte strings. */
  readonly options: readonly string[];
  readonly isReadOnly: boolean;
  /** Of a bind mount: mounts below the source on the host are included. */
  readonly isRecursive: boolean;
  /** Of a bind mount: which ids its files have; null: those on disk. */
  readonly ids: MountIds | null;
  /** Names the entry in messages. */
  readonly path: string;
}

/** File systems that the kernel of a sandbox can mount. */
const TYPES = [
  "tmpfs",
  "proc",
  "sysfs",
  "devtmpfs",
  "devpts",
  "mqueue",
  "overlay",
  "cgroup",
  "cgroup2",
] as const;

/** Options of runc for features that this runtime does not have. */
const REFUSED = /^(?:r?idmap=.*|mand)$/;

/** Propagation both ways, and the half of it that a container has that cannot mount. */
const SHARED: ReadonlyMap<string, string> = new Map([["shared", "slave"], ["rshared", "rslave"]]);

/**
 * Programs trust /proc as the kernel's, so only mounts over certain single files are allowed there.
 */
const PROC = "/proc/";
const FILES_OF_PROC = [
  "cpuinfo",
  "diskstats",
  "meminfo",
  "stat",
  "swaps",
  "uptime",
  "loadavg",
  "slabinfo",
  "net/dev",
  "sys/kernel/ns_last_pid",
];

/** @param mayMount whether the container can make mounts of its own */
export function readMount(node: JsonNode, mayMount: boolean): ConfigMount {
  node.object();
  const ids = readMountIds(node);
  const options = node.member("options");
  // Empty words are ignored: buildah writes them, and the kernel ignores them too.
  const words = options.strings().filter((word) => word !== "");
  const isBind = words.some((o) => o === "bind" || o === "rbind");
  const type = node.member("type");
  const isReadOnly = lastOf(words, ["ro", "rro"]) > lastOf(words, ["rw", "rrw"]);
  const common = {
    destination: readDestination(node.member("destination")),
    isReadOnly,
    isRecursive: words.lastIndexOf("rbind") > words.lastIndexOf("bind"),
    path: node.path,
  };
  for (const option of options.items()) {
    if (REFUSED.test(option.string())) {
      option.fail(`is "${option.string()}", which is not supported`);
    }
  }
  if (isBind || !type.isAbsent && type.string() === "bind") {
    checkBindOptions(options, mayMount);
    const source = node.member("source");
    if (source.string() === "") source.fail("is empty");
    const kept = words.map((word) => fromText(SHARED.get(word) ?? word));
    return { ...common, type: "bind", source: source.string(), options: kept, ids };
  }
  if (ids !== null) node.fail("has ids of its own, which only bind mounts can have");
  const source = node.member("source").optional("", (n) => n.string()) || null;
  return { ...common, type: type.oneOf(TYPES), source, options: words.map(fromText), ids };
}

function lastOf(words: readonly string[], wanted: readonly string[]): number {
  return words.findLastIndex((word) => wanted.includes(word));
}

/** A relative destination begins at the root, as with runc. */
function readDestination(node: JsonNode): string {
  if (node.string() === "") node.fail("is empty");
  const names: string[] = [];
  for (const name of node.string().split("/")) {
    if (name === "..") names.pop();
    else if (name !== "" && name !== ".") names.push(name);
  }
  const path = `/${names.join("/")}`;
  if (path === "/") node.fail("is the root directory, which is no place for a mount");
  if (path.startsWith(PROC) && !FILES_OF_PROC.includes(path.slice(PROC.length))) {
    node.expected("no place inside /proc");
  }
  return fromText(path);
}

/**
 * Mounts of a sandbox cannot spread to the host. A container without CAP_SYS_ADMIN makes no mounts,
 * so nothing is missing there.
 */
function checkBindOptions(options: JsonNode, mayMount: boolean): void {
  for (const option of options.items()) {
    const word = option.string();
    if (SHARED.has(word) && mayMount) {
      option.fail(`is "${word}", which is not supported: no mount of a sandbox reaches the host`);
    }
    if (word !== "" && !isFlagOption(word) && !isPropagationOption(word)) {
      option.fail(`is "${word.slice(0, 60)}", which a bind mount does not have`);
    }
  }
}
