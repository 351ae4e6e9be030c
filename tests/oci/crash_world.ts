/**
 * A small world in which containers are made and killed: a host of its own (harness/own_host.ts)
 * with its own processes, and a control group above those of its containers. This program is its
 * first process, so that every process whose parent has ended becomes its child. Not a test.
 * Neighbours: crash_case.ts, crash_main.ts.
 */

import { SIGKILL } from "../../ffi/abi/signal.ts";
import { PR_SET_CHILD_SUBREAPER } from "../../ffi/abi/prctl.ts";
import { POLLIN } from "../../ffi/abi/poll.ts";
import * as N from "../../ffi/abi/syscall_numbers.ts";
import { __WALL, WNOHANG } from "../../ffi/abi/wait.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { close, poll } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { spawn, SpawnScript } from "../../ffi/sys/spawn.ts";
import { exitCodeOf } from "../../oci/protocol/launcher_channel.ts";
import { dvisorCommand, ROOT } from "../harness/dvisor.ts";
import { inOwnHost, PLACES } from "../harness/own_host.ts";

/** LIMIT: how long a command may take. */
const COMMAND_MS = 20_000;
/** Time between two looks for children that have ended. */
const REAP_MS = 20;
const CGROUPS = "/sys/fs/cgroup";

/** The command line that runs a program of ours in a world. */
export function inWorld(program: string, ...args: string[]): string[] {
  const deno = [Deno.execPath(), "run", "-A", "--no-check", `${ROOT}/${program}`];
  return inOwnHost([...deno, ...args], { processes: true });
}

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly state: string;
  readonly role: "proxy" | "sentry" | "gofer" | "zygote" | "stub" | "command" | "other";
  readonly command: string;
}

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly isOverdue: boolean;
}

/** A command that runs; `end` waits for it. */
export interface Running {
  readonly name: string;
  readonly pid: number;
  readonly pidfd: number;
}

export class World {
  /** The directory of all the world's files. */
  readonly dir: string = Deno.makeTempDirSync({ prefix: "world-" });
  /** `--root`. */
  readonly root: string = `${this.dir}/state`;
  /** As `linux.cgroupsPath` has it. */
  readonly cgroup: string;
  readonly #codes = new Map<number, number>();
  readonly #mounts: readonly string[];
  /** Temporary files of dvisor and Deno that existed before. */
  readonly #kept: readonly string[];

  constructor(cgroup: string) {
    this.cgroup = cgroup;
    this.#mounts = mounts();
    this.#kept = temporaryFiles();
  }

  argv(...args: string[]): string[] {
    return [...dvisorCommand(), "--root", this.root, ...args];
  }

  /**
   * Starts a command with files as standard streams. They are new ones: a container that an earlier
   * command of the name has made still writes to those of that command.
   */
  start(name: string, argv: readonly string[], isSubreaper = false): Running {
    const script = new SpawnScript();
    if (isSubreaper) script.call(N.SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    const out = `${this.dir}/${name}.out`, err = `${this.dir}/${name}.err`;
    const files = `</dev/null >${out} 2>${err}`;
    const args = ["sh", "-c", `rm -f ${out} ${err}; exec "$@" ${files}`, "sh", ...argv];
    const env = Object.entries(Deno.env.toObject()).map(([key, value]) => `${key}=${value}`);
    const { pid, pidfd } = spawn(script.exec("/bin/sh", args, env));
    return { name, pid, pidfd };
  }

  hasEnded({ pidfd }: Running): boolean {
    return poll(pidfd, POLLIN, 0) > 0;
  }

  end({ name, pid, pidfd }: Running, timeoutMs: number = COMMAND_MS): Ended {
    const isOverdue = !this.#wait(pidfd, timeoutMs);
    if (isOverdue) kill(pid);
    this.#wait(pidfd, COMMAND_MS);
    close(pidfd);
    this.reap();
    const code = this.#codes.get(pid) ?? -1;
    this.#codes.delete(pid);
    return { code, isOverdue, stdout: this.text(`${name}.out`), stderr: this.text(`${name}.err`) };
  }

  /** Waits and reaps: a PID namespace ends when all its processes are reaped, orphans by us. */
  #wait(pidfd: number, timeoutMs: number): boolean {
    for (const end = performance.now() + timeoutMs; performance.now() < end;) {
      if (poll(pidfd, POLLIN, REAP_MS) > 0) return true;
      this.reap();
    }
    return false;
  }

  run(name: string, argv: readonly string[]): Ended {
    return this.end(this.start(name, argv));
  }

  /** dvisor, and its end. */
  dvisor(...args: string[]): Ended {
    return this.run("command", this.argv(...args));
  }

  text(name: string): string {
    try {
      return Deno.readTextFileSync(`${this.dir}/${name}`);
    } catch {
      return "";
    }
  }

