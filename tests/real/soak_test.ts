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
const REST_MS = 60_000;
/** The sandbox is at rest once so many looks, which are 10 ms apart, saw the same. */
const SAME_LOOKS = 100;
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
  readonly fds: readonly string[];
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

/** The target of a descriptor; null where it was closed while we looked. */
function target(path: string): string | null {
  try {
    return Deno.readLinkSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

function openFiles(pid: number): { fds: string[]; files: number } {
  const fds: string[] = [];
  let files = 0;
  for (const { name } of Deno.readDirSync(`/proc/${pid}/fd`)) {
    const path = target(`/proc/${pid}/fd/${name}`);
    if (path === null) continue;
    if (/^\/(?!memfd:|null)/.test(path)) files++;
    else fds.push(`${name} ${path}`);
  }
  return { fds, files };
}

/** Whether a sandbox that holds `held` holds no more than `before`. */
function isLike(held: Held, before: Held): boolean {
  return held.fds.length <= before.fds.length && held.processes <= before.processes;
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
    let held = await this.#atRest(guest, before);
    if (SECONDS > 0) await delay(SETTLE_MS);
    held = { ...held, ...memoryKb(this.#sentry) };
    console.log(JSON.stringify({ ...held, fds: held.fds.length }));
    return held;
  }

  /** What is held once it stays the same, and with `before` is no more; the last look otherwise. */
  async #atRest(guest: string, before?: Held): Promise<Held> {
    let held = this.#held(guest), same = 0;
    await eventually(() => {
      const now = this.#held(guest);
      const isSame = now.processes === held.processes && now.fds.length === held.fds.length;
      same = isSame ? same + 1 : 0;
      held = now;
      return same >= SAME_LOOKS && (before === undefined || isLike(now, before));
    }, REST_MS);
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

/** What a sandbox holds beyond `first`, for a message. */
function more(held: Held, first: Held): string {
  const fresh = held.fds.filter((fd) => !first.fds.includes(fd));
  return `${held.processes} processes, ${first.processes} at first; ` +
    `${held.fds.length} descriptors, ${first.fds.length} at first, new: ${fresh.join(", ")}`;
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
    assertEquals(held.guest, first.guest, what);
    assert(isLike(held, first), `${more(held, first)}; ${what}`);
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
