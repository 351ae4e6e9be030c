/**
 * One case of the crash matrix: a container in some state, a verb, and a process that is killed at
 * some moment of the verb. Afterwards `list` and `state` have to be true, and `delete --force` has
 * to leave nothing. Not a test.
 */

import { shellConfig } from "./bundle.ts";
import { type Ended, kill, type Running, sleepMs, type World } from "./crash_world.ts";

const VICTIMS = [
  "command",
  "shim",
  "sentry",
  "gofer",
  "zygote",
  "stub",
  "proxy",
] as const;
type Victim = typeof VICTIMS[number];

/** Signals that people and service managers send to a command. */
const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
type Signal = keyof typeof SIGNALS;
const SIGNAL_NAMES: readonly Signal[] = ["SIGHUP", "SIGINT", "SIGTERM"];

/**
 * What disturbs the verb: a process is killed, the command gets a signal, another command about the
 * container begins, or the command is killed at its n-th call that changes something.
 */
export type Disturber = Victim | Signal | `with ${VerbName}` | `${Call} ${number}`;

/** Calls that change something outside of the process that makes them. */
export const CALLS = [
  "mkdir",
  "rmdir",
  "unlink",
  "unlinkat",
  "rename",
  "flock",
  "write",
  "pwrite64",
  "vfork",
  "clone",
  "clone3",
  "setns",
  "socketpair",
  "bind",
  "listen",
  "connect",
  "sendmsg",
  "memfd_create",
  "pipe2",
  "kill",
  "pidfd_send_signal",
  "wait4",
  "exit_group",
] as const;
type Call = typeof CALLS[number];

const ID = "c1";
type Status = "none" | "creating" | "created" | "running" | "paused" | "stopped";

interface Verb {
  /** The status of the container before the verb. */
  readonly from: Exclude<Status, "creating">;
  /** The statuses that it may have after the verb succeeded. */
  readonly to: readonly Status[];
  readonly args: readonly string[];
  /** The verb returns at the end of the container. */
  readonly isEndless?: boolean;
}

const CREATE = ["--bundle", "bundle", "--pid-file", "pid"];
const SHORT_EXEC = ["sh", "-c", "echo e; sleep 0.03"];

const VERBS = {
  create: { from: "none", to: ["created"], args: ["create", ...CREATE, ID] },
  run: { from: "none", to: ["none"], args: ["run", ...CREATE, ID] },
  "run --detach": { from: "none", to: ["running"], args: ["run", "--detach", ...CREATE, ID] },
  start: { from: "created", to: ["running"], args: ["start", ID] },
  exec: { from: "running", to: ["running"], args: ["exec", ID, ...SHORT_EXEC] },
  "exec --detach": {
    from: "running",
    to: ["running"],
    args: ["exec", "--detach", "--pid-file", "exec.pid", ID, ...SHORT_EXEC],
  },
  kill: { from: "running", to: ["stopped"], args: ["kill", ID, "KILL"] },
  pause: { from: "running", to: ["paused"], args: ["pause", ID] },
  resume: { from: "paused", to: ["running"], args: ["resume", ID] },
  update: { from: "running", to: ["running"], args: ["update", "--pids-limit", "200", ID] },
  ps: { from: "running", to: ["running"], args: ["ps", "--format", "json", ID] },
  events: {
    from: "running",
    to: ["running"],
    args: ["events", "--interval", "10ms", ID],
    isEndless: true,
  },
  delete: { from: "stopped", to: ["none"], args: ["delete", ID] },
  "delete --force": { from: "running", to: ["none"], args: ["delete", "--force", ID] },
} satisfies Record<string, Verb>;
export type VerbName = keyof typeof VERBS;
export const VERB_NAMES: readonly VerbName[] = [
  "create",
  "run",
  "run --detach",
  "start",
  "exec",
  "exec --detach",
  "kill",
  "pause",
  "resume",
  "update",
  "ps",
  "events",
  "delete",
  "delete --force",
];

/** Verbs that change something. */
const RIVALS = [
  "create",
  "start",
  "exec",
  "kill",
  "pause",
  "resume",
  "update",
  "delete",
  "delete --force",
] as const;
const DISTURBERS: readonly Disturber[] = [
  ...VICTIMS,
  ...SIGNAL_NAMES,
  ...RIVALS.map((verb) => `with ${verb}` as const),
];

export function disturbersOf(verb: VerbName): readonly Disturber[] {
  // In a paused container no process ends, so a verb that waits for an end would not return.
  const excluded = verb === "pause" ? "with exec" : "with pause";
  const waits = ["run", "exec", "exec --detach", "pause"].includes(verb);
  return waits ? DISTURBERS.filter((name) => name !== excluded) : DISTURBERS;
}

