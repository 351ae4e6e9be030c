/**
 * `deno task bench [--repeats N] [--scale X] [--before BINARY] [--write] [NAME...]`: one table of
 * native, dvisor on systrap, ptrace and kvm, runsc, and another build of dvisor, all in this run:
 * medians over interleaved repeats. Lower is better everywhere; "-" means that it did not work
 * there. `--write` puts the table into docs/performance.md (page.ts): use it on a machine that does
 * nothing else.
 *
 * The programs are in programs.ts. Some are measured again beside two CPU hogs: there getpid, which
 * spins, must not cost more than three times of what a call costs that arrives while the Sentry
 * sleeps.
 */

import { parseArgs } from "@std/cli";
import { dirname, fromFileUrl, join } from "@std/path";
import { refuseOthers } from "../../tools/options.ts";
import { timeStampCounter } from "../../ffi/sys/clock.ts";
import { idleMemoryKiB } from "./idle_memory.ts";
import type { BenchProgram } from "./assembled.ts";
import { benchPrograms, SLEEPING } from "./programs.ts";
import { serverBenchmarks } from "./servers.ts";
import { transferPrograms } from "./transfers.ts";
import { cell, type MeasuredRow, ratio, writePage } from "./page.ts";
import { median, run, type Runner, runners } from "./runners.ts";

const ROOT = dirname(dirname(dirname(fromFileUrl(import.meta.url))));

interface Benchmark {
  readonly name: string;
  readonly unit: string;
  measure(runner: Runner): Promise<number>;
}

/** Microseconds an operation. */
function micro(program: BenchProgram, path: string, ticksPerUs: number): Benchmark {
  return {
    name: program.name,
    unit: "us",
    async measure(runner) {
      const { code, stdout } = await run(runner, [path]);
      if (code !== 0 || stdout.length !== 8) return NaN;
      const result = new DataView(stdout.buffer).getBigUint64(0, true);
      const perUs = program.unit === "ticks" ? ticksPerUs : 1000;
      return Number(result) / program.count / perUs;
    },
  };
}

/** Milliseconds of a command measured from outside, the sandbox's start included. */
function whole(name: string, command: readonly string[]): Benchmark {
  return {
    name,
    unit: "ms",
    async measure(runner) {
      const { code, ms } = await run(runner, command);
      return code === 0 ? ms : NaN;
    },
  };
}

/** Milliseconds of `times` runs of a shell command inside one sandbox, divided. */
function inside(name: string, command: string, times: number): Benchmark {
  const script = `s=\${EPOCHREALTIME/./}; for i in $(seq ${times}); do ${command}; done ` +
    `>/dev/null 2>&1 || exit 1; echo $(( \${EPOCHREALTIME/./} - s ))`;
  return {
    name,
    unit: "ms",
    async measure(runner) {
      const { code, stdout } = await run(runner, ["bash", "-c", script]);
      const us = Number(new TextDecoder().decode(stdout).trim());
      return code === 0 && us > 0 ? us / times / 1000 : NaN;
    },
  };
}

async function benchmarks(dir: string, scale: number): Promise<Benchmark[]> {
  const list: Benchmark[] = [];
  const rate = await ticksPerUs();
  for (const program of [...benchPrograms(scale, rate), ...transferPrograms(scale)]) {
    const path = join(dir, program.name.replaceAll(/\W+/g, "_"));
    await Deno.writeFile(path, program.image, { mode: 0o755 });
    list.push(micro(program, path, rate));
  }
  list.push(whole("do true", ["/bin/true"]));
  list.push({ name: "idle memory", unit: "KiB", measure: idleMemoryKiB });
  list.push(inside("find /usr", "find /usr -xdev", 1));
  const git = `git -c safe.directory='*' -C ${ROOT} --no-optional-locks status --porcelain`;
  list.push(inside("git status", git, 3));
  list.push(inside("python3 start", "python3 -c pass", 3));
  list.push(...serverBenchmarks());
  return list;
}

