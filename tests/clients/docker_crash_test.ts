/**
 * Docker's daemon, containerd, its shim, or the command of dvisor is killed at some moment of a
 * client's command. When the daemon runs again, what it reports is true, and `docker rm -f` leaves
 * nothing behind. `DVISOR_SEED` repeats a run.
 */

import { assert, assertEquals } from "@std/assert";
import { dvisorCommand, type Finished, run } from "../harness/dvisor.ts";
import { named } from "../harness/machine.ts";
import { eventually } from "../harness/processes.ts";
import { Random, seedOf } from "../harness/seeded.ts";
import { removeGroups } from "../oci/crash_world.ts";
import { BUSYBOX_IMAGE, groupsBelow, importBusybox } from "./lib/busybox_image.ts";
import { Docker, noFullDocker } from "./lib/docker.ts";

const SEED = Number(Deno.env.get("DVISOR_SEED") ?? Math.floor(Math.random() * 1e9));
const MOMENTS = Number(Deno.env.get("DVISOR_MOMENTS") ?? 20);
/**
 * LIMIT: how long daemons may take to come to rest, and how long a client may wait for its command.
 */
const REST_MS = 30_000, CLIENT_S = 40;
/** LIMIT: how long the rest of a container may be there after `docker rm -f`. */
const GONE_MS = 5000;
/** The last moments are behind the usual end of a command. */
const OVER = 1.15;
const NAME = "crash", IMAGE = BUSYBOX_IMAGE;
const FOREVER = ["sh", "-c", 'trap "exit 7" TERM; while :; do sleep 0.05; done'];

const VERBS = {
  run: ["run", "--name", NAME, IMAGE, "sh", "-c", "echo hi; sleep 0.2"],
  exec: ["exec", NAME, "sh", "-c", "echo hi; sleep 0.1"],
  stop: ["stop", "-t", "2", NAME],
  rm: ["rm", "-f", NAME],
} as const;
type VerbName = keyof typeof VERBS;
const VERB_NAMES: readonly VerbName[] = ["run", "exec", "stop", "rm"];

const VICTIMS = ["dockerd", "containerd", "shim", "command"] as const;
type Victim = typeof VICTIMS[number];

/** How their command lines begin; all have the daemon's directory in it. */
const PATTERNS: Readonly<Record<Victim, RegExp>> = {
  dockerd: /^dockerd /,
  containerd: /^containerd --config /,
  shim: /containerd-shim-runc-v2 -namespace .* -id /,
  command: /dvisor\b.* --root /,
};

interface Inspected {
  readonly Id: string;
  readonly State: { readonly Status: string; readonly Pid: number; readonly ExitCode: number };
}

class Crashes {
  readonly #docker: Docker;
  readonly #cgroup: string;
  readonly failures: string[] = [];
  cases = 0;
  kills = 0;
  /**
   * Containers that run for containerd and that Docker does not know to run: it died before it
   * wrote that down.
   */
  forgotten = 0;

  constructor(docker: Docker, cgroup: string) {
    this.#docker = docker;
    this.#cgroup = cgroup;
  }

  /** How long the verb takes when no process is killed. */
  async usualMs(verb: VerbName): Promise<number> {
    const times: number[] = [];
    for (const _ of [0, 1, 2]) times.push((await this.one(verb, null, 0)).elapsedMs);
    return times.sort((a, b) => a - b)[1] ?? 0;
  }

