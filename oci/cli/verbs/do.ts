/** `dvisor do`: runs a command in a sandbox over this machine's files. */

import { resolve } from "@std/path";
import {
  callerDirectory,
  callerEnvironment,
  callerIds,
  callerLimits,
  exactArguments,
  type Ids,
} from "../caller.ts";
import type { Flags } from "../../options/flags.ts";
import type { Globals } from "../../options/globals.ts";
import type { Options } from "../../options/option.ts";
import { DO_NETWORK, SANDBOX_OPTIONS, SANDBOX_SECTION } from "../../options/sandbox_options.ts";
import { fromText, toText } from "../../../kernel/core/bytes.ts";
import { type HostView, hostView, wholeView } from "../../launch/host_view.ts";
import { allowedMemory } from "../../host/host_limits.ts";
import { type GuestPlan, runForeground } from "../../launch/foreground_sandbox.ts";
import { parsePublish } from "../../launch/published_ports.ts";
import { STANDARD_MOUNTS } from "../../launch/standard_mounts.ts";
import type { GoferRoot } from "../../launch/gofer_process.ts";
import type { LimitNames, MountSpec } from "../../protocol/boot_spec.ts";
import { usageError, UserError } from "../../user_error.ts";
import { cpusOf, pidsOf, sizeOf, wholeMiB } from "../amounts.ts";
import { defineCommand } from "../command.ts";
import { explainGuest } from "../explain_guest.ts";
import { guestEnvironment, PASSED_NAMES, PASSED_PREFIX } from "../guest_environment.ts";
import { type ProgramSearch, requireShownProgram } from "../program_search.ts";
import { networkOf, sandboxSettings } from "../sandbox_flags.ts";

const OPTIONS = {
  root: { value: "DIR", help: "the sandbox's root directory, instead of /" },
  rw: { help: "writes go to the files of the root directory, not to memory; all are visible" },
  volume: {
    value: "SRC:DST[:ro]",
    repeats: true,
    help: "a host directory or file at DST in the sandbox, with writes to the host",
  },
  show: {
    value: "PATH",
    repeats: true,
    help: "show a file or directory of the root that would seem empty, with all in it",
  },
  hide: {
    value: "PATH",
    repeats: true,
    help: "let a file or directory of the root seem empty",
  },
  home: { help: "show the caller's home" },
  cwd: { value: "DIR", help: "working directory in the sandbox" },
  env: {
    value: "NAME[=VALUE]",
    repeats: true,
    help: "set a variable; --env NAME passes the caller's value",
  },
  "env-all": { help: "pass all variables of the caller" },
  unset: { value: "NAME", repeats: true, help: "remove a variable" },
  user: { value: "UID[:GID]", help: "run as this user" },
  hostname: { value: "NAME", help: "the sandbox's host name; the default is the caller's" },
  memory: { value: "SIZE", help: "memory of all its processes, in bytes or with K, M, G" },
  disk: {
    value: "SIZE",
    help: "what it can write over the root directory; the default is half of its memory",
  },
  cpus: { value: "N", help: "processor time, also fractions: 0.5 is half a processor" },
  pids: {
    value: "N",
    default: "max",
    help: "processes and threads; max is any number",
  },
  publish: {
    value: "[[ADDR:]PORT:]PORT",
    repeats: true,
    help: "publish a TCP port of the sandbox's loopback (the last one) on a port of this " +
      "machine's 127.0.0.1, or of ADDR; the same port by default, 0 for any",
  },
  explain: { help: "print what the command can see, reach and spend, and do not run it" },
  network: DO_NETWORK,
  ...SANDBOX_OPTIONS,
} as const satisfies Options;
type DoFlags = Flags<typeof OPTIONS>;

const HOSTNAME_MAX = 64;
const ID_MAX = 0xfffffffe;

