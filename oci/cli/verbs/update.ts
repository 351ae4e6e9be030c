/** `dvisor update`: changes limits of a container while it runs, with runc's options. */

import { close } from "../../../ffi/sys/files.ts";
import { ContainerCgroup } from "../../launch/cgroup/container_cgroup.ts";
import { findContainer, type FoundContainer, onlyId } from "../../container/found_container.ts";
import type { Flags } from "../../options/flags.ts";
import type { Options } from "../../options/option.ts";
import { dropAllPrivileges } from "../../host/launch_steps.ts";
import { limitsOf as shownLimits } from "../../container/rootfs_plan.ts";
import { startWitness } from "../../proxy/oom_witness.ts";
import type { LimitsChange } from "../../protocol/control_protocol.ts";
import { JsonNode } from "../../json_node.ts";
import { readResources, type Resources } from "../../spec/resources_section.ts";
import { EXIT_FAILURE, EXIT_USAGE, usageError, UserError } from "../../user_error.ts";
import { defineCommand } from "../command.ts";

const UNSUPPORTED_HELP = "not supported: an error unless empty";

export const UPDATE_OPTIONS = {
  resources: {
    short: "r",
    value: "FILE",
    help: "limits as JSON, in the form of linux.resources in config.json; - is stdin. Other " +
      "options are then ignored",
  },
  memory: { value: "N", help: "memory in bytes, also as 64m or 1g; -1 is no limit" },
  "memory-reservation": { value: "N", help: "memory that the host takes back last, in bytes" },
  "memory-swap": { value: "N", help: "memory and swap together, in bytes; -1 is no limit" },
  "cpu-share": { value: "N", help: "weight against other groups" },
  "cpu-quota": { value: "N", help: "CPU time in a period, in us; -1 is no limit" },
  "cpu-period": { value: "N", help: "the period, in us" },
  "cpu-burst": { value: "N", help: "CPU time that may be saved for later periods, in us" },
  "cpu-idle": { value: "N", help: "1: run only when nothing else does" },
  "cpu-rt-runtime": { value: "N", help: "realtime CPU time in a period, in us" },
  "cpu-rt-period": { value: "N", help: "the period of that, in us" },
  "cpuset-cpus": { value: "LIST", help: "cores, as 0-3,7" },
  "cpuset-mems": { value: "LIST", help: "memory nodes" },
  "pids-limit": { value: "N", help: "tasks; -1 is no limit" },
  "blkio-weight": { value: "N", help: "weight of block I/O against other groups" },
  "kernel-memory": { value: "N", help: UNSUPPORTED_HELP },
  "kernel-memory-tcp": { value: "N", help: UNSUPPORTED_HELP },
  "l3-cache-schema": { value: "TEXT", help: UNSUPPORTED_HELP },
  "mem-bw-schema": { value: "TEXT", help: UNSUPPORTED_HELP },
} as const satisfies Options;
type UpdateFlags = Flags<typeof UPDATE_OPTIONS>;

/** The member of `linux.resources` for each option, and how its value is read. */
const MEMBERS = [
  ["memory", "memory.limit", "bytes"],
  ["memory-reservation", "memory.reservation", "bytes"],
  ["memory-swap", "memory.swap", "bytes"],
  ["cpu-share", "cpu.shares", "number"],
  ["cpu-quota", "cpu.quota", "number"],
  ["cpu-period", "cpu.period", "number"],
  ["cpu-burst", "cpu.burst", "number"],
  ["cpu-idle", "cpu.idle", "number"],
  ["cpu-rt-runtime", "cpu.realtimeRuntime", "number"],
  ["cpu-rt-period", "cpu.realtimePeriod", "number"],
  ["cpuset-cpus", "cpu.cpus", "text"],
  ["cpuset-mems", "cpu.mems", "text"],
  ["pids-limit", "pids.limit", "number"],
  ["blkio-weight", "blockIO.weight", "number"],
] as const;
const UNSUPPORTED = [
  "kernel-memory",
  "kernel-memory-tcp",
  "l3-cache-schema",
  "mem-bw-schema",
] as const;

/** LIMIT: bytes of a file of resources. */
const RESOURCES_MAX = 1 << 20;

