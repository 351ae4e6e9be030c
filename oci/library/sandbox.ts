/**
 * Sandboxes for scripts.
 *
 * ```ts
 * import { Sandbox } from "../../mod.ts";
 *
 * await using box = await Sandbox.create({ memoryBytes: 256 << 20, pids: 64 });
 * await box.fs.writeFile("/tmp/a.py", "print(sum(range(10)))");
 * const { code, text } = await box.exec(["python3", "/tmp/a.py"], { timeoutMs: 10_000 });
 * console.log(code, text); // 0 "45\n"
 * ```
 *
 * `dvisor sandbox` makes a sandbox, and the script talks to its kernel over one connection
 * (docs/protocol.md). Neighbours: connection.ts, program.ts, files.ts, ports.ts.
 */

import { basename, join, resolve } from "node:path";
import { PROTOCOL_VERSION } from "../protocol/session/frame.ts";
import type {
  Change,
  CreateMessage,
  JobInfo,
  Request,
  SandboxEvent,
  SandboxInfo,
  SnapshotInfo,
  StatsMessage,
  UserName,
} from "../protocol/session/messages.ts";
import { Connection } from "./connection.ts";
import { NotFoundError, SandboxGoneError, TimeoutError, UnsupportedError } from "./errors.ts";
import { EventStream } from "./event_stream.ts";
import { SandboxFiles } from "./files.ts";
import { checkId, findBinary, socketDirectories } from "./find.ts";
import { Job } from "./job.ts";
import * as is from "./option_checks.ts";
import {
  type ExecOptions,
  SANDBOX_CHECKS,
  type SandboxOptions,
  type SpawnOptions,
} from "./options.ts";
import { SandboxPorts } from "./ports.ts";
import { execProgram, type ExecResult, Program } from "./program.ts";
import { attach, infoOf, socketPaths, SUFFIX, within } from "./running.ts";
import { shellScript, type ShellValue } from "./shell.ts";
import { Snapshot } from "./snapshot.ts";
import {
  RESTORE_CHECKS,
  type RestoreOptions,
  saveInFile,
  type SaveOptions,
} from "./snapshot_file.ts";
import { commitChanges } from "./transfer.ts";
import { ChildTransport, SocketTransport } from "./transport.ts";

const START_TIMEOUT_MS = 60_000, END_TIMEOUT_MS = 30_000;
/** Sandboxes that `list` asks at a time. */
const AT_ONCE = 16;
/** Ids in the message of a sandbox that does not run. */
const SHOWN_MAX = 10;

/** A script of the shell whose values are words, whatever characters they have. */
export type ShellTag = (
  strings: TemplateStringsArray,
  ...values: readonly ShellValue[]
) => Promise<ExecResult>;

/**
 * A sandbox.
 *
 * `await using` ends it at the end of the block; a script that ends in any other way, or is killed,
 * ends it too, unless it is `persistent`. It keeps a script alive only while a request is open.
 */
export class Sandbox implements AsyncDisposable {
  /** The files of the sandbox. */
  readonly fs: SandboxFiles;
  /** Ports of the sandbox on this host. */
  readonly ports: SandboxPorts;
  readonly #connection: Connection;
  readonly #child: ChildTransport | null;
  /** A fork that this script made. */
  readonly #isOwnFork: boolean;
  /** The executable that the script has named. */
  readonly #binary: string | undefined;
  #info: SandboxInfo;

  private constructor(
    connection: Connection,
    info: SandboxInfo,
    child: ChildTransport | null,
    { isOwnFork = false, binary }: {
      readonly isOwnFork?: boolean;
      readonly binary?: string | undefined;
    } = {},
  ) {
    this.#isOwnFork = isOwnFork;
    this.#binary = binary;
    this.#connection = connection;
    this.#info = info;
    this.#child = child;
    this.fs = new SandboxFiles(connection);
    this.ports = new SandboxPorts(connection);
  }

  /**
   * Makes a sandbox.
   * @throws InvalidArgumentError naming a wrong option, NotFoundError if there is no `dvisor`,
   * TimeoutError, or another SandboxError saying what is missing
   */
  static async create(options: SandboxOptions = {}): Promise<Sandbox> {
    is.checkOptions("Sandbox.create", options, SANDBOX_CHECKS);
    return await this.#start(options, {});
  }

