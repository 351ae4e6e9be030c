/**
 * `deno task bench:sdk [--repeats N]`: the library for scripts beside its peers, all in this run,
 * with its goals: medians. Commands of `runsc exec` and `docker exec` run in containers of busybox;
 * "-" means that the peer is not there. Use it on a machine that does nothing else.
 */

import { parseArgs } from "@std/cli";
import { dirname, fromFileUrl, join } from "@std/path";
import { type Program, Sandbox } from "../../mod.ts";
import { refuseOthers } from "../../tools/options.ts";
import { Dockerd, IMAGE } from "./dockerd.ts";
import { makeRootfs, sh, writeBundle } from "./oci_bundle.ts";
import { median } from "./runners.ts";

const USAGE = "deno task bench:sdk [--repeats N]";
const ROOT = dirname(dirname(dirname(fromFileUrl(import.meta.url))));
const DVISOR = join(ROOT, "dist", "dvisor");
const DEFAULT_REPEATS = 100;
/** Transfers and starts are repeated this many times less often. */
const RARELY = 10;
const KIB = 1024, GIB = 2 ** 30, PARALLEL = 10;
const GIGABYTE = 1e9;

interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What the issue of the library asks for, and whether it is met; null: a peer. */
  readonly goal: { readonly text: string; readonly isMet: boolean } | null;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** The median of several times, ms, after a warm-up. */
async function medianMs(repeats: number, work: () => Promise<unknown>): Promise<number> {
  for (let i = 0; i < Math.min(10, repeats); i++) await work();
  const times: number[] = [];
  for (let i = 0; i < repeats; i++) times.push(await timed(work));
  return median(times);
}

/** A shell that runs one command for each line, and answers. */
class Shell implements AsyncDisposable {
  readonly #program: Program;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;

  private constructor(program: Program) {
    this.#program = program;
    this.#writer = program.stdin.getWriter();
    this.#reader = program.stdout.getReader();
  }

  static async start(box: Sandbox): Promise<Shell> {
    return new Shell(await box.spawn(["/bin/sh"]));
  }

  async run(command: string): Promise<void> {
    await this.#writer.write(new TextEncoder().encode(`${command}; echo\n`));
    await this.#reader.read();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close();
    await this.#program.status;
  }
}

async function rowsOfOneSandbox(repeats: number): Promise<Row[]> {
  await using box = await Sandbox.create({ binary: DVISOR });
  const rows: Row[] = [], data = crypto.getRandomValues(new Uint8Array(KIB));
  const add = (name: string, value: number, text: string, isMet: boolean, unit = "ms") => {
    rows.push({ name, value, unit, goal: text === "" ? null : { text, isMet } });
  };
  let inShell: number;
  {
    await using shell = await Shell.start(box);
    inShell = await medianMs(repeats, () => shell.run("/bin/true"));
  }
  const exec = await medianMs(repeats, () => box.exec(["/bin/true"]));
  add("/bin/true in a running shell", inShell, "", true);
  add('exec(["/bin/true"])', exec, "the shell + 1 ms", exec <= inShell + 1);
  const all = await medianMs(Math.ceil(repeats / RARELY), () => {
    return Promise.all(Array.from({ length: PARALLEL }, () => box.exec(["/bin/true"])));
  });
  add(`${PARALLEL} of them at once`, all, "3 in sequence", all <= 3 * exec);
  const write = await medianMs(repeats, () => box.fs.writeFile("/tmp/bench", data));
  add("writeFile, 1 KiB", write, "0.5 ms", write <= 0.5);
  const read = await medianMs(repeats, () => box.fs.readFile("/tmp/bench"));
  add("readFile, 1 KiB", read, "0.5 ms", read <= 0.5);
  return [...rows, ...await transferRows(box)];
}