  /** Reaps all children that have ended. */
  reap(): void {
    for (;;) {
      const pid = syscall(N.SYS_wait4, -1, scratch.area(0), __WALL | WNOHANG, 0);
      if (pid <= 0) return;
      this.#codes.set(pid, exitCodeOf(scratch.dv.getInt32(scratch.areaOffset(0), true)));
    }
  }

  /** Every process of the world but this one, and no zombies. */
  processes(): Process[] {
    this.reap();
    const list: Process[] = [];
    for (const { name } of Deno.readDirSync("/proc")) {
      const pid = Number(name);
      if (!(pid > 1)) continue;
      const process = processOf(pid);
      if (process !== null && process.state !== "Z" && process.state !== "X") list.push(process);
    }
    return list.sort((a, b) => a.pid - b.pid).map((process, _, all) => ({
      ...process,
      role: roleOf(process, all),
    }));
  }

  /**
   * Processes, mounts, groups and files of the world, a line each. `clean` has the lines of its
   * start.
   */
  leftovers(): string[] {
    return [
      ...this.processes().map(({ pid, role, command }) => `process ${pid} ${role} ${command}`),
      ...mounts().filter((line) => !this.#mounts.includes(line)).map((line) => `mount ${line}`),
      ...this.cgroups().map((path) => `cgroup ${path}`),
      ...this.files().map((path) => `file ${path}`),
    ];
  }

  /** Groups below the world's. */
  cgroups(): string[] {
    const found: string[] = [];
    for (const { name } of Deno.readDirSync(CGROUPS)) {
      const dir = `${CGROUPS}/${name}${this.cgroup}`;
      found.push(...subdirectories(dir).map((child) => `${dir}/${child}`));
    }
    return found;
  }

  /** The memory charged to the world's group and to those below it. */
  memoryBytes(): number {
    for (
      const file of [`memory${this.cgroup}/memory.usage_in_bytes`, `${this.cgroup}/memory.current`]
    ) {
      try {
        return Number(Deno.readTextFileSync(`${CGROUPS}/${file}`));
      } catch {
        // The file of the other version of control groups.
      }
    }
    return 0;
  }

  /** Files of containers, and new files in the places for temporary files. */
  files(): string[] {
    const found = names(this.root).map((name) => `${this.root}/${name}`);
    return [...found, ...temporaryFiles().filter((path) => !this.#kept.includes(path))];
  }

  close(): void {
    for (const { pid } of this.processes()) kill(pid);
    sleepMs(50);
    this.reap();
  }
}

/** Takes the world's control groups away. */
export function removeGroups(cgroup: string): void {
  for (const { name } of Deno.readDirSync(CGROUPS)) removeGroup(`${CGROUPS}/${name}${cgroup}`);
}

function removeGroup(dir: string): void {
  for (const child of subdirectories(dir)) removeGroup(`${dir}/${child}`);
  try {
    Deno.removeSync(dir);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function processOf(pid: number): Process | null {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    const [state = "", parent = ""] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const command = Deno.readTextFileSync(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
    return { pid, parent: Number(parent), state, role: "other", command };
  } catch {
    return null;
  }
}

function roleOf({ pid, parent, command }: Process, all: readonly Process[]): Process["role"] {
  if (/\bboot$/.test(command)) return "sentry";
  if (/\bgofer(\/main\.ts)? serve /.test(command)) return "gofer";
  const exe = linkOf(`/proc/${pid}/exe`);
  if (exe.startsWith("/memfd:dvisor-stub")) {
    const isFirst = !all.some((p) => p.pid < pid && p.parent === parent && isStub(p.pid));
    return isFirst ? "zygote" : "stub";
  }
  if (exe.startsWith("/memfd:dvisor")) return "proxy";
  return /\bdvisor\b.* --root /.test(command) ? "command" : "other";
}

function isStub(pid: number): boolean {
  return linkOf(`/proc/${pid}/exe`).startsWith("/memfd:dvisor-stub");
}

function linkOf(path: string): string {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return "";
  }
}

/**
 * Number, parent, device, root and mount point: another mount can change a file system's options.
 */
function mounts(): string[] {
  const lines = Deno.readTextFileSync("/proc/self/mountinfo").split("\n");
  return lines.filter((line) => line !== "").map((line) => line.split(" ").slice(0, 5).join(" "));
}

/** Processes of dvisor and Deno, by name. */
function temporaryFiles(): string[] {
  return PLACES.flatMap((place) =>
    names(place).filter((name) => /^\.?(dvisor|deno)/.test(name)).map((name) => `${place}/${name}`)
  );
}

function names(dir: string): string[] {
  try {
    return [...Deno.readDirSync(dir)].map((entry) => entry.name);
  } catch {
    return [];
  }
}

function subdirectories(dir: string): string[] {
  try {
    return [...Deno.readDirSync(dir)].filter((entry) => entry.isDirectory).map((e) => e.name);
  } catch {
    return [];
  }
}

export function kill(pid: number, signo: number = SIGKILL): void {
  syscall(N.SYS_kill, pid, signo);
}

export function sleepMs(ms: number): void {
  if (ms > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