export const command = defineCommand({
  name: "update",
  summary: "change limits of a running container",
  usage: ["[OPTION...] ID"],
  operands: ["container"],
  description: "Changes limits of a running container; the others stay.",
  options: UPDATE_OPTIONS,
  isGoStyle: true,
  failureCode: EXIT_FAILURE,
  run(flags, globals) {
    const id = onlyId(flags.rest, "update");
    const found = findContainer(globals.store, id);
    update(found, wantedResources(flags));
    return 0;
  },
});

function update(found: FoundContainer, resources: Resources): void {
  const { record, status } = found;
  if (status === "stopped") throw new UserError("container not running");
  if (record.cgroup === null) {
    throw new UserError("the container has no cgroup whose limits could change");
  }
  const cgroup = ContainerCgroup.load(record.cgroup);
  cgroup.apply(resources);
  const limits = limitsOf(resources), { id } = record;
  if (Object.keys(limits).length === 0) return;
  const { needsWitness } = found.ask({ op: "update", id, limits });
  if (!needsWitness) return;
  const witness = startWitness({ join: (script) => cgroup.join(script), drop: dropAllPrivileges });
  try {
    found.ask({ op: "witness", id }, [witness]);
  } finally {
    close(witness);
  }
}

/** The limits that the guest's cgroup files show: -1 means no limit. */
function limitsOf(resources: Resources): LimitsChange {
  const { memory, cpu, pidsLimit } = resources;
  const none = {
    ...(memory?.limit === -1 ? { memoryMax: -1 } : {}),
    ...(memory?.reservation === -1 ? { memoryLow: 0 } : {}),
    ...(memory?.swap === -1 ? { swapMax: -1 } : {}),
    ...(cpu?.quota === -1 ? { cpuQuotaUs: -1 } : {}),
    ...(pidsLimit === -1 ? { pidsMax: -1 } : {}),
  };
  return { ...shownLimits(resources), ...none };
}

/** From the file, or from the options. @throws UserError */
export function wantedResources(flags: UpdateFlags): Resources {
  for (const name of UNSUPPORTED) {
    if (flags.options[name]) throw usageError(`--${name} is not supported`);
  }
  const file = flags.options.resources;
  if (file === null) return readResources(new JsonNode("update", "resources", fromOptions(flags)));
  const node = JsonNode.parse(file === "-" ? "stdin" : file, readAll(file));
  node.object();
  return readResources(node);
}

function readAll(file: string): string {
  try {
    if (file !== "-") return Deno.readTextFileSync(file);
    const bytes = new Uint8Array(RESOURCES_MAX);
    let length = 0;
    for (let n; (n = Deno.stdin.readSync(bytes.subarray(length))) !== null; length += n) {
      if (length === bytes.length) throw new UserError("--resources: stdin is too long");
    }
    return new TextDecoder().decode(bytes.subarray(0, length));
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`--resources: cannot read ${file}`, EXIT_USAGE, error);
  }
}

function fromOptions(flags: UpdateFlags): Record<string, Record<string, number | string>> {
  const tree: Record<string, Record<string, number | string>> = {};
  for (const [name, path, kind] of MEMBERS) {
    const text = flags.options[name];
    if (text === null || text === "") continue;
    const [section = "", member = ""] = path.split(".");
    const value = kind === "text"
      ? text
      : kind === "bytes"
      ? parseBytes(name, text)
      : number(name, text);
    (tree[section] ??= {})[member] = value;
  }
  return tree;
}

function number(name: string, text: string): number {
  if (/^-?\d{1,20}$/.test(text)) return Number(text);
  throw usageError(`--${name} is "${text}", expected a whole number`);
}

/** `64m` as Docker reads it: powers of 1024. @throws UserError */
export function parseBytes(name: string, text: string): number {
  const match = /^(-1|\d+(?:\.\d+)?) ?([kmgtp]?)i?b?$/i.exec(text);
  if (match === null) throw usageError(`--${name} is "${text}", expected bytes such as 64m`);
  const power = "kmgtp".indexOf((match[2] || " ").toLowerCase()) + 1;
  const value = Number(match[1]);
  return value < 0 ? -1 : Math.floor(value * 1024 ** power);
}