export const command = defineCommand({
  name: "do",
  summary: "run a command in a sandbox over this machine's files",
  usage: [
    "[OPTION...] [--] COMMAND [ARGUMENT...]",
    "--explain [OPTION...] [--] [COMMAND [ARGUMENT...]]",
  ],
  operands: ["command"],
  description: "Runs a command of this machine in a sandbox. It sees the files of this machine " +
    "that others than their owners may read, and the working directory; homes and other files " +
    "seem empty. Its writes stay in memory and are lost at its end. It has no network but a " +
    "loopback of its own, without --network host. Working directory and resource limits (ulimit) " +
    "are the caller's. Variables that are passed: " +
    `${PASSED_NAMES.join(" ")} ${PASSED_PREFIX}*`,
  options: OPTIONS,
  sections: { "Limits": ["memory", "disk", "cpus", "pids"], ...SANDBOX_SECTION },
  run(flags, globals) {
    const plan = planOf(flags, globals);
    const search = searchOf(plan);
    if (flags.options.explain) {
      console.log(explainGuest(plan, search));
      return 0;
    }
    requireShownProgram(search);
    return runForeground(plan);
  },
});

function planOf(flags: DoFlags, globals: Globals): GuestPlan {
  const { options } = flags;
  if (flags.rest.length === 0 && !options.explain) {
    throw usageError("do needs a command; try: dvisor help do");
  }
  const network = networkOf(flags, globals, DO_NETWORK);
  if (options.publish.length > 0 && network !== "none") {
    throw usageError("--publish needs --network none: with host the ports are this machine's");
  }
  const sandbox = sandboxSettings(flags, globals, network);
  const root = flags.options.root ?? "/";
  requireDirectory(root);
  const volumes = flags.options.volume.map(parseVolume);
  const ids = idsOf(flags), cwd = directoryOf(flags), env = environmentOf(flags);
  const view = viewOf(flags, root, toText(cwd)), cpus = cpusOf(options.cpus);
  return {
    hostname: hostnameOf(flags),
    domainname: null,
    consoleSize: null,
    maskedPaths: [],
    readonlyPaths: [],
    memoryLimit: sizeOf("memory", options.memory, MEMORY_MIN),
    cpuLimit: cpus,
    limits: {
      tasks: pidsOf(options.pids),
      cpus,
      diskBytes: diskOf(flags),
      ...(options.quiet || globals.options.quiet ? {} : { names: limitNames(flags) }),
    },
    published: options.publish.map(parsePublish),
    process: {
      args: exactArguments(flags.rest),
      env,
      cwd,
      uid: ids.uid,
      gid: ids.gid,
      additionalGids: ids.groups,
      capabilities: null,
      noNewPrivileges: false,
      rlimits: callerLimits(),
      // A command belongs to the session of its shell, so opening a terminal does not make that its
      // controlling terminal.
      leadsSession: false,
      needsHome: false,
      umask: callerUmask(),
    },
    root: { goferAttach: "0", readonly: false, overlay: flags.options.rw ? "none" : "memory" },
    mounts: [...STANDARD_MOUNTS, ...volumes.map((v, i) => volumeMount(v, i + 1))],
    goferRoots: [
      { path: root, isReadOnly: !flags.options.rw, view },
      ...volumes.map((v) => v.root),
    ],
    sandbox,
  };
}

/** What is visible of the root. */
function viewOf({ options }: DoFlags, root: string, cwd: string): HostView {
  const { home: showsHome } = options;
  const inRoot = (name: string) => (path: string) => absolutePath(options, name, path);
  const show = options.show.map(inRoot("show")), hide = options.hide.map(inRoot("hide"));
  if (!options.rw) {
    const home = Deno.env.get("HOME") || null;
    return hostView({ root, cwd, home, showsHome, show, hide, prefix: "--" });
  }
  const given = show.length > 0 ? "show" : hide.length > 0 ? "hide" : showsHome ? "home" : null;
  if (given !== null) throw usageError(`--${given} cannot be given with --rw, which shows all`);
  return wholeView(root);
}

function searchOf({ goferRoots: [root], process, mounts }: GuestPlan): ProgramSearch {
  const [program = ""] = process.args;
  const path = process.env.find((entry) => entry.startsWith("PATH="))?.slice(5) ?? "";
  return {
    program: toText(program),
    path: toText(path),
    cwd: toText(process.cwd),
    root: root?.path ?? "/",
    view: root?.view ?? null,
    mounts: mounts.map(({ destination }) => toText(destination)),
  };
}

