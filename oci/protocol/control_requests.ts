/**
 * Reads a command's request to a sandbox (control_protocol.ts). A request that is not valid is an
 * error with its place, and reaches no handler. Neighbours: boot/control/control_server.ts (bytes
 * and descriptors), control_answers.ts (the other direction).
 *
 * The inner parts of a container's and a process's description are not checked, as in the boot
 * spec: this program wrote them, in the same version.
 */

import { SIGRTMAX } from "../../ffi/abi/signal.ts";
import { JsonNode } from "../json_node.ts";
import type { ProcessSpec } from "./boot_spec.ts";
import type {
  CheckpointOptions,
  ContainerSpec,
  LimitsChange,
  Request,
  RequestInMemfd,
  RequestOf,
  SharedNamespaces,
  StartHook,
} from "./control_protocol.ts";

/** LIMIT: hooks of one request. */
const HOOKS_MAX = 1024;
/** The highest level of zstd that takes no memory of another order. */
export const LEVEL_MAX = 19;
/** What ids and pids of the host have at most. */
const ID_MAX = 2 ** 32 - 1, PID_MAX = 2 ** 22;

type Op = Request["op"];

const READERS: { readonly [O in Op]: (node: JsonNode, id: string) => RequestOf<O> } = {
  start: (node, id) => ({ op: "start", id, hooks: readHooks(node.member("hooks")) }),
  signal: (node, id) => {
    const signo = node.member("signo").integer(0, SIGRTMAX);
    return { op: "signal", id, signo, all: node.member("all").boolean() };
  },
  exec: (node, id) => {
    const process = readProcess(node.member("process"));
    const hostPid = node.member("hostPid").integer(0, PID_MAX);
    const isOutlived = node.member("isOutlived").boolean();
    const ignorePaused = node.member("ignorePaused").boolean();
    return { op: "exec", id, process, hostPid, isOutlived, ignorePaused };
  },
  reserve: (_, id) => ({ op: "reserve", id }),
  createContainer: (node, id) => {
    const spec = readSpec(node.member("spec"), id);
    return { op: "createContainer", id, spec, shares: readShares(node.member("shares")) };
  },
  ps: (_, id) => ({ op: "ps", id }),
  pause: (_, id) => ({ op: "pause", id }),
  resume: (_, id) => ({ op: "resume", id }),
  stats: (_, id) => ({ op: "stats", id }),
  update: (node, id) => ({ op: "update", id, limits: readLimits(node.member("limits")) }),
  witness: (_, id) => ({ op: "witness", id }),
  debug: (_, id) => ({ op: "debug", id }),
  state: (_, id) => ({ op: "state", id }),
  checkpoint: (node, id) => ({ op: "checkpoint", id, ...readCheckpointOptions(node) }),
  destroy: (_, id) => ({ op: "destroy", id }),
};

// An object's own keys are the operations: the reader of each is its value.
const OPS = Object.keys(READERS) as Op[];

/** The request's members, checked, or the length of it in a memfd. @throws UserError */
export function readRequest(text: string): Request | RequestInMemfd {
  const node = JsonNode.parse("the request", text), op = node.member("op").oneOf([...OPS, "memfd"]);
  if (op === "memfd") {
    return { op, bytes: node.member("bytes").integer(1, Number.MAX_SAFE_INTEGER) };
  }
  return READERS[op](node, node.member("id").string());
}

function readHooks(node: JsonNode): StartHook[] {
  const items = node.items();
  if (items.length > HOOKS_MAX) node.expected(`${HOOKS_MAX} hooks at most`);
  return items.map((hook) => {
    const args = hook.member("args");
    const seconds = hook.member("timeoutSeconds");
    if (args.items().length === 0) args.expected("a program");
    return {
      args: args.strings(),
      env: hook.member("env").strings(),
      timeoutSeconds: seconds.optional(null, (node) => node.integer(0, Number.MAX_SAFE_INTEGER)),
      jsonPath: hook.member("jsonPath").string(),
    };
  });
}

/** @throws UserError */
export function readCheckpointOptions(node: JsonNode): CheckpointOptions {
  return {
    leaveRunning: node.member("leaveRunning").boolean(),
    compression: node.member("compression").integer(0, LEVEL_MAX),
    sockets: node.member("sockets").oneOf(["refuse", "reset"]),
  };
}

function readProcess(node: JsonNode): ProcessSpec {
  const args = list(node, "args");
  if (args.strings().length === 0) args.expected("a program");
  list(node, "env").strings();
  node.member("cwd").string();
  for (const id of ["uid", "gid"]) node.member(id).integer(0, ID_MAX);
  for (const gid of list(node, "additionalGids").items()) gid.integer(0, ID_MAX);
  for (const limit of list(node, "rlimits").items()) limit.object();
  return node.object() as ProcessSpec;
}

/** The member `name`, which must be there and a list. */
function list(node: JsonNode, name: string): JsonNode {
  const member = node.member(name);
  return Array.isArray(member.value) ? member : member.expected("a list");
}

function readSpec(node: JsonNode, id: string): ContainerSpec {
  readProcess(node.member("process"));
  if (node.member("id").string() !== id) node.member("id").expected(`"${id}"`);
  node.member("root").object();
  list(node, "mounts").items().forEach((mount) => mount.object());
  return node.object() as ContainerSpec;
}

function readShares(node: JsonNode): SharedNamespaces {
  const member = (name: string) => node.member(name).optional(null, (at) => at.string());
  return { pid: member("pid"), ipc: member("ipc"), uts: member("uts"), time: member("time") };
}

const LISTS = ["cpus", "mems"] as const;
const NUMBERS = [
  "memoryMax",
  "memoryHigh",
  "memoryLow",
  "swapMax",
  "cpuQuotaUs",
  "cpuPeriodUs",
  "cpuWeight",
  "pidsMax",
] as const;

function readLimits(node: JsonNode): LimitsChange {
  const change: { [name: string]: number | string } = {};
  for (const limit of node.members()) {
    const { name } = limit;
    // JSON has null for what is no number, which changes nothing.
    if (limit.isAbsent) continue;
    if (LISTS.some((list) => list === name)) change[name] = limit.string();
    else if (NUMBERS.some((number) => number === name)) change[name] = readLimit(limit);
    else limit.fail("is no limit");
  }
  return change;
}

/** -1 is none. */
function readLimit(node: JsonNode): number {
  const { value } = node;
  const isLimit = typeof value === "number" && (value === -1 || value >= 0);
  return isLimit ? value : node.expected("-1 or a number of at least 0");
}
