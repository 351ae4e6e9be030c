/** `process` of config.json: the program, who runs it, and what it may. */

import * as capability from "../../ffi/abi/capability.ts";
import * as resource from "../../ffi/abi/resource.ts";
import { fromText } from "../../kernel/core/bytes.ts";
import type { CapabilitySpec, ProcessSpec, RlimitSpec } from "../sandbox/boot_spec.ts";
import type { JsonNode } from "./json_node.ts";

const ID_MAX = 0xfffffffe;
const DEFAULT_UMASK = 0o022;
/** From here on a limit is none: what JSON numbers cannot tell from RLIM_INFINITY. */
const UNLIMITED = 2 ** 63;

const CAPABILITIES = numbersOf(capability, "CAP_", (n) => n <= capability.CAP_LAST_CAP);
const RLIMITS = numbersOf(resource, "RLIMIT_", () => true);

/** The constants of a module whose names begin so. */
function numbersOf(
  constants: object,
  prefix: string,
  isWanted: (n: number) => boolean,
): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const [name, value] of Object.entries(constants)) {
    if (!name.startsWith(prefix) || name === "CAP_LAST_CAP") continue;
    if (typeof value === "number" && isWanted(value)) found.set(name, value);
  }
  return found;
}

export function readProcess(process: JsonNode): Omit<ProcessSpec, "consoleSize"> {
  process.object();
  for (const name of ["apparmorProfile", "selinuxLabel", "ioPriority", "scheduler"]) {
    process.member(name).refuse();
  }
  for (const name of ["execCPUAffinity", "commandLine"]) process.member(name).refuse();
  const user = process.member("user");
  user.member("username").refuse();
  const args = process.member("args");
  if (args.strings().length === 0) args.fail("is empty, expected a command");
  return {
    args: args.strings().map(fromText),
    env: process.member("env").strings().map(fromText),
    cwd: fromText(process.member("cwd").absolutePath()),
    uid: user.member("uid").optional(0, readId),
    gid: user.member("gid").optional(0, readId),
    additionalGids: user.member("additionalGids").items().map(readId),
    umask: user.member("umask").optional(DEFAULT_UMASK, (n) => n.integer(0, 0o777)),
    leadsSession: true,
    terminal: process.member("terminal").optional(false, (n) => n.boolean()),
    capabilities: readCapabilities(process.member("capabilities")),
    noNewPrivileges: process.member("noNewPrivileges").optional(false, (n) => n.boolean()),
    rlimits: process.member("rlimits").items().map(readRlimit),
  };
}

function readId(node: JsonNode): number {
  return node.integer(0, ID_MAX);
}

/** Without the section a process has none. */
function readCapabilities(node: JsonNode): CapabilitySpec {
  const set = (name: string): number[] => node.member(name).items().map(readCapability);
  return {
    bounding: set("bounding"),
    effective: set("effective"),
    permitted: set("permitted"),
    inheritable: set("inheritable"),
    ambient: set("ambient"),
  };
}

function readCapability(node: JsonNode): number {
  const number = CAPABILITIES.get(node.string());
  return number ?? node.fail(`is "${node.string()}", which is no capability`);
}

function readRlimit(node: JsonNode): RlimitSpec {
  const type = node.member("type"), number = RLIMITS.get(type.string());
  if (number === undefined) return type.fail(`is "${type.string()}", which is no limit`);
  const soft = readLimit(node.member("soft")), hard = readLimit(node.member("hard"));
  if ((soft ?? Infinity) > (hard ?? Infinity)) node.member("soft").fail("is above the hard limit");
  return { resource: number, soft, hard };
}

function readLimit(node: JsonNode): number | null {
  const value = node.integer(0, 2 ** 64);
  return value >= UNLIMITED ? null : value;
}