  /** One case; what is wrong is added to `failures`. */
  async one(verb: VerbName, victim: Victim | null, afterMs: number): Promise<Finished> {
    const docker = this.#docker, problems: string[] = [];
    if (verb !== "run") await docker.must("run", "-d", "--name", NAME, IMAGE, ...FOREVER);
    const ended = docker.run(VERBS[verb], { timeoutS: CLIENT_S });
    let isOver = false;
    const client = ended.finally(() => isOver = true);
    await new Promise((done) => setTimeout(done, afterMs));
    const hasKilled = victim !== null && await this.#kill(victim, () => isOver);
    if (hasKilled && victim === "dockerd") {
      // A client of the old daemon must not connect to the socket of the new one.
      await docker.endDaemon("SIGKILL");
      await docker.startDaemon();
    }
    const result = await client;
    // Docker does not learn the end of an exec whose shim is dead; runc's neither.
    const isForgotten = verb === "exec" && victim === "shim";
    if (result.isOverdue && !isForgotten) problems.push("the client does not end");
    if (victim === null && result.code !== 0 && verb !== "stop") {
      problems.push(`${result.code}: ${result.stderr}`);
    }
    if (/bug in dvisor/.test(result.stderr)) problems.push(result.stderr);
    problems.push(...await this.#atRest(() => this.#lies()), ...await this.#takeAway());
    if (hasKilled && victim === "containerd") await this.#waitForContainerd();
    this.cases++;
    if (hasKilled) this.kills++;
    if (problems.length > 0) {
      const name = `${verb}/${victim ?? "nobody"} after ${afterMs} ms`;
      console.log(`${name}: ${problems.join("\n    ")}`);
      this.failures.push(`${name}: ${problems.join("; ")}`);
    }
    return result;
  }

  /** The daemon starts another one, after a while. */
  async #waitForContainerd(): Promise<void> {
    const problems = await this.#atRest(async () => {
      const { code, stderr } = await this.#docker.run(["run", "--rm", IMAGE, "true"]);
      return code === 0 ? [] : [stderr];
    });
    if (problems.length > 0) throw new Error(`no containerd any more: ${problems}`);
  }

  /** Waits for a victim until the client has ended, and kills it. */
  async #kill(victim: Victim, isOver: () => boolean): Promise<boolean> {
    if (victim === "dockerd") return !isOver();
    for (let isLast = false; !isLast;) {
      isLast = isOver();
      const pid = this.#processes(PATTERNS[victim])[0]?.pid;
      if (pid !== undefined) {
        Deno.kill(pid, "SIGKILL");
        return true;
      }
      await new Promise((done) => setTimeout(done, 1));
    }
    return false;
  }

  #processes(pattern: RegExp): { pid: number; command: string }[] {
    return this.#docker.processes().map((pid) => ({ pid, command: commandOf(pid) }))
      .filter(({ command }) => pattern.test(command));
  }

  /** Waits until the checks find nothing wrong. */
  async #atRest(look: () => Promise<string[]>): Promise<string[]> {
    const end = performance.now() + REST_MS;
    for (;;) {
      const problems = await look();
      if (problems.length === 0 || performance.now() > end) return problems;
      await new Promise((done) => setTimeout(done, 100));
    }
  }

  /** What the daemon reports that is not true. */
  async #lies(): Promise<string[]> {
    const docker = this.#docker;
    const list = await docker.run(["ps", "-a", "--format", "{{.Names}} {{.State}}"]);
    if (list.code !== 0) return [`docker ps: ${list.stderr}`];
    const listed = list.stdout.split("\n").find((line) => line.startsWith(`${NAME} `));
    const inspect = await docker.run(["inspect", "--type", "container", NAME]);
    if (listed === undefined) {
      return inspect.code === 0 ? ["inspect knows what ps does not"] : await this.#unknown();
    }
    const [container]: Inspected[] = JSON.parse(inspect.stdout);
    if (container === undefined) return [`inspect: ${inspect.stdout}`];
    const { Status: status, Pid: pid } = container.State;
    if (listed !== `${NAME} ${status}`) return [`ps: ${listed}, inspect: ${status}`];
    if (status !== "running") return await this.#unknown();
    const state = await this.#state(container.Id);
    // The shim reports an end a few times; a containerd that starts later misses it, as does
    // Docker.
    const task = (await this.#tasks()).get(container.Id) ?? "none";
    if ([state, task].every((what) => what === "stopped" || what === "none")) return [];
    if (state !== "running") return [`docker says running, dvisor ${state}`];
    const exec = await docker.run(["exec", NAME, "echo", "there"]);
    if (exec.stdout === "there\n" && commandOf(pid) !== "") return [];
    // The container may just have ended.
    return [`docker says running, exec: ${exec.code} ${exec.stderr}`];
  }

  /** Containers that run for containerd and that Docker does not know. */
  async #unknown(): Promise<string[]> {
    const lives = this.#lives();
    if (lives.length === 0) return [];
    const tasks = await this.#tasks();
    if (tasks.size === 0) return lives;
    const lies: string[] = [];
    for (const [id, task] of tasks) {
      const state = await this.#state(id);
      // A container that a killed command has removed in part does not exist for the runtime.
      const isTrue = task === state || task === "stopped" && state === "none";
      if (!isTrue) lies.push(`containerd says ${task}, dvisor ${state}`);
    }
    return lies;
  }

  /** The status of each container by containerd. */
  async #tasks(): Promise<Map<string, string>> {
    const { stdout } = await this.#ctr("tasks", "ls");
    const lines = stdout.split("\n").slice(1).filter((line) => line !== "");
    return new Map(lines.map((line) => {
      const [id = "", , task = ""] = line.split(/\s+/);
      return [id, task.toLowerCase()];
    }));
  }

  #ctr(...args: string[]): Promise<Finished> {
    const socket = `${this.#docker.dir}/exec/containerd/containerd.sock`;
    return run(["ctr", "-a", socket, "-n", "moby", ...args]);
  }

  async #state(id: string): Promise<string> {
    const root = `${this.#docker.dir}/exec/runtime-runc/moby`;
    const { code, stdout } = await run([...dvisorCommand(), "--root", root, "state", id]);
    return code === 0 ? JSON.parse(stdout).status : "none";
  }

  /** What is left once no container runs: processes, records, shims. */
  #lives(): string[] {
    const groups = groupsBelow(this.#cgroup), pids = groups.flatMap((dir) => pidsOf(dir));
    const lives = [...new Set(pids)].map((pid) => `${pid} ${commandOf(pid)}`);
    const records = this.#docker.records().map((name) => `record ${name}`);
    const shims = this.#processes(PATTERNS.shim).map(({ pid }) => `shim ${pid}`);
    return [...lives, ...records, ...shims].map((what) => `there still is ${what}`);
  }

  async #takeAway(): Promise<string[]> {
    const problems: string[] = [];
    const { code, stderr } = await this.#docker.run(["rm", "-f", "-v", NAME]);
    if (code !== 0 && !/No such container/.test(stderr)) problems.push(`docker rm -f: ${stderr}`);
    if (await this.#isGone()) return problems;
    // A client of containerd can delete it.
    const { stdout } = await this.#ctr("tasks", "ls", "-q");
    for (const id of stdout.split("\n").filter((line) => line !== "")) {
      await this.#ctr("tasks", "delete", "--force", id);
      await this.#ctr("containers", "delete", id);
      this.forgotten++;
    }
    if (!await this.#isGone()) problems.push(...this.#left());
    return problems;
  }

  #isGone(): Promise<boolean> {
    return eventually(() => this.#left().length === 0, GONE_MS);
  }

  #left(): string[] {
    return [...this.#lives(), ...groupsBelow(this.#cgroup).map((dir) => `there still is ${dir}`)];
  }
}