export interface Outcome {
  readonly problems: readonly string[];
  /** The victim was there, and the verb had not ended. */
  readonly hasMet: boolean;
  /** The time that the verb took, ms. */
  readonly elapsedMs: number;
  /** The status of the container afterwards. */
  readonly status: Status;
}

/** Verbs that succeed once only. */
const ONCE: readonly VerbName[] = ["create", "start", "delete"];

/** The container's program: writes `ran`, then counts. For `run` it ends. */
const FOR_EVER = "echo up >/ran; while :; do echo $((i=i+1)) >/beat; sleep 0.02; done";
const FOR_A_WHILE = "echo up >/ran; sleep 0.05";

const KILLED = 128 + 9;
/** LIMIT: how long the world may take to come to rest. */
const REST_MS = 6000;
/** LIMIT: how long an endless verb runs. */
const ENDLESS_MS = 60;
/** How long a paused container is watched. */
const STILL_MS = 120;
/** LIMIT: looks, 10 ms apart, whether the program of a container that was started has begun. */
const RAN_LOOKS = 1000;

export class CrashCase {
  readonly #world: World;
  readonly #verb: Verb;
  readonly #name: VerbName;
  readonly #problems: string[] = [];
  #status: Status = "none";

  constructor(world: World, verb: VerbName) {
    this.#world = world;
    this.#name = verb;
    this.#verb = VERBS[verb];
  }

  /** @param disturber null for none @param afterMs after the start of the verb */
  run(disturber: Disturber | null, afterMs: number): Outcome {
    const world = this.#world;
    for (const name of ["ran", "beat"]) removeIfThere(`${world.dir}/bundle/rootfs/${name}`);
    this.#writeConfig();
    if (disturber !== "shim") this.#prepare();
    const call = /^[a-z0-9_]+ \d+$/.test(disturber ?? "") ? disturber : null;
    const { verb, begun } = disturber === "shim" ? this.#beginInShim() : this.#begin(call);
    sleepMs(afterMs);
    let hasMet = disturber !== null && call === null && this.#disturb(disturber, verb);
    const ended = this.#end(verb);
    if (call !== null) hasMet = ended.code === KILLED;
    this.#checkVerb(ended, disturber, hasMet);
    const elapsedMs = performance.now() - begun;
    this.#atRest(() => this.#lies(disturber, hasMet));
    this.#takeAway();
    return { problems: this.#problems, hasMet, elapsedMs, status: this.#status };
  }

  #writeConfig(): void {
    const config = shellConfig(this.#name === "run" ? FOR_A_WHILE : FOR_EVER);
    config.linux["cgroupsPath"] = `${this.#world.cgroup}/${ID}`;
    Deno.writeTextFileSync(`${this.#world.dir}/bundle/config.json`, JSON.stringify(config));
  }

  /** Commands that bring the container to the status in which the verb begins. */
  #before(): string[][] {
    const { from } = this.#verb;
    if (from === "none") return [];
    const commands = [["create", ...CREATE, ID]];
    if (from !== "created") commands.push(["start", ID]);
    if (from === "paused") commands.push(["pause", ID]);
    if (from === "stopped") commands.push(["kill", ID, "KILL"]);
    return commands;
  }

  #prepare(): void {
    for (const args of this.#before()) {
      const { code, stderr } = this.#world.run("before", this.#argv(args));
      if (code !== 0) this.#problems.push(`${args[0]} before: ${code}: ${stderr}`);
      // A container that is paused at once may not have run its program yet: that is no error.
      for (let i = 0; args[0] === "start" && i < RAN_LOOKS && !this.#hasRun; i++) sleepMs(10);
    }
  }

