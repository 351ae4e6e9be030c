/**
 * A host of a test's own, for tests that look for leftovers: a mount namespace with empty places
 * for temporary files, and PID, network and IPC namespaces where they are asked for. Such a test
 * sees only what is its own, whatever runs beside it. Root has the privilege for it; an ordinary
 * user gets a user namespace in which it has its own id. A test of root's that runs something as
 * another user has there the sources and Deno, wherever they are. Not a test.
 *
 * Neighbours: `leftovers.ts`, `../oci/crash_world.ts`, `../clients/engines/apart.ts`.
 */

import { dirname } from "@std/path";
import { ROOT } from "./dvisor.ts";
import { isRoot, lacks } from "./machine.ts";

/** Where programs keep temporary files. */
export const PLACES: readonly string[] = ["/tmp", "/var/tmp", "/run", "/dev/shm"];
/** The descriptor of the report, in the command. */
export const REPORT_FD = 3;

const EVERYONE_PASSES = 0o001;
/** A shell names descriptors by one digit. */
const LAST_FD = 9;

interface OwnHost {
  /** Has processes of its own: the command is the first, and the others end with it. */
  readonly processes?: boolean;
  /** Has a network of its own, which is not up, and System V IPC. */
  readonly network?: boolean;
  /** Directories that are empty there; PLACES by default. */
  readonly places?: readonly string[];
  /** Paths that stay what they are, besides the sources and Deno. */
  readonly keeps?: readonly string[];
  /**
   * Every user may pass the directories above those paths: a home of mode 0700 shows nothing but
   * them.
   */
  readonly isOpen?: boolean;
  /** A file that the command finds open for writing as `REPORT_FD`. */
  readonly report?: string;
}

/** The command line that runs a command there. */
export function inOwnHost(command: readonly string[], options: OwnHost = {}): string[] {
  const flags = ["--mount"];
  if (!isRoot) flags.push("--user", "--map-current-user", "--keep-caps");
  if (options.processes === true) flags.push("--pid", "--fork", "--kill-child", "--mount-proc");
  if (options.network === true) flags.push("--net", "--ipc");
  return ["unshare", ...flags, "sh", "-c", scriptOf(options), "sh", ...command];
}

/** The command line that root runs to have a command run as another user. */
export function asUser(uid: number, command: readonly string[]): string[] {
  const user = ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"];
  return inOwnHost([...user, ...command], { places: [], isOpen: true });
}

/** Why this machine has no namespaces for that; null when it has. */
export function noOwnHost(): string | null {
  const missing = lacks(["unshare", "mount", "setpriv"]);
  if (missing !== null) return missing;
  const [command = "", ...args] = inOwnHost(["true"]);
  const { success } = new Deno.Command(command, { args, stdout: "null", stderr: "null" })
    .outputSync();
  return success ? null : "no namespaces for this user";
}

/** Covers directories, and binds what stays to its name again. */
function scriptOf({ keeps = [], report, places = PLACES, isOpen = false }: OwnHost): string {
  const kept = outermost([ROOT, dirname(Deno.execPath()), ...denoDirectory(), ...keeps]);
  const closed = isOpen ? kept.flatMap(closedAbove) : [];
  const covers = [
    ...places.map((path) => ({ path, mode: "1777" })),
    ...outermost(closed).map((path) => ({ path, mode: "755" })),
  ];
  const held = kept.filter((path) => covers.some((cover) => isBelow(path, cover.path)))
    .map((path, i) => ({ path, fd: REPORT_FD + 1 + i }));
  if (held.some(({ fd }) => fd > LAST_FD)) throw new Error(`too many paths to keep: ${kept}`);
  const lines = ["set -e", "unset TMPDIR"];
  if (report !== undefined) lines.push(`exec ${REPORT_FD}>${quote(report)}`);
  for (const { path, fd } of held) lines.push(`exec ${fd}<${quote(path)}`);
  for (const { path, mode } of covers) {
    lines.push(`test ! -d ${quote(path)} || mount -t tmpfs -o mode=${mode} tmpfs ${quote(path)}`);
  }
  for (const { path, fd } of held) {
    const make = Deno.statSync(path).isDirectory
      ? `mkdir -p ${quote(path)}`
      : `mkdir -p ${quote(dirname(path))}; : >${quote(path)}`;
    // The name leads to the cover; the descriptor to what was there.
    lines.push(make, `mount -c --rbind /proc/self/fd/${fd} ${quote(path)}`, `exec ${fd}<&-`);
  }
  // An ordinary user has the capabilities of its user namespace only until here.
  const drop = "export XDG_RUNTIME_DIR=/run; exec setpriv --inh-caps=-all --ambient-caps=-all";
  lines.push(isRoot ? 'exec "$@"' : `${drop} "$@"`);
  return lines.join("\n");
}

/** Directories above a path that only their owner, or a group, may pass. */
function closedAbove(path: string): string[] {
  const closed: string[] = [];
  for (let dir = dirname(path); dir !== "/"; dir = dirname(dir)) {
    if (((Deno.statSync(dir).mode ?? 0) & EVERYONE_PASSES) === 0) closed.push(dir);
  }
  return closed;
}

function isBelow(path: string, dir: string): boolean {
  return path.startsWith(`${dir}/`);
}

/** Where Deno caches, if a variable says it: without one that is the home directory. */
function denoDirectory(): string[] {
  const dir = Deno.env.get("DENO_DIR");
  return dir === undefined ? [] : [dir];
}

/** Real paths that are there, without those below another one. */
function outermost(paths: readonly string[]): string[] {
  const real = new Set(paths.map((path) => Deno.realPathSync(path)));
  return [...real].filter((path) => ![...real].some((other) => isBelow(path, other)));
}

function quote(path: string): string {
  return `'${path.replaceAll("'", `'\\''`)}'`;
}