function pidsOf(group: string): number[] {
  try {
    return Deno.readTextFileSync(`${group}/cgroup.procs`).split("\n").filter((l) => l !== "").map(
      Number,
    );
  } catch {
    return [];
  }
}

function commandOf(pid: number): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
  } catch {
    return "";
  }
}

for (const live of [false, true]) {
  Deno.test({
    ...named(
      `docker${
        live ? " with live-restore" : ""
      }: whoever is killed, the daemon tells the truth, and nothing is left`,
      noFullDocker,
    ),
    fn: async () => {
      console.log(`DVISOR_SEED=${SEED}`);
      const cgroup = `/dvisor-crash-${crypto.randomUUID().slice(0, 8)}`;
      try {
        const settings = { "live-restore": live, "cgroup-parent": cgroup };
        await using docker = await Docker.start({ settings });
        await importBusybox(docker);
        const crashes = new Crashes(docker, cgroup);
        for (const verb of VERB_NAMES) {
          const usualMs = await crashes.usualMs(verb);
          // With live-restore only the daemon is killed: without it the other victims are the same.
          for (const victim of live ? ["dockerd"] as const : VICTIMS) {
            const random = new Random(seedOf(SEED, verb, victim));
            for (let i = 0; i < MOMENTS; i++) {
              const part = (i + random.below(1000) / 1000) / MOMENTS;
              await crashes.one(verb, victim, Math.round(part * usualMs * OVER));
            }
          }
        }
        const { cases, kills, forgotten } = crashes;
        console.log(`${cases} cases, ${kills} kills, ${forgotten} forgotten by Docker`);
        assert(crashes.kills > 0);
        assertEquals(crashes.failures, []);
      } finally {
        removeGroups(cgroup);
      }
    },
  });
}
