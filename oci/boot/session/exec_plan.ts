/** The request `exec` of a session, checked. */

import { JsonNode } from "../../json_node.ts";
import { MEMORY_MIN } from "../../protocol/session/limits.ts";
import { readCpus, readVariables } from "../../protocol/session_members.ts";
import { bytesOfWire } from "../../protocol/wire_text.ts";

/** LIMIT: largest size of a terminal: 16 bits (ioctl_tty(2)). */
const SIZE_MAX = 0xffff;
/** LIMIT: words of a command. */
const WORDS_MAX = 65536;
const MAX = Number.MAX_SAFE_INTEGER;

interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/** Byte strings but `user`. Infinity: no limit. */
export interface ExecPlan {
  readonly argv: readonly string[];
  /** null: the sandbox's. */
  readonly cwd: string | null;
  /** Variables besides the sandbox's: `NAME=value`. */
  readonly env: readonly string[];
  /** Of which `user` names the member; absent: the sandbox's user. */
  readonly user: JsonNode;
  readonly hasInput: boolean;
  readonly terminal: TerminalSize | null;
  readonly timeoutMs: number;
  readonly maxOutputBytes: number;
  readonly isDetached: boolean;
  readonly memoryBytes: number;
  readonly cpus: number;
  readonly cpuMs: number;
  readonly pids: number;
}

/** @throws UserError that names the member */
export function readExecPlan(request: JsonNode): ExecPlan {
  const argv = request.member("argv"), limits = request.member("limits");
  if (argv.items().length === 0) argv.expected("a program and its arguments");
  if (argv.items().length > WORDS_MAX) argv.expected(`at most ${WORDS_MAX} words`);
  return {
    argv: argv.strings().map(bytesOfWire),
    cwd: request.member("cwd").optional(null, (node) => bytesOfWire(node.absolutePath())),
    env: readVariables(request.member("env")),
    user: request.member("user"),
    hasInput: request.member("stdin").optional(false, (node) => node.boolean()),
    terminal: request.member("pty").optional(null, readTerminalSize),
    timeoutMs: request.member("timeoutMs").optional(Infinity, (node) => node.integer(0, MAX)),
    maxOutputBytes: request.member("maxOutputBytes").optional(
      Infinity,
      (node) => node.integer(0, MAX),
    ),
    isDetached: request.member("detached").optional(false, (node) => node.boolean()),
    memoryBytes: limits.member("memoryBytes").optional(
      Infinity,
      (node) => node.integer(MEMORY_MIN, MAX),
    ),
    cpus: limits.member("cpus").optional(Infinity, readCpus),
    cpuMs: limits.member("cpuMs").optional(Infinity, (node) => node.integer(1, MAX)),
    pids: limits.member("pids").optional(Infinity, (node) => node.integer(1, MAX)),
  };
}

export function readTerminalSize(node: JsonNode): TerminalSize {
  return {
    rows: node.member("rows").integer(1, SIZE_MAX),
    columns: node.member("cols").integer(1, SIZE_MAX),
  };
}
