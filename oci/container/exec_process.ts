/**
 * The process that `exec` runs: a file in the format of config.json's `process`, or a command with
 * the members of the container's own process.
 */

import type { Flags } from "../options/flags.ts";
import type { Options } from "../options/option.ts";
import { fromText } from "../../kernel/core/bytes.ts";
import type { CapabilitySpec } from "../protocol/boot_spec.ts";
import { withVariables } from "../environment.ts";
import { JsonNode } from "../json_node.ts";
import { hostHas, ignoreLabel } from "../spec/labels.ts";
import { CAPABILITIES } from "../spec/linux_names.ts";
import { readFirstProcess } from "../spec/first_process.ts";
import {
  isVariable,
  type ProcessConfig,
  readConsoleSize,
  readProcess,
} from "../spec/process_section.ts";
import type { TerminalSize } from "../host/terminal.ts";
import { usageError, UserError } from "../user_error.ts";
import { readConfigFile } from "./config_file.ts";

interface ExecProcess {
  readonly process: ProcessConfig;
  readonly consoleSize: TerminalSize | null;
  /** A line for each setting that was ignored. */
  readonly warnings: readonly string[];
}

/** The options of `exec` about the process. */
export const PROCESS_OPTIONS = {
  process: {
    short: "p",
    value: "FILE",
    help: "the process, in the format of process in config.json",
  },
  tty: { short: "t", help: "give the process a terminal of its own" },
  user: { short: "u", value: "UID[:GID]", help: "as this user" },
  "additional-gids": { short: "g", value: "GID", repeats: true, help: "add a group" },
  cwd: { value: "DIR", help: "working directory" },
  env: { short: "e", value: "NAME=VALUE", repeats: true, help: "set a variable" },
  cap: { short: "c", value: "NAME", repeats: true, help: "add a capability" },
  "no-new-privs": { help: "set no_new_privs" },
  apparmor: { value: "PROFILE", help: "as apparmorProfile of a process in config.json" },
  "process-label": { value: "LABEL", help: "as selinuxLabel of a process in config.json" },
} as const satisfies Options;
type ProcessOptions = typeof PROCESS_OPTIONS;

/** @param args the command, if there is no file @throws UserError */
export function execProcess(
  flags: Flags<ProcessOptions>,
  args: readonly string[],
  bundle: string,
): ExecProcess {
  const file = flags.options.process;
  const warnings: string[] = [];
  const warn = (line: string): void => void warnings.push(line);
  if (file !== null) {
    const node = JsonNode.parse(file, readFile(file));
    const read = readProcess(node, warn);
    // `--tty` asks for a terminal, whatever the file says.
    const process = { ...read, terminal: read.terminal || flags.options.tty };
    return { process, consoleSize: readConsoleSize(node.member("consoleSize")), warnings };
  }
  if (args.length === 0) throw usageError("exec needs a command, or --process FILE");
  for (const [flag, module] of [["apparmor", "apparmor"], ["process-label", "selinux"]] as const) {
    const label = new JsonNode("exec", `--${flag}`, flags.options[flag]);
    ignoreLabel(label, module, hostHas, warn);
  }
  const own = readFirstProcess(readConfigFile(bundle), () => {}, hostHas);
  return { process: changed(own, flags, args, warn), consoleSize: null, warnings };
}

function readFile(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    throw new UserError(`--process: ${path} cannot be read`, undefined, error);
  }
}

type Warn = (line: string) => void;

function changed(
  own: ProcessConfig,
  flags: Flags<ProcessOptions>,
  args: readonly string[],
  warn: Warn,
): ProcessConfig {
  const user = userOf(flags);
  const groups = flags.options["additional-gids"].map((text) => idOf("additional-gids", text));
  return {
    ...own,
    args: args.map(fromText),
    env: withVariables(own.env, flags.options.env.map(variable)),
    cwd: directoryOf(flags) ?? own.cwd,
    uid: user?.uid ?? own.uid,
    gid: user?.gid ?? own.gid,
    additionalGids: [...own.additionalGids, ...groups],
    terminal: flags.options.tty,
    noNewPrivileges: own.noNewPrivileges || flags.options["no-new-privs"],
    capabilities: withCapabilities(own.capabilities, flags.options.cap, warn),
  };
}

function variable(text: string): string {
  if (!isVariable(text)) throw usageError(`--env is "${text}", expected NAME=VALUE`);
  return fromText(text);
}

function directoryOf(flags: Flags<ProcessOptions>): string | null {
  const path = flags.options.cwd || null;
  if (path === null) return null;
  if (!path.startsWith("/")) throw usageError(`--cwd is "${path}", expected an absolute path`);
  return fromText(path);
}

function userOf(flags: Flags<ProcessOptions>): { uid: number; gid: number } | null {
  const text = flags.options.user;
  if (text === null || text === "") return null;
  const [uid = "", gid] = text.split(":");
  return { uid: idOf("user", uid), gid: gid === undefined ? 0 : idOf("user", gid) };
}

function idOf(flag: string, text: string): number {
  const id = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  if (!(id <= 0xfffffffe)) throw usageError(`--${flag} is "${text}", expected numbers`);
  return id;
}

/** Names that this kernel does not know are ignored, as those of config.json. */
function withCapabilities(
  own: CapabilitySpec | null,
  names: readonly string[],
  warn: Warn,
): CapabilitySpec | null {
  const more = names.flatMap((name) => {
    const number = CAPABILITIES.get(name.toUpperCase().replace(/^(CAP_)?/, "CAP_"));
    if (number === undefined) warn(`--cap: ignoring unknown capabilities: "${name}"`);
    return number ?? [];
  });
  if (more.length === 0) return own;
  const add = (set: readonly number[] = []): number[] => [...new Set([...set, ...more])];
  return {
    bounding: add(own?.bounding),
    effective: add(own?.effective),
    permitted: add(own?.permitted),
    inheritable: own?.inheritable ?? [],
    ambient: own?.ambient ?? [],
  };
}