/** Rate of the time stamp counter. */
async function ticksPerUs(): Promise<number> {
  const startTicks = timeStampCounter(), startMs = performance.now();
  await new Promise((done) => setTimeout(done, 50));
  const ticks = timeStampCounter() - startTicks;
  return Math.round(ticks / (performance.now() - startMs) / 1000);
}

function hogs(count: number): Deno.ChildProcess[] {
  return Array.from(
    { length: count },
    () => new Deno.Command("sh", { args: ["-c", "while :; do :; done"] }).spawn(),
  );
}

async function measureAll(
  list: readonly Benchmark[],
  systems: readonly Runner[],
  repeats: number,
): Promise<MeasuredRow[]> {
  const rows: MeasuredRow[] = [];
  for (const b of list) {
    const values: number[][] = systems.map(() => []);
    for (let r = 0; r < repeats; r++) {
      for (const [i, s] of systems.entries()) values[i]!.push(await b.measure(s));
    }
    const row = values.map(median);
    rows.push({ name: b.name, unit: b.unit, values: row });
    console.log(line(`${b.name} (${b.unit})`, row.map(cell).concat(ratios(row, systems))));
  }
  return rows;
}

/** systrap against native, against runsc and against the build before, kvm against systrap. */
function ratios(row: readonly number[], systems: readonly Runner[]): string[] {
  const of = (name: string) => row[systems.findIndex((s) => s.name === name)] ?? NaN;
  return [
    ratio(of("systrap"), of("native")),
    ratio(of("systrap"), of("runsc")),
    ratio(of("kvm"), of("systrap")),
    ratio(of("systrap"), of("before")),
  ];
}

function line(name: string, cells: readonly string[]): string {
  return name.padEnd(26) + cells.map((c) => c.padStart(15)).join("");
}

const args = parseArgs(Deno.args, {
  string: ["repeats", "scale", "systems", "before"],
  boolean: ["write"],
  default: { repeats: "5", scale: "1" },
  unknown: refuseOthers(
    "deno task bench [--repeats N] [--scale X] [--systems NAME,...] [--before BINARY] " +
      "[--write] [NAME...]",
  ),
});
const isPart = args._.length > 0 || args.systems !== undefined ||
  args.before !== undefined || args.scale !== "1";
if (args.write && isPart) {
  console.error("--write takes the whole table: no NAME, --systems, --before or --scale");
  Deno.exit(2);
}
const dir = await Deno.makeTempDir({ prefix: "dvisor-bench-" });
// The guest sees what others may read.
await Deno.chmod(dir, 0o755);
try {
  const wanted = args.systems?.split(",");
  const systems = runners(ROOT, join(dir, "runsc-state"), args.before)
    .filter((s) => wanted === undefined || wanted.includes(s.name));
  const names = args._.map(String);
  const all = (await benchmarks(dir, Number(args.scale)))
    .filter((b) => names.length === 0 || names.some((n) => b.name.startsWith(n)));
  if (all.length === 0) throw new Error(`no measurement begins with ${names.join(" or ")}`);
  const heads = [
    ...systems.map((s) => s.name),
    "systrap/native",
    "systrap/runsc",
    "kvm/systrap",
    "systrap/before",
  ];
  console.log(line(`${args.repeats} repeats`, heads));
  const rows = await measureAll(all, systems, Number(args.repeats));
  const beside = all.filter((b) => ["getpid", SLEEPING, "pipe ping-pong"].includes(b.name));
  const children = beside.length > 0 ? hogs(2) : [];
  try {
    const busy = beside.map((b) => ({ ...b, name: `${b.name}, 2 hogs` }));
    rows.push(...await measureAll(busy, systems, Number(args.repeats)));
  } finally {
    for (const c of children) c.kill("SIGKILL");
    await Promise.all(children.map((c) => c.status));
  }
  if (args.write) {
    await writePage({
      date: new Date().toISOString().slice(0, 10),
      host: `${navigator.hardwareConcurrency} processors, Linux ${Deno.osRelease()}`,
      repeats: Number(args.repeats),
      systems: systems.map((s) => s.name),
      rows,
    });
  }
} finally {
  await Deno.remove(dir, { recursive: true });
}
