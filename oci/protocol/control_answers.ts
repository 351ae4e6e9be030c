/**
 * Reads messages of a sandbox to commands: those of its start (launcher_channel.ts) and answers
 * (control_protocol.ts). The commands have the host's privileges and the sandbox runs guests, so
 * each member is checked. A message that is not valid is an error with its place, and nothing of it
 * is used. Neighbour: json_node.ts.
 */

import { PLATFORM_NAMES } from "../../platform/select/candidates.ts";
import { JsonNode } from "../json_node.ts";
import type { BootMessage } from "./launcher_channel.ts";
import type { ErrorCode, ErrorMessage } from "./session/messages.ts";
import type { Answer, Answers, ContainerStats, Op, ProcessInfo } from "./control_protocol.ts";

/** LIMIT: characters of a sandbox's message that are shown. */
const MESSAGE_MAX = 4096;
const EXIT_CODE_MAX = 255, PID_MAX = 2 ** 22, ID_MAX = 2 ** 32 - 1;
const ERROR_CODES = [
  "NotFound",
  "AlreadyExists",
  "PermissionDenied",
  "NotADirectory",
  "IsADirectory",
  "NotEmpty",
  "InvalidArgument",
  "Limit",
  "Unsupported",
  "Failed",
] as const satisfies readonly ErrorCode[];
const STATUSES = ["created", "running", "paused", "stopped"] as const;

/** @throws UserError */
export function readBootMessage(json: string): BootMessage {
  const node = JsonNode.parse("the sandbox's message", json), type = node.member("type");
  switch (type.oneOf(["ready", "loaded", "running", "failed"])) {
    case "ready": {
      const best = node.member("bestPlatform");
      return best.isAbsent
        ? { type: "ready" }
        : { type: "ready", bestPlatform: best.oneOf(PLATFORM_NAMES) };
    }
    case "loaded":
      return { type: "loaded" };
    case "running":
      return { type: "running" };
    case "failed":
      return {
        type: "failed",
        error: readError(node.member("error")),
        exitCode: codeOf(node, "exitCode"),
      };
  }
}

/** @throws UserError */
export function readAnswer<O extends Op>(op: O, json: string): Answer<O> {
  const node = JsonNode.parse(`the sandbox's answer (${op})`, json);
  if (node.member("ok").boolean()) return { ok: true, ...READERS[op](node) };
  return { ok: false, message: messageOf(node), code: codeOf(node, "code") };
}

function readError(node: JsonNode): ErrorMessage {
  const short = (name: string) => node.member(name).optional("", text).slice(0, MESSAGE_MAX);
  const errno = short("errno"), path = short("path");
  return {
    code: node.member("code").oneOf(ERROR_CODES),
    message: messageOf(node),
    ...(errno === "" ? {} : { errno }),
    ...(path === "" ? {} : { path }),
  };
}

function messageOf(node: JsonNode): string {
  return text(node.member("message")).slice(0, MESSAGE_MAX);
}

function codeOf(node: JsonNode, name: string): number {
  return node.member(name).integer(0, EXIT_CODE_MAX);
}

const nothing = () => ({});

const READERS: { readonly [O in Op]: (node: JsonNode) => Answers[O] } = {
  start: nothing,
  signal: nothing,
  exec: (node) => ({ pid: node.member("pid").integer(0, PID_MAX) }),
  reserve: nothing,
  createContainer: nothing,
  ps: (node) => ({ processes: readProcesses(node) }),
  pause: nothing,
  resume: (node) => ({ status: node.member("status").oneOf(STATUSES) }),
  update: (node) => ({ needsWitness: node.member("needsWitness").boolean() }),
  witness: nothing,
  stats: (node) => ({ stats: readStats(node.member("stats")) }),
  debug: (node) => ({ text: text(node.member("text")) }),
  state: (node) => ({ status: node.member("status").oneOf(STATUSES) }),
  checkpoint: (node) => ({ bytes: count(node.member("bytes")) }),
  destroy: nothing,
};

/** The processes of an answer, of either protocol. @throws UserError */
export function readProcesses(node: JsonNode): ProcessInfo[] {
  return node.member("processes").items().map(readProcess);
}

function readProcess(node: JsonNode): ProcessInfo {
  return {
    pid: node.member("pid").integer(0, PID_MAX),
    hostPid: node.member("hostPid").integer(0, PID_MAX),
    ppid: node.member("ppid").integer(0, PID_MAX),
    uid: node.member("uid").integer(0, ID_MAX),
    threads: count(node.member("threads")),
    ageMs: count(node.member("ageMs")),
    command: text(node.member("command")),
  };
}

function readStats(node: JsonNode): ContainerStats {
  return {
    processes: count(node.member("processes")),
    threads: count(node.member("threads")),
    cpuNs: count(node.member("cpuNs")),
    memoryBytes: count(node.member("memoryBytes")),
    memoryMax: node.member("memoryMax").optional(null, count),
    tasksMax: node.member("tasksMax").optional(null, count),
    syscalls: count(node.member("syscalls")),
    containedBugs: count(node.member("containedBugs")),
  };
}

/** Reads a counter or a measurement, which is at least 0. */
function count(node: JsonNode): number {
  const { value } = node;
  const isCount = typeof value === "number" && value >= 0 && value <= Number.MAX_SAFE_INTEGER;
  return isCount ? value : node.expected("a number of at least 0");
}

/** NUL may be in it: the command line of a process. */
function text(node: JsonNode): string {
  return typeof node.value === "string" ? node.value : node.expected("a string");
}
