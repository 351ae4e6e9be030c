/**
 * Real programs for a long time, three at a time, in one sandbox: whenever all have ended, what the
 * sandbox holds of the host is what it held before, and its kernel's memory stays what it was.
 *
 * In full half an hour, or DVISOR_SOAK_SECONDS; else some programs. `soak.py` is the guest. A
 * failure prints the seed, which DVISOR_SEED sets. Neighbour: `real_test.ts`.
 */

import { assert, assertEquals } from "@std/assert";
import { doCommand, PLATFORM, ROOT } from "../harness/dvisor.ts";
import { isFull, lacks, named, PYTHON } from "../harness/machine.ts";
import { eventually } from "../harness/processes.ts";
import { Session } from "../harness/session.ts";
import { programs } from "./programs.ts";

const SECONDS = Number(Deno.env.get("DVISOR_SOAK_SECONDS") ?? (isFull ? 1800 : 0));
const seed = Number(Deno.env.get("DVISOR_SEED") ?? Math.floor(Math.random() * 2 ** 31));

/** Memory counts once this part of the time has passed: caches and compiled code are there. */
const WARM = 1 / 6;
/** How much more the kernel may hold at the end than once it was warm. */
const GROWTH = 1.05;
/** LIMIT: for one round of programs. */
const ROUND_MS = 900_000;
/** How long the kernel may take to free what ended. */
const REST_MS = 10_000;
/** Of files of the host, used or not. */
const FILES_MAX = 1100;
/** The kernel collects its garbage when it has nothing to do for a second. */
const SETTLE_MS = 5000;
/** Programs of a round in the ordinary run. */
const FEW = 3;

/** What the sandbox holds of the host, and the guest of the sandbox. */
interface Held {
  readonly atS: number;
  readonly guest: string;
  readonly processes: number;
  /**
   * Of the kernel: descriptors but for those of files, and those that it keeps in case they are
   * opened again.
   */
  readonly fds: number;
  readonly files: number;
  /** Of the kernel, in kB: all that is resident, shared pages included, and what it has written. */
  readonly rss: number;
  readonly anonymous: number;
}

function memoryKb(pid: number): { rss: number; anonymous: number } {
  const text = Deno.readTextFileSync(`/proc/${pid}/smaps_rollup`);
  const kb = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1]);
  return { rss: kb("Rss"), anonymous: kb("Anonymous") };
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function openFiles(pid: number): { fds: number; files: number } {
  let fds = 0, files = 0;
  for (const { name } of Deno.readDirSync(`/proc/${pid}/fd`)) {
    if (/^\/(?!memfd:|null)/.test(Deno.readLinkSync(`/proc/${pid}/fd/${name}`))) files++;
    else fds++;
  }
  return { fds, files };
}

class Soak {
  readonly #session: Session;
  readonly #sentry: number;
  readonly #start = performance.now();
  #rounds = 0;

  constructor(session: Session) {
    this.#session = session;
    const [sentry] = session.pids("sentry");
    assert(sentry !== undefined);
    this.#sentry = sentry;
  }

  get seconds(): number {
    return (performance.now() - this.#start) / 1000;
  }

  /** Runs so many programs; what is held once they have ended, as soon as that is `likeBefore`. */
  async round(count: number, before?: Held): Promise<Held> {
    this.#rounds++;
    await this.#session.write(`run ${count}\n`);
    const rests = () => [...this.#session.stdout.matchAll(/^rest: (.*)$/mg)];
    const isDone = await eventually(() => rests().length === this.#rounds, ROUND_MS);
    assert(isDone, `seed ${seed}: a round did not end\n${this.#session.stdout}`);
    const guest = rests().at(-1)?.[1] ?? "";
    let held = this.#held(guest);
    if (before !== undefined) {
      await eventually(() => {
        held = this.#held(guest);
        return held.fds <= before.fds && held.processes <= before.processes;
      }, REST_MS);
    }
    if (SECONDS > 0) await delay(SETTLE_MS);
    held = { ...held, ...memoryKb(this.#sentry) };
    console.log(JSON.stringify(held));
    return held;
  }

  #held(guest: string): Held {
    return {
      atS: Math.round(this.seconds),
      guest,
      processes: this.#session.processes().length,
      ...openFiles(this.#sentry),
      ...memoryKb(this.#sentry),
    };
  }
}

/** The median. */
function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}

/** The kernel's memory in the last third of the time that counts, as a multiple of the first's. */
function growth(rounds: readonly Held[]): number {
  const sizes = rounds.filter((held) => held.atS >= SECONDS * WARM).map((held) => held.rss);
  const third = Math.ceil(sizes.length / 3);
  return median(sizes.slice(-third)) / median(sizes.slice(0, third));
}

async function soak(session: Session, scripts: number): Promise<void> {
  const soaking = new Soak(session);
  const count = isFull ? scripts : FEW;
  if (SECONDS > 0) await session.write("fill\n");
  const first = await soaking.round(count);
  const rounds = [await soaking.round(count, first)];
  while (soaking.seconds < SECONDS) rounds.push(await soaking.round(count, first));
  const what = `seed ${seed}\n${session.stdout}`;
  assert(!/^(differs|stuck)/m.test(session.stdout), what);
  for (const held of rounds) {
    assertEquals([held.guest, held.processes], [first.guest, first.processes], what);
    assert(held.fds <= first.fds, `${held.fds} descriptors, ${first.fds} at first; ${what}`);
    assert(held.files <= FILES_MAX, `${held.files} files are open; ${what}`);
  }
  if (SECONDS > 0) assert(growth(rounds) <= GROWTH, `grew by ${growth(rounds)}; ${what}`);
  console.log(`seed ${seed}, ${rounds.length + 1} rounds`);
}

Deno.test({
  ...named(
    "programs for a long time leave nothing",
    PYTHON === null ? "no python3 on this machine" : null,
  ),
  fn: async () => {
    const wanted = programs().filter((program) =>
      lacks(program.needs) === null && !program.isSlow && !program.isLong && !program.isApart
    );
    const paths = wanted.map((program) => program.path);
    const driver = ["-B", `${ROOT}/tests/real/soak.py`, String(seed)];
    const session = await Session.start([
      ...doCommand(PLATFORM),
      PYTHON ?? "",
      ...driver,
      ...paths,
    ]);
    try {
      await soak(session, paths.length);
    } finally {
      await session.destroy();
    }
  },
});