interface Volume {
  readonly root: GoferRoot;
  readonly destination: string;
}

function parseVolume(text: string): Volume {
  const match = /^([^:]+):([^:]+)(?::(ro|rw))?$/.exec(text);
  const path = match?.[1], destination = match?.[2];
  if (path === undefined || destination === undefined) {
    throw usageError(`--volume is "${text}", expected SRC:DST or SRC:DST:ro`);
  }
  if (!destination.startsWith("/")) {
    throw usageError(`--volume ${text}: "${destination}" is no absolute path`);
  }
  statOrFail(path, "--volume");
  return { root: { path, isReadOnly: match?.[3] === "ro" }, destination };
}

function volumeMount(volume: Volume, attach: number): MountSpec {
  return {
    type: "gofer",
    destination: fromText(volume.destination),
    goferAttach: String(attach),
    options: volume.root.isReadOnly ? ["ro"] : [],
  };
}

function statOrFail(path: string, what: string): Deno.FileInfo {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new UserError(`${what}: there is no ${path}`);
    throw new UserError(`${what}: ${path} cannot be used`, undefined, error);
  }
}

function requireDirectory(path: string): void {
  if (!statOrFail(path, "--root").isDirectory) {
    throw new UserError(`--root: ${path} is no directory`);
  }
}

function environmentOf({ options }: DoFlags): string[] {
  return guestEnvironment({
    caller: callerEnvironment(),
    passesAll: options["env-all"],
    set: options.env,
    unset: options.unset,
  });
}

function directoryOf({ options }: DoFlags): string {
  const { cwd, root } = options;
  if (cwd === null) return root === null ? callerDirectory() : "/";
  return fromText(absolutePath(options, "cwd", cwd));
}

/**
 * A path of the sandbox's root: where that is this machine's, a relative path begins at the
 * caller's working directory.
 * @throws UserError
 */
function absolutePath({ root }: DoFlags["options"], name: string, path: string): string {
  if (path.startsWith("/")) return path;
  if (root === null && path !== "") return resolve(toText(callerDirectory()), path);
  throw usageError(`--${name} is "${path}", expected an absolute path of the sandbox`);
}

function idsOf(flags: DoFlags): Ids {
  const text = flags.options.user;
  if (text === null) return callerIds();
  const match = /^(\d+)(?::(\d+))?$/.exec(text);
  const uid = Number(match?.[1] ?? NaN), gid = Number(match?.[2] ?? match?.[1] ?? NaN);
  if (!(uid <= ID_MAX && gid <= ID_MAX)) {
    throw usageError(`--user is "${text}", expected UID or UID:GID in numbers`);
  }
  return { uid, gid, groups: [] };
}

/** LIMIT: fewer bytes are too few for a program, and for a file. */
const MEMORY_MIN = 4 << 20, DISK_MIN = 4096;

function diskOf({ options }: DoFlags): number | null {
  const bytes = sizeOf("disk", options.disk, DISK_MIN);
  if (bytes === null || !options.rw) return bytes;
  throw usageError("--disk cannot be given with --rw, whose writes go to files");
}

/** For messages about limits that were reached. */
function limitNames({ options: { memory, pids, disk } }: DoFlags): LimitNames {
  const machine = allowedMemory(), bytes = sizeOf("memory", memory, MEMORY_MIN) ?? Infinity;
  return {
    memory: bytes <= machine ? `--memory ${memory}` : `what this host has: ${wholeMiB(machine)}`,
    tasks: `--pids ${pids}`,
    disk: disk === null ? "half of its memory; --disk gives it more" : `--disk ${disk}`,
  };
}

/**
 * The caller's host name by default, because /etc/hosts, which the sandbox sees, has an address for
 * it.
 */
function hostnameOf(flags: DoFlags): string {
  const name = flags.options.hostname ?? (Deno.hostname() || "localhost");
  const bytes = fromText(name);
  if (bytes === "" || bytes.length > HOSTNAME_MAX) {
    throw usageError(`--hostname must have 1 to ${HOSTNAME_MAX} bytes`);
  }
  return bytes;
}

function callerUmask(): number {
  return Deno.umask();
}