  get #hasRun(): boolean {
    return exists(`${this.#world.dir}/bundle/rootfs/ran`);
  }

  #argv(args: readonly string[]): string[] {
    const { dir } = this.#world;
    const files = ["bundle", "pid", "exec.pid"];
    return this.#world.argv(...args.map((arg) => files.includes(arg) ? `${dir}/${arg}` : arg));
  }

  /** @param call at which it is killed, or null */
  #begin(call: string | null): { verb: Running; begun: number } {
    const begun = performance.now(), [name, n] = call?.split(" ") ?? [];
    const inject = `inject=${name}:signal=KILL:when=${n}`;
    const strace = ["strace", "-qqq", "-o", "/dev/null", "-e", `trace=${name}`, "-e", inject];
    const argv = [...call === null ? [] : strace, ...this.#argv(this.#verb.args)];
    return { verb: this.#world.start("verb", argv), begun };
  }

  /** The verb's parent, which like containerd's shim becomes the parent of orphans. */
  #beginInShim(): { verb: Running; begun: number } {
    const { dir } = this.#world;
    for (const name of ["ready", "verb.out", "verb.err"]) removeIfThere(`${dir}/${name}`);
    const quoted = (args: readonly string[]) => args.map((arg) => `'${arg}'`).join(" ");
    const lines = this.#before().map((args) =>
      `${quoted(this.#argv(args))} >&2 || echo before: $?`
    );
    const verb = `${quoted(this.#argv(this.#verb.args))} >${dir}/verb.out 2>${dir}/verb.err`;
    const script = [...lines, `: >${dir}/ready`, verb, "while :; do sleep 0.05; done"].join("\n");
    const shim = this.#world.start("shim", ["sh", "-c", script], true);
    const isReady = () => exists(`${dir}/ready`);
    for (let i = 0; i < 2000 && !isReady(); i++) sleepMs(2);
    if (!isReady() || this.#world.text("shim.out") !== "") {
      this.#problems.push(`the shim failed: ${this.#world.text("shim.err")}`);
    }
    return { verb: shim, begun: performance.now() };
  }

  /** @returns whether it met the verb */
  #disturb(disturber: Disturber, verb: Running): boolean {
    const rival = RIVALS.find((name) => disturber === `with ${name}`);
    if (rival !== undefined) return this.#compete(rival, verb);
    const signal = SIGNAL_NAMES.find((name) => disturber === name);
    if (disturber === "command" || disturber === "shim" || signal !== undefined) {
      if (this.#world.hasEnded(verb)) return false;
      kill(verb.pid, signal === undefined ? undefined : SIGNALS[signal]);
      return true;
    }
    for (let isLast = false; !isLast;) {
      // The last process that was started may still run when the verb has ended.
      isLast = this.#world.hasEnded(verb);
      const victim = this.#world.processes().findLast(({ role }) => role === disturber);
      if (victim === undefined) continue;
      kill(victim.pid);
      return true;
    }
    return false;
  }

  /** Another command about the same container. */
  #compete(rival: VerbName, verb: Running): boolean {
    const hasMet = !this.#world.hasEnded(verb);
    const args = this.#argv(VERBS[rival].args);
    const { code, stderr, isOverdue } = this.#world.run("rival", args);
    if (isOverdue) this.#problems.push(`${rival} does not end`);
    this.#checkWords(rival, code, stderr);
    if (rival === this.#name && ONCE.includes(rival)) this.#rivalCode = code;
    return hasMet;
  }

  /** The exit code of a rival with the same verb; null without one. */
  #rivalCode: number | null = null;

  #end(verb: Running): Ended {
    const isEndless = this.#verb.isEndless === true;
    if (isEndless && this.#world.hasEnded(verb) === false) {
      sleepMs(ENDLESS_MS);
      if (!this.#world.hasEnded(verb)) kill(verb.pid, 15);
    }
    return this.#world.end(verb);
  }

  /** The output of the verb. */
  #checkVerb(ended: Ended, disturber: Disturber | null, hasMet: boolean): void {
    const { code, stderr, isOverdue } = ended, isEndless = this.#verb.isEndless === true;
    const text = disturber === "shim" ? this.#world.text("verb.err") : stderr;
    if (isOverdue) this.#problems.push(`${this.#name} does not end`);
    const isKilled = disturber === "command" || disturber === "shim" || code === KILLED;
    if (!isKilled && !isEndless) this.#checkWords(this.#name, code, text);
    if (disturber === null && code !== 0 && !isEndless) {
      this.#problems.push(`${this.#name}: ${code}: ${text}`);
    }
    const successes = [code, this.#rivalCode].filter((value) => value === 0).length;
    if (this.#rivalCode !== null && successes !== 1) {
      this.#problems.push(`${this.#name} twice has worked ${successes} times: ${text}`);
    }
    this.#hasDone = code === 0 && disturber !== "shim" && !hasMet && !isRival(disturber);
  }

  #checkWords(what: string, code: number, text: string): void {
    if (/bug in dvisor|SyntaxError|\bat file:|Uncaught/.test(text)) {
      this.#problems.push(`${what} says: ${text}`);
    }
    if (code > 0 && code < 128 && text === "") {
      this.#problems.push(`${what} fails without a word: ${code}`);
    }
  }

  #hasDone = false;

  /** Waits until nothing is wrong any more. */
  #atRest(look: () => string[]): void {
    const end = performance.now() + REST_MS;
    let problems = look();
    for (let ms = 5; problems.length > 0 && performance.now() < end; ms = Math.min(2 * ms, 200)) {
      sleepMs(ms);
      problems = look();
    }
    this.#problems.push(...problems);
  }

  /** The lines of `list` and `state` that are not true. */
  #lies(disturber: Disturber | null, hasMet: boolean): string[] {
    const world = this.#world, lies: string[] = [];
    const state = world.dvisor("state", ID), list = world.dvisor("list", "--format", "json");
    let listed: { id: string; status: string; pid: number }[] = [];
    let status: Status = "none", pid = 0;
    try {
      listed = JSON.parse(list.stdout) ?? [];
      if (state.code === 0) ({ status, pid } = JSON.parse(state.stdout));
    } catch (error) {
      return [`no JSON: ${error}: list ${show(list)}, state ${show(state)}`];
    }
    this.#status = status;
    if (state.code !== 0 && !/does not exist/.test(state.stderr)) lies.push(`state ${show(state)}`);
    if (list.code !== 0 || list.stderr !== "") lies.push(`list ${show(list)}`);
    const other = listed.find(({ id }) => id === ID);
    if ((other?.status ?? "none") !== status || (other?.pid ?? 0) !== pid) {
      lies.push(`list has ${other?.status}, state has ${status}`);
    }
    const processes = world.processes(),
      count = (role: string) => processes.filter((p) => p.role === role).length;
    const is = (what: boolean, text: string) => {
      if (!what) lies.push(`${status}: ${text}; ${processes.map((p) => `${p.pid} ${p.role}`)}`);
    };
    if (status === "none" || status === "stopped") {
      is(pid === 0, `its pid is ${pid}`);
      is(processes.length === 0, "something lives");
    } else if (status === "creating") is(false, "no command makes it");
    else {
      is(count("sentry") === 1 && count("gofer") === 1, "processes are missing");
      const proxies = processes.filter(({ role }) => role === "proxy");
      is(proxies.length === 1 && proxies[0]?.pid === pid, `its pid is ${pid}`);
      // The files say nothing about a container that was made again.
      const mayBeNew = disturber === "with create";
      if (!mayBeNew) lies.push(...this.#guestLies(status, isRival(disturber)));
      const isFatal = ["sentry", "gofer", "proxy"].includes(disturber ?? "");
      // An exec has its own proxy.
      if (isFatal && hasMet && !this.#name.startsWith("exec")) {
        is(false, `the ${disturber} is dead`);
      }
    }
    const isInterrupted = hasMet && SIGNAL_NAMES.some((name) => name === disturber);
    if (isInterrupted && this.#verb.from === "none") {
      is(status !== "stopped", "a command that was interrupted has left it");
    }
    if (this.#hasDone) {
      is(this.#verb.to.includes(status), `${this.#name} has said that it is ${this.#verb.to}`);
    }
    return lies;
  }

  /**
   * Whether the guest runs or stands still as its status says.
   *
   * @param mayHold it may have been paused before its start
   */
  #guestLies(status: Status, mayHold: boolean): string[] {
    const rootfs = "bundle/rootfs", world = this.#world, hasRun = this.#hasRun;
    if (status === "created") return hasRun ? ["created: its program has run"] : [];
    if (!hasRun && mayHold && status === "paused") return [];
    if (!hasRun) return [`${status}: its program has not run`];
    if (this.#name === "run") return [];
    const before = world.text(`${rootfs}/beat`);
    sleepMs(STILL_MS);
    const hasMoved = world.text(`${rootfs}/beat`) !== before;
    return hasMoved === (status === "running")
      ? []
      : [`${status}: its program ${hasMoved ? "goes on" : "stands still"}`];
  }

  #takeAway(): void {
    const world = this.#world;
    for (const _ of [1, 2]) {
      const { code, stdout, stderr } = world.dvisor("delete", "--force", ID);
      if (code !== 0 || stdout + stderr !== "") {
        this.#problems.push(`delete --force: ${code}: ${stdout}${stderr}`);
      }
    }
    const state = world.dvisor("state", ID);
    if (state.code === 0) this.#problems.push("state after delete --force is still there");
    const left = this.#leftovers();
    if (left.length > 0) this.#problems.push(`left behind: ${left.join("; ")}`);
  }

  #leftovers(): string[] {
    let left = this.#world.leftovers();
    for (let i = 0; i < 20 && left.length > 0; i++) {
      sleepMs(20);
      left = this.#world.leftovers();
    }
    return left;
  }
}

function isRival(disturber: Disturber | null): boolean {
  return RIVALS.some((name) => disturber === `with ${name}`);
}

function show({ code, stdout, stderr }: Ended): string {
  return `${code} ${JSON.stringify(stdout)} ${JSON.stringify(stderr)}`;
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