  /**
   * Makes a sandbox that goes on from a file that {@linkcode Snapshot.save} or `dvisor checkpoint`
   * has written: processes, memory and files that were written to the overlay are as they were;
   * detached jobs go on, and others have ended. Options are those of the sandbox that was saved,
   * whose mounts and root directory have to be there; limits may be others. Each call makes one
   * more sandbox.
   * @throws InvalidArgumentError naming a wrong option, NotFoundError if there is no such file, or
   * another SandboxError with the reason why the file is refused
   */
  static async restore(
    path: string,
    options: RestoreOptions = {},
  ): Promise<Sandbox> {
    is.checkOptions("Sandbox.restore", { path, ...options }, RESTORE_CHECKS);
    const { changedFiles = "refuse", ...others } = options;
    return await this.#start(others, { restore: { path: resolve(path), changedFiles } });
  }

  static async #start(
    options: SandboxOptions,
    more: Pick<CreateMessage, "restore">,
  ): Promise<Sandbox> {
    if (options.id !== undefined) checkId(options.id);
    const { signal, startTimeoutMs = START_TIMEOUT_MS } = options;
    signal?.throwIfAborted();
    const child = await ChildTransport.start(await findBinary(options.binary));
    const opening = Connection.open(child, { ...createMessage(options), ...more });
    try {
      const { connection, info } = await within(opening, startTimeoutMs, "start", signal);
      return new Sandbox(connection, info, child, { binary: options.binary });
    } catch (error) {
      child.destroy();
      if (error instanceof TimeoutError) child.killProcess();
      throw error;
    }
  }

  /**
   * Connects to a sandbox that runs, of this user, or to a fork of one.
   *
   * ```ts
   * import { Sandbox } from "../../mod.ts";
   *
   * await using box = await Sandbox.create({ labels: { job: "nightly" } });
   * const [found] = await Sandbox.list({ labels: { job: "nightly" } });
   * await using again = await Sandbox.connect(found!.id);
   * console.log(again.id === box.id); // true
   * ```
   * @throws NotFoundError
   */
  static async connect(id: string): Promise<Sandbox> {
    const [, name = id, fork = null] = /^([^/]*)\/([1-9]\d{0,8})$/.exec(id) ?? [];
    checkId(name);
    const directories = await socketDirectories();
    for (const directory of directories) {
      const transport = await SocketTransport.open(join(directory, name + SUFFIX));
      if (transport === null) continue;
      const { connection, info } = await attach(transport, fork === null ? null : Number(fork));
      return new Sandbox(connection, info, null);
    }
    const others = (await socketPaths(directories)).map((path) => basename(path, SUFFIX));
    const hint = others.length === 0
      ? "no sandbox of this user runs"
      : `these run: ${others.slice(0, SHOWN_MAX).join(", ")}`;
    throw new NotFoundError(`there is no sandbox ${name}; ${hint}`);
  }

  /** The sandboxes of this user that run, with all these labels. */
  static async list(
    options: { readonly labels?: Readonly<Record<string, string>> } = {},
  ): Promise<SandboxInfo[]> {
    is.checkOptions("Sandbox.list", options, { labels: is.textRecord });
    const paths = await socketPaths(await socketDirectories()), found: SandboxInfo[] = [];
    const worker = async (): Promise<void> => {
      for (let path = paths.pop(); path !== undefined; path = paths.pop()) {
        const info = await infoOf(path);
        if (info !== null) found.push(info);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    const wanted = Object.entries(options.labels ?? {});
    return found.filter(({ labels }) => wanted.every(([name, value]) => labels[name] === value))
      .sort((a, b) => a.createdMs - b.createdMs);
  }

  get id(): string {
    return this.#info.id;
  }

  /** What the sandbox said of itself at the connection; `deadlineMs` follows `extend`. */
  get info(): SandboxInfo {
    return this.#info;
  }

  /**
   * Runs a program to its end.
   *
   * ```ts
   * import { Sandbox } from "../../mod.ts";
   *
   * await using box = await Sandbox.create();
   * const sorted = await box.exec(["sort"], { stdin: "b\na\n" });
   * console.log(sorted.code, sorted.text); // 0 "a\nb\n"
   * const slow = await box.exec(["sh", "-c", "sleep 100 & sleep 100"], { timeoutMs: 100 });
   * console.log(slow.code, slow.signal, slow.reason); // null "SIGKILL" "timeout"
   * ```
   * @throws NotFoundError if there is no such program, SandboxGoneError, or the reason of `signal`
   */
  async exec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    return await execProgram(this.#connection, argv, options);
  }

  /** Starts a program, whose streams the script reads and writes. */
  async spawn(argv: readonly string[], options: SpawnOptions = {}): Promise<Program> {
    return await Program.start(this.#connection, argv, options);
  }

  /**
   * Runs a script of the shell. A value is one word, an array is one word for each element. With
   * options: `` box.sh({ cwd: "/tmp" })`ls` ``.
   *
   * ```ts
   * import { Sandbox } from "../../mod.ts";
   *
   * await using box = await Sandbox.create();
   * const name = "it's; rm -rf *", words = ["a b", "$c"];
   * const { text } = await box.sh`printf '%s\n' ${name} ${words} | wc -l`;
   * console.log(text.trim()); // "3"
   * ```
   */
  sh(strings: TemplateStringsArray, ...values: readonly ShellValue[]): Promise<ExecResult>;
  sh(options: ExecOptions): ShellTag;
  sh(
    first: TemplateStringsArray | ExecOptions,
    ...values: readonly ShellValue[]
  ): Promise<ExecResult> | ShellTag {
    const run = (options: ExecOptions): ShellTag => async (strings, ...words) =>
      await this.exec(["sh", "-c", shellScript(strings.raw, words)], options);
    return isTemplate(first) ? run({})(first, ...values) : run(first);
  }

  /**
   * The path of the program that `exec` runs for a name, by the PATH of the sandbox; null: there is
   * none.
   *
   * ```ts
   * import { Sandbox } from "../../mod.ts";
   *
   * await using box = await Sandbox.create();
   * console.log(await box.which("sh"), await box.which("no-such")); // "/usr/bin/sh" null
   * ```
   */
  async which(name: string, options: { readonly user?: UserName } = {}): Promise<string | null> {
    is.checkOptions("which", { name, ...options }, { name: is.text, user: is.user });
    const result = await this.#ask({ op: "which", name, ...options }, `find the program ${name}`);
    return (result as { readonly path: string | null }).path;
  }

  /** What runs: each program that this or another script started, with all that came from it. */
  async jobs(): Promise<Job[]> {
    const result = await this.#ask({ op: "jobs" }, "list the jobs");
    const { jobs } = result as { readonly jobs: readonly JobInfo[] };
    return jobs.map(({ job, pid, argv }) => new Job(this.#connection, job, pid, argv));
  }

  /** What the sandbox uses. */
  async stats(): Promise<StatsMessage> {
    return await this.#ask({ op: "stats" }, "read the statistics") as StatsMessage;
  }

  /** Starts and ends of programs, and kills for want of memory, from now on. */
  events(options: { readonly signal?: AbortSignal } = {}): EventStream<SandboxEvent> {
    is.checkOptions("events", options, { signal: is.abortSignal });
    const lost = (count: number): SandboxEvent => ({ kind: "lost", count, timeMs: Date.now() });
    const doing = { verb: "read the events" };
    return new EventStream(this.#connection, { op: "events" }, doing, lost, options.signal);
  }

  /**
   * What was written to the root of the sandbox, sorted by path; places for mounts are left out.
   * @throws UnsupportedError if the sandbox has no overlay
   */
  async diff(): Promise<Change[]> {
    const all: Change[] = [];
    await this.#ask({ op: "diff" }, "read the changes", (event) => {
      all.push(...(event as { readonly changes: readonly Change[] }).changes);
    });
    return all.sort((a, b) => a.path < b.path ? -1 : a.path > b.path ? 1 : 0);
  }

  /**
   * Copies what was written to the root of the sandbox to a new or empty directory of the host,
   * under the same paths.
   * @returns the changes; those of the kind `removed` have no file there
   */
  async commit(hostDirectory: string): Promise<Change[]> {
    const changes = await this.diff();
    await commitChanges(this.fs, changes, resolve(hostDirectory));
    return changes;
  }

  /** The sandbox ends `timeoutMs` from now; null: it has no time limit. */
  async extend(timeoutMs: number | null): Promise<void> {
    is.checkOptions("extend", { timeoutMs }, { timeoutMs: is.orNull(is.milliseconds) });
    const request = { op: "extend", timeoutMs: timeoutMs === null ? null : Math.ceil(timeoutMs) };
    const result = await this.#ask(request as Request, "extend the sandbox");
    this.#info = { ...this.#info, ...result as { readonly deadlineMs: number | null } };
  }

  /** Stops all programs until `resume`; they use no processor time. */
  async pause(): Promise<void> {
    await this.#ask({ op: "pause" }, "pause the sandbox");
  }
  async resume(): Promise<void> {
    await this.#ask({ op: "resume" }, "resume the sandbox");
  }

  /**
   * Keeps the state of the sandbox: processes, memory, files, timers. It stands still for a moment
   * and goes on.
   * @throws UnsupportedError naming what has no copy, or LimitError
   */
  async snapshot(options: { readonly name?: string } = {}): Promise<Snapshot> {
    is.checkOptions("snapshot", options, { name: is.text });
    const result = await this.#ask({ op: "snapshot", ...options }, "take a snapshot");
    return this.#snapshotOf(result as SnapshotInfo);
  }

  /** The snapshots of the sandbox, the oldest one first. */
  async snapshots(): Promise<Snapshot[]> {
    const result = await this.#ask({ op: "snapshots" }, "list the snapshots");
    const { snapshots } = result as { readonly snapshots: readonly SnapshotInfo[] };
    return snapshots.map((info) => this.#snapshotOf(info));
  }

  #snapshotOf(info: SnapshotInfo): Snapshot {
    return new Snapshot(this.#connection, info, {
      attachTo: (fork) => this.#attachTo(fork),
      saveSnapshot: (snapshot, path, options) => this.#saveSnapshot(snapshot, path, options),
    });
  }

  async #saveSnapshot(snapshot: number, path: string, options: SaveOptions): Promise<void> {
    this.#requireSocket();
    const result = await this.#ask({ op: "snapshots" }, "save the snapshot");
    const { snapshots } = result as { readonly snapshots: readonly SnapshotInfo[] };
    if (!snapshots.some((one) => one.snapshot === snapshot)) {
      throw new NotFoundError(`cannot save the snapshot ${snapshot}: it was deleted`);
    }
    const binary = await findBinary(this.#binary), [id = ""] = this.id.split("/");
    await saveInFile({ binary, id, snapshot }, path, options);
  }

  /** @throws UnsupportedError if there is none */
  #requireSocket(): string {
    const { socket, id } = this.#info;
    if (socket !== "") return socket;
    throw new UnsupportedError(`the sandbox ${id} has no socket, so it has no further clients`);
  }

  /** Connects to a fork of this sandbox. */
  async #attachTo(fork: number): Promise<Sandbox> {
    const socket = this.#requireSocket(), { id } = this.#info;
    const transport = await SocketTransport.open(socket);
    if (transport === null) throw new SandboxGoneError(`the sandbox ${id} has ended`);
    const { connection, info } = await attach(transport, fork);
    return new Sandbox(connection, info, null, { isOwnFork: true, binary: this.#binary });
  }

  /**
   * Puts the sandbox back: processes, memory, files and timers are as they were, and detached jobs
   * go on from there. Other jobs have ended, and all open requests, of every script, fail with
   * `RolledBackError`. Files of mounts stay as they are.
   * @throws NotFoundError if the snapshot was deleted
   */
  async rollback(snapshot: Snapshot): Promise<void> {
    await this.#ask({ op: "rollback", snapshot: snapshot.id }, "go back to the snapshot");
  }

  /** Ends the sandbox and all that runs in it. May be called again. */
  async kill(): Promise<void> {
    const asked = this.#ask({ op: "kill" }, "end the sandbox");
    asked.catch(() => {});
    const over = Promise.all([this.#connection.ended, this.#child?.exit()]);
    try {
      await within(over, END_TIMEOUT_MS, "end");
    } catch (error) {
      this.#child?.killProcess();
      throw error;
    } finally {
      this.#connection.close("this script ended it");
    }
  }

  /** Ends the connection. The sandbox goes on if it is `persistent` or of another script. */
  async close(): Promise<void> {
    this.#connection.close("this script closed the connection");
    if (!this.#info.persistent) await this.#child?.exit();
  }

  /**
   * Ends a fork, and a sandbox that this script made and that is not `persistent`, else the
   * connection.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isOwnFork) await this.kill();
    else if (this.#child === null || this.#info.persistent) await this.close();
    else await this.kill();
  }

  async #ask(
    request: Request,
    verb: string,
    onEvent?: (event: unknown) => void,
  ): Promise<unknown> {
    const more = onEvent === undefined ? {} : { onEvent };
    return await this.#connection.request(request, { doing: { verb }, ...more }).finish();
  }
}

function isTemplate(value: object): value is TemplateStringsArray {
  return Array.isArray(value) && "raw" in value;
}

function createMessage(options: SandboxOptions): CreateMessage {
  const { binary: _, startTimeoutMs: __, signal: ___, ...others } = options;
  const { rootfs, mounts, timeoutMs, idleMs, ...rest } = others;
  return {
    protocol: PROTOCOL_VERSION,
    ...rest,
    ...timeoutMs == null ? {} : { timeoutMs: Math.ceil(timeoutMs) },
    ...idleMs == null ? {} : { idleMs: Math.ceil(idleMs) },
    ...rootfs === undefined ? {} : { rootfs: resolve(rootfs) },
    ...mounts === undefined
      ? {}
      : { mounts: mounts.map((mount) => ({ ...mount, source: resolve(mount.source) })) },
  };
}
