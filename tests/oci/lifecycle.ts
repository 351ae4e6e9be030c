/**
 * A container of an OCI runtime, driven as containerd's shim and conmon do: `create` makes it with
 * files as standard streams, and this process reaps it when that command has ended. Works for any
 * runtime with runc's command line. Not a test. Neighbours: bundle.ts, lifecycle_test.ts.
 */

import { PR_SET_CHILD_SUBREAPER } from "../../ffi/abi/prctl.ts";
import { SIGKILL } from "../../ffi/abi/signal.ts";
import { SYS_kill, SYS_prctl, SYS_wait4 } from "../../ffi/abi/syscall_numbers.ts";
import { __WALL, WNOHANG } from "../../ffi/abi/wait.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { exitCodeOf } from "../../oci/protocol/launcher_channel.ts";
import { dvisorCommand, type Finished, run } from "../harness/dvisor.ts";
import { named, noContainers } from "../harness/machine.ts";
import { eventually } from "../harness/processes.ts";
import { Bundle, type BundleConfig, RUNC, type RuntimeName, shellConfig } from "./bundle.ts";
import type { LifecycleCase } from "./lifecycle_cases.ts";

/** LIMIT: how long anything here may take. */
const TIMEOUT_S = 20;
const SOON_MS = 10_000;
/**
 * How long a killed process may take to end; after that it is frozen, and only its runtime can end
 * it.
 */
const FROZEN_MS = 300;

