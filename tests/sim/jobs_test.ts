/**
 * Jobs in simulated sandboxes: programs that draw their calls start as jobs with limits, and are
 * killed at their deadlines and at other times. One seed again: SIM_SEED=N deno test -A tests/sim.
 */

import { assert, assertEquals } from "@std/assert";
import { rootCredentials } from "../../kernel/cred/credentials.ts";
import { startIn } from "../../kernel/init.ts";
import { Job, type JobListener, type JobReason } from "../../kernel/job/job.ts";
import { Limits } from "../../kernel/task/limits.ts";
import { Task } from "../../kernel/task/task.ts";
import { Timer } from "../../kernel/time/timer.ts";
import { isFull } from "../harness/machine.ts";
import { Random } from "../harness/seeded.ts";
import { Simulation } from "./simulation.ts";

const SEEDS = isFull ? 5_000 : 300, CHECKED_SEEDS = 10, STEPS = 400;
/** Time between two starts, and the longest deadline, ns of the simulation. */
const PAUSE_NS = 2_000_000, WALL_NS = 20_000_000;
/** Some jobs exceed these limits. */
const TASKS_MAX = 12, MEMORY_BYTES = 32 << 10;

/** Starts jobs, and keeps what they report. */
class JobSource extends Timer implements JobListener {
  readonly jobs: Job[] = [];
  /** The reports of each job: "main", "end". */
  readonly reports: Map<Job, string[]> = new Map();
  readonly #simulation: Simulation;
  readonly #chance: Random;

  constructor(simulation: Simulation) {
    super();
    this.#simulation = simulation;
    this.#chance = new Random(simulation.seed + 1);
  }

  begin(): void {
    const { timers } = this.#simulation.kernel;
    timers.arm(this, this.#simulation.kernel.now() + this.#chance.below(PAUSE_NS));
  }

  override onExpire(_nowNs: number): void {
    const { kernel, platform } = this.#simulation, container = kernel.pids.init?.container ?? null;
    if (platform.isEnding) return;
    if (container !== null) this.#start(container);
    for (const job of this.jobs) this.#disturb(job);
    this.begin();
  }

  #start(container: NonNullable<Task["group"]["container"]>): void {
    const { kernel } = this.#simulation, chance = this.#chance;
    const job = new Job(kernel, container, {
      cpuNs: chance.below(4) === 0 ? chance.below(WALL_NS) : Infinity,
      wallNs: chance.below(4) === 0 ? Infinity : chance.below(WALL_NS),
      memoryBytes: chance.below(3) === 0 ? MEMORY_BYTES : Infinity,
      tasks: chance.below(3) === 0 ? Infinity : 1 + chance.below(TASKS_MAX),
      cpus: chance.below(4) === 0 ? 0.1 : Infinity,
    }, this);
    this.reports.set(job, []);
    // Before the start, or before the first instruction.
    if (chance.below(20) === 0) job.kill("killed");
    const task = startIn(
      kernel,
      container,
      {
        args: ["/prog"],
        env: [],
        cwd: "/",
        umask: 0o22,
        cred: rootCredentials(),
        limits: new Limits(null),
        leadsSession: chance.below(2) === 0,
        files: [],
      },
      null,
      job,
    );
    if (!(task instanceof Task)) return;
    this.jobs.push(job);
    if (chance.below(20) === 0) job.kill("output");
  }

  #disturb(job: Job): void {
    const chance = this.#chance;
    if (chance.below(30) === 0) job.setDeadline(chance.below(WALL_NS));
    if (chance.below(60) === 0) job.kill("killed");
    if (chance.below(200) === 0) job.setDeadline(Infinity);
  }

  onOomKill(): void {}

  onMainEnd(job: Job): void {
    this.#report(job, "main");
    if (this.#chance.below(2) === 0) job.killRest();
  }

  onJobEnd(job: Job): void {
    this.#report(job, "end");
  }

  #report(job: Job, line: string): void {
    this.reports.get(job)?.push(line);
  }

  /** Checks every job, when all processes have ended. */
  check(): void {
    for (const job of this.jobs) {
      assertEquals(this.reports.get(job), ["main", "end"]);
      assertEquals([job.isEnded, job.groups.size, job.tasks], [true, 0, 0]);
      assert(job.reason !== null && job.status >= 0);
    }
  }
}

/** Runs a seed to its end; returns its jobs. */
function run(seed: number, isChecked: boolean): readonly Job[] {
  const simulation = new Simulation(seed, STEPS);
  try {
    const source = new JobSource(simulation);
    source.begin();
    if (isChecked) simulation.onStep = () => assertEquals(simulation.violations(), []);
    simulation.run();
    source.check();
    assertEquals(simulation.leftovers(), []);
    return source.jobs;
  } catch (cause) {
    throw new Error(`seed ${seed}: SIM_SEED=${seed} deno test -A tests/sim`, { cause });
  } finally {
    simulation.close();
  }
}

Deno.test("jobs of simulated sandboxes come to their end and leave nothing", () => {
  const only = Deno.env.get("SIM_SEED");
  if (only !== undefined) return void run(Number(only), false);
  const reasons = new Set<JobReason | null>();
  for (let seed = 1; seed <= SEEDS; seed++) {
    for (const job of run(seed, false)) reasons.add(job.reason);
  }
  for (const reason of ["exit", "signal", "timeout", "killed", "output", "oom"] as const) {
    assert(reasons.has(reason), `no job ended with ${reason}`);
  }
});

Deno.test("the kernel's structures agree with each other while jobs are killed", () => {
  for (let seed = 1; seed <= CHECKED_SEEDS; seed++) run(seed, true);
});