/** One gibibyte up and down, from and to files of the host in memory. */
async function transferRows(box: Sandbox): Promise<Row[]> {
  const dir = await Deno.makeTempDir({ dir: "/dev/shm", prefix: "dvisor-bench-" });
  const source = join(dir, "up"), target = join(dir, "down");
  try {
    await sh(`head -c ${GIB} /dev/urandom > ${source}`);
    const up = await timed(() => box.fs.upload(source, "/tmp/large"));
    const down = await timed(() => box.fs.download("/tmp/large", target));
    return [["upload, 1 GiB", up], ["download, 1 GiB", down]].map(([name, ms]) => {
      const value = GIB / GIGABYTE / (Number(ms) / 1000);
      return {
        name: String(name),
        value,
        unit: "GB/s",
        goal: { text: "1 GB/s or more", isMet: value >= 1 },
      };
    });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function command(argv: readonly string[]): Promise<void> {
  const [path = "", ...args] = argv;
  const { code } = await new Deno.Command(path, {
    args,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).output();
  if (code !== 0) throw new Error(`${argv.join(" ")}: exit code ${code}`);
}

async function startRows(repeats: number): Promise<Row[]> {
  const plain = await medianMs(repeats, () => command([DVISOR, "do", "--", "/bin/true"]));
  const library = await medianMs(repeats, async () => {
    await using box = await Sandbox.create({ binary: DVISOR });
    await box.exec(["/bin/true"]);
  });
  return [
    { name: "dvisor do -- /bin/true", value: plain, unit: "ms", goal: null },
    {
      name: "create, first exec, end",
      value: library,
      unit: "ms",
      goal: { text: "1.1 times do", isMet: library <= 1.1 * plain },
    },
  ];
}

/** `exec` of OCI runtimes, each in a container that sleeps. */
async function runtimeRows(repeats: number): Promise<Row[]> {
  const dir = await Deno.makeTempDir({ prefix: "dvisor-bench-" });
  const runsc = ["runsc", "--network=none", "--ignore-cgroups", "--root", join(dir, "runsc")];
  const own = [DVISOR, "--root", join(dir, "dvisor")];
  try {
    const rootfs = join(dir, "rootfs"), bundle = join(dir, "bundle");
    await makeRootfs(rootfs);
    await writeBundle(bundle, rootfs, { args: ["sleep", "1000"], network: null, bind: null });
    const rows = [
      await runtimeRow("dvisor exec", own, bundle, repeats),
      await runtimeRow("runsc exec", runsc, bundle, repeats),
    ];
    return [...rows, await dockerRow(dir, rootfs, repeats)];
  } catch (error) {
    console.error(`peers are left out: ${error instanceof Error ? error.message : error}`);
    return [];
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function runtimeRow(
  name: string,
  runtime: readonly string[],
  bundle: string,
  repeats: number,
): Promise<Row> {
  const id = `bench-${Deno.pid}`, row = { name, unit: "ms", goal: null };
  try {
    await command([...runtime, "run", "--detach", "--bundle", bundle, id]);
  } catch {
    return { ...row, value: NaN };
  }
  try {
    const value = await medianMs(repeats, () => command([...runtime, "exec", id, "/bin/true"]));
    return { ...row, value };
  } finally {
    await command([...runtime, "delete", "--force", id]);
  }
}

async function dockerRow(dir: string, rootfs: string, repeats: number): Promise<Row> {
  const row = { name: "docker exec, runc", unit: "ms", goal: null };
  await using docker = await Dockerd.start(dir, rootfs, []);
  if (docker === null) return { ...row, value: NaN };
  const id = `bench-${Deno.pid}`;
  const options = ["--detach", "--network", "none", "--name", id];
  if (!await docker.docker("run", ...options, IMAGE, "sleep", "1000")) {
    return { ...row, value: NaN };
  }
  try {
    const value = await medianMs(repeats, () => docker.docker("exec", id, "/bin/true"));
    return { ...row, value };
  } finally {
    await docker.docker("rm", "--force", id);
  }
}

function lineOf({ name, value, unit, goal }: Row): string {
  const shown = Number.isNaN(value) ? "-" : value.toFixed(2);
  const verdict = goal === null ? "" : `${goal.text}: ${goal.isMet ? "met" : "MISSED"}`;
  return `${name.padEnd(32)} ${shown.padStart(9)} ${unit.padEnd(5)} ${verdict}`.trimEnd();
}

async function main(): Promise<void> {
  const options = parseArgs(Deno.args, { string: ["repeats"], unknown: refuseOthers(USAGE) });
  const repeats = Number(options.repeats ?? DEFAULT_REPEATS);
  if (!(repeats >= 1)) throw new Error(`--repeats is "${options.repeats}", not a number`);
  const groups = [
    await rowsOfOneSandbox(repeats),
    await startRows(Math.ceil(repeats / RARELY)),
    await runtimeRows(Math.ceil(repeats / RARELY)),
  ];
  for (const row of groups.flat()) console.log(lineOf(row));
}

if (import.meta.main) await main();
