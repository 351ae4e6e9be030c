/**
 * `process` of config.json: the program, its user and its privileges. The file of `exec --process`
 * has the same format.
 */

import { NGROUPS_MAX } from "../../ffi/abi/fs.ts";
import { fromText } from "../../kernel/core/bytes.ts";
import type { CapabilitySpec, ProcessSpec, RlimitSpec } from "../protocol/boot_spec.ts";
import type { JsonNode } from "../json_node.ts";
import { type HasModule, hostHas, ignoreLabel } from "./labels.ts";
import { CAPABILITIES, RLIMITS } from "./linux_names.ts";
import { readCpuAffinity, readIoPriority, readScheduler } from "./scheduling.ts";

/**
 * The members of a process, without the size of its terminal, which the client may set otherwise.
 */
export type ProcessConfig = Required<
  Omit<ProcessSpec, "consoleSize" | "personality" | "seccomp">
>;

const ID_MAX = 0xfffffffe;
const DEFAULT_UMASK = 0o022;
/** From here on a limit is RLIM_INFINITY: JSON numbers cannot distinguish the values. */
const UNLIMITED = 2 ** 63;
const OOM_SCORE_ADJ_MAX = 1000;

/**
 * @param warn called with a line for each setting that is ignored, as with runc
 * @param has whether the host has a security module
 * @throws UserError naming the JSON path
 */
export function readProcess(
  process: JsonNode,
  warn: (line: string) => void,
  has: HasModule = hostHas,
): ProcessConfig {
  process.object();
  process.member("commandLine").refuse();
  ignoreLabel(process.member("apparmorProfile"), "apparmor", has, warn);
  ignoreLabel(process.member("selinuxLabel"), "selinux", has, warn);
  const user = process.member("user");
  user.member("username").refuse();
  const args = process.member("args");
  if (args.strings().length === 0) args.fail("is empty, expected a command");
  return {
    args: args.strings().map(fromText),
    env: process.member("env").items().map((n) => fromText(readVariable(n))),
    cwd: fromText(process.member("cwd").absolutePath()),
    uid: user.member("uid").optional(0, readId),
    gid: user.member("gid").optional(0, readId),
    additionalGids: readGroups(user.member("additionalGids")),
    umask: user.member("umask").optional(DEFAULT_UMASK, (n) => n.integer(0, 0o777)),
    leadsSession: true,
    needsHome: true,
    terminal: process.member("terminal").optional(false, (n) => n.boolean()),
    capabilities: readCapabilities(process.member("capabilities"), warn),
    noNewPrivileges: process.member("noNewPrivileges").optional(false, (n) => n.boolean()),
    rlimits: readRlimits(process.member("rlimits")),
    // Absent: it must not be changed, config.md says.
    oomScoreAdj: process.member("oomScoreAdj").optional<number | null>(
      null,
      (n) => n.integer(-OOM_SCORE_ADJ_MAX, OOM_SCORE_ADJ_MAX),
    ),
    scheduler: process.member("scheduler").optional(null, readScheduler),
    ioPriority: process.member("ioPriority").optional(0, readIoPriority),
    affinity: process.member("execCPUAffinity").optional(null, readCpuAffinity),
  };
}

/** The terminal size of config.json. Clients without a terminal set 0 x 0. */
export function readConsoleSize(node: JsonNode): ProcessSpec["consoleSize"] {
  if (node.isAbsent) return null;
  const rows = node.member("height").integer(0, 0xffff);
  const columns = node.member("width").integer(0, 0xffff);
  return rows === 0 || columns === 0 ? null : { rows, columns };
}

/** NAME=VALUE. A text without a name or without "=" is no variable, and runc refuses it too. */
function readVariable(node: JsonNode): string {
  const text = node.string();
  return isVariable(text) ? text : node.expected("NAME=VALUE");
}

export function isVariable(text: string): boolean {
  return text.indexOf("=") > 0;
}

function readId(node: JsonNode): number {
  return node.integer(0, ID_MAX);
}

function readGroups(node: JsonNode): number[] {
  const groups = node.items();
  if (groups.length > NGROUPS_MAX) node.fail(`has more than ${NGROUPS_MAX} groups`);
  return groups.map(readId);
}

/**
 * Without the section a process has no capabilities. Names that this kernel does not know are
 * ignored, as with runc.
 */
function readCapabilities(node: JsonNode, warn: (line: string) => void): CapabilitySpec {
  const unknown = new Set<string>();
  const set = (name: string): number[] => {
    const found: number[] = [];
    for (const item of node.member(name).items()) {
      const number = CAPABILITIES.get(item.string());
      if (number === undefined) unknown.add(item.string());
      else found.push(number);
    }
    return found;
  };
  const capabilities = {
    bounding: set("bounding"),
    effective: set("effective"),
    permitted: set("permitted"),
    inheritable: set("inheritable"),
    ambient: set("ambient"),
  };
  if (unknown.size > 0) {
    const names = [...unknown].slice(0, 8).map((name) => JSON.stringify(name.slice(0, 40)));
    warn(`${node.path}: ignoring unknown capabilities: ${names.join(", ")}`);
  }
  return capabilities;
}

function readRlimits(node: JsonNode): RlimitSpec[] {
  const limits: RlimitSpec[] = [];
  for (const item of node.items()) {
    const limit = readRlimit(item);
    if (limits.some((other) => other.resource === limit.resource)) {
      item.member("type").fail(`is "${item.member("type").string()}" for the second time`);
    }
    limits.push(limit);
  }
  return limits;
}

function readRlimit(node: JsonNode): RlimitSpec {
  const type = node.member("type"), number = RLIMITS.get(type.string());
  if (number === undefined) return type.expected("the name of a limit such as RLIMIT_NOFILE");
  const soft = readLimit(node.member("soft")), hard = readLimit(node.member("hard"));
  if ((soft ?? Infinity) > (hard ?? Infinity)) node.member("soft").fail("is above the hard limit");
  return { resource: number, soft, hard };
}

function readLimit(node: JsonNode): number | null {
  const value = node.integer(0, 2 ** 64);
  return value >= UNLIMITED ? null : value;
}