/** Orphans become children of this process, as of a shim. */
export function becomeSubreaper(): void {
  syscall(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

export class Lifecycle {
  readonly runtime: RuntimeName;
  readonly bundle: Bundle = new Bundle();
  readonly id: string = `t-${crypto.randomUUID().slice(0, 8)}`;
  readonly root: string;
  readonly config: BundleConfig = shellConfig("exit 0");
  /** Options in front of the verb. */
  readonly globals: string[] = [];

  /** @param root of the states: another container's, or one of its own */
  constructor(runtime: RuntimeName, root?: string) {
    this.runtime = runtime;
    this.root = root ?? `${this.bundle.dir}/state`;
  }

  /** A file beside the bundle. */
  file(name: string): string {
    return `${this.bundle.dir}/${name}`;
  }
  text(name: string): string {
    try {
      return Deno.readTextFileSync(this.file(name));
    } catch {
      return "";
    }
  }

  /** The state that the runtime keeps. */
  containers(): string[] {
    try {
      return [...Deno.readDirSync(this.root)].map((entry) => entry.name);
    } catch {
      return [];
    }
  }

  argv(...args: string[]): string[] {
    const command = this.runtime === "dvisor" ? dvisorCommand() : [RUNC ?? ""];
    return [...command, "--root", this.root, ...this.globals, ...args];
  }

  /** A command whose output is read to its end, as clients read it. */
  call(...args: string[]): Promise<Finished> {
    return run(this.argv(...args), { timeoutS: TIMEOUT_S });
  }

  /** Runs a verb, which must succeed. Returns its output. */
  async must(...args: string[]): Promise<string> {
    const result = await this.call(...args);
    if (result.code !== 0) {
      throw new Error(`${this.runtime} ${args.join(" ")}: ${result.code}: ${result.stderr}`);
    }
    return result.stdout;
  }

  /** The shell script that the container runs. */
  script(text: string): this {
    this.config.process["args"] = ["sh", "-c", text];
    return this;
  }

  /**
   * A command with files as standard streams: `out`, `err`, and nothing to read unless `stdin`
   * names a file.
   */
  async detached(args: readonly string[], stdin = "/dev/null"): Promise<Finished> {
    const redirect = `exec "$@" <${stdin} >>${this.file("out")} 2>>${this.file("err")}`;
    return await run(["sh", "-c", redirect, "sh", ...this.argv(...args)], { timeoutS: TIMEOUT_S });
  }

  create(...options: string[]): Promise<Finished> {
    this.bundle.write(this.config);
    const args = ["create", "--bundle", this.bundle.dir, "--pid-file", this.file("pid")];
    return this.detached([...args, ...options, this.id]);
  }

  async created(...options: string[]): Promise<this> {
    const result = await this.create(...options);
    if (result.code !== 0) throw new Error(`create: ${result.code}: ${this.text("err")}`);
    return this;
  }

  /** A running container. */
  async running(script: string): Promise<this> {
    await this.script(script).created();
    await this.must("start", this.id);
    return this;
  }

  get pid(): number {
    return Number(this.text("pid"));
  }

  async state(): Promise<Record<string, unknown>> {
    return JSON.parse(await this.must("state", this.id));
  }
  async status(): Promise<unknown> {
    return (await this.state())["status"];
  }

  /** Waits for a process that has come to us: its exit code as a shell has it. */
  async reap(pid = this.pid, withinMs = SOON_MS): Promise<number> {
    let code = -1;
    const isGone = await eventually(() => {
      if (syscall(SYS_wait4, pid, scratch.area(0), __WALL | WNOHANG, 0) !== pid) return false;
      code = exitCodeOf(scratch.dv.getInt32(scratch.areaOffset(0), true));
      return true;
    }, withinMs);
    if (!isGone) throw new Error(`process ${pid} does not end`);
    return code;
  }

  /** Waits until the container's output has this. */
  async until(text: string, name = "out"): Promise<void> {
    if (!await eventually(() => this.text(name).includes(text), SOON_MS)) {
      throw new Error(`no ${JSON.stringify(text)} in ${JSON.stringify(this.text(name))}`);
    }
  }
}

/** The runtimes that a case is for: dvisor and, where it is installed and may be asked, runc. */
export function runtimesOf(test: { readonly notRunc?: string }): RuntimeName[] {
  return test.notRunc === undefined && RUNC !== null ? ["dvisor", "runc"] : ["dvisor"];
}

/**
 * Does the same with each runtime at a time. @throws what the first of them threw, with its name
 */
export async function withEach(
  runtimes: readonly RuntimeName[],
  fn: (runtime: RuntimeName) => Promise<void>,
): Promise<void> {
  const results = await Promise.allSettled(runtimes.map(fn));
  results.forEach((result, i) => {
    if (result.status === "fulfilled") return;
    const { reason } = result, message = reason instanceof Error ? reason.message : reason;
    throw new Error(`${runtimes[i]}: ${message}`, { cause: reason });
  });
}

/** Reaps orphans of containers, which are our children. Not to run beside a wait for a child. */
function reapAll(): void {
  while (syscall(SYS_wait4, -1, scratch.area(0), __WALL | WNOHANG, 0) > 0);
}

/**
 * Takes containers away with all that is left of them. Their first processes end and are reaped
 * before: runc cannot remove control groups with one in it.
 */
export async function endAll(all: readonly Lifecycle[]): Promise<void> {
  const isOurs = (pid: number) =>
    pid > 0 && syscall(SYS_wait4, pid, scratch.area(0), __WALL | WNOHANG, 0) === 0;
  const left = all.map((t) => t.pid).filter(isOurs);
  for (const pid of left) syscall(SYS_kill, pid, SIGKILL);
  await eventually(() => {
    reapAll();
    return !left.some(isOurs);
  }, FROZEN_MS);
  await Promise.all(all.map((t) => t.call("delete", "--force", t.id)));
  reapAll();
  for (const { bundle } of all) bundle.remove();
}

/** A test of each case, with a container of its own for each runtime. */
export function testCases(what: string, cases: readonly LifecycleCase[]): void {
  for (const test of cases) {
    Deno.test({
      ...named(`${what}: ${test.name}`, noContainers ?? test.skip ?? null),
      fn: async () => {
        becomeSubreaper();
        const all: Lifecycle[] = [];
        try {
          await withEach(runtimesOf(test), async (runtime) => {
            const t = new Lifecycle(runtime);
            all.push(t);
            await test.run(t);
          });
        } finally {
          await endAll(all);
        }
      },
    });
  }
}

/**
 * A test of each case, all on one container for each runtime, which the first of them makes and
 * which they leave as it is.
 */
export function testCasesOnOne(
  what: string,
  prepare: (t: Lifecycle) => Promise<unknown>,
  cases: readonly LifecycleCase[],
): void {
  const containers = new Map<RuntimeName, Promise<Lifecycle>>(), made: Lifecycle[] = [];
  const make = async (runtime: RuntimeName) => {
    const t = new Lifecycle(runtime);
    made.push(t);
    await prepare(t);
    return t;
  };
  for (const test of cases) {
    Deno.test({
      ...named(`${what}: ${test.name}`, noContainers ?? test.skip ?? null),
      fn: () => {
        becomeSubreaper();
        return withEach(runtimesOf(test), async (runtime) => {
          const container = containers.get(runtime) ?? make(runtime);
          containers.set(runtime, container);
          await test.run(await container);
        });
      },
    });
  }
  Deno.test.afterAll(() => endAll(made));
}
