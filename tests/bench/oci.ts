/**
 * `deno task bench:oci [--repeats N] [--runtimes A,B] [NAME...]`: one table, runc / runsc / dvisor
 * as OCI runtimes, all in this run: medians over interleaved repeats. Needs root, runc,
 * busybox-static and ip(8); `docker run` also dockerd.
 *
 * Lower is better in every row but those in MiB/s. "-" means that it did not work there.
 */

import { parseArgs } from "@std/cli";
import { dirname, fromFileUrl, join } from "@std/path";
import { refuseOthers } from "../../tools/options.ts";
import { Dockerd } from "./dockerd.ts";
import { treePssKiB } from "./idle_memory.ts";
import {
  GUEST_ADDRESS,
  makeNetwork,
  makeRootfs,
  removeNetwork,
  writeBundle,
} from "./oci_bundle.ts";
import { median } from "./runners.ts";

const ROOT = dirname(dirname(dirname(fromFileUrl(import.meta.url))));
const AT_ONCE = 20, SETTLE_MS = 1500, REQUESTS = 100, BULK_MIB = 64;
/** A file of a bind mount, and how often it is copied in one program. */
const BIND_MIB = 128, COPIES = 4;
const MIB = 1 << 20;

interface Runtime {
  readonly name: string;
  /** Command and options in front of the verb. */
  readonly argv: readonly string[];
}

interface Places {
  readonly dir: string;
  readonly rootfs: string;
  readonly network: string;
}

let lastId = 0;

/** A container of one runtime. */
class Container {
  readonly id = `bench-${Deno.pid}-${++lastId}`;
  readonly #runtime: Runtime;
  readonly #bundle: string;

  constructor(runtime: Runtime, bundle: string) {
    this.#runtime = runtime;
    this.#bundle = bundle;
  }

  async #verb(...args: readonly string[]): Promise<Deno.CommandStatus> {
    const [path = "", ...globals] = this.#runtime.argv;
    const child = new Deno.Command("timeout", {
      args: ["60", path, ...globals, ...args],
      cwd: this.#bundle,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    return await child.status;
  }

  async #must(...args: readonly string[]): Promise<void> {
    const { code } = await this.#verb(...args);
    if (code !== 0) throw new Error(`${this.#runtime.name} ${args[0]}: exit code ${code}`);
  }

  async create(): Promise<void> {
    await this.#must("create", "--bundle", this.#bundle, "--pid-file", this.pidFile, this.id);
  }
  async start(): Promise<void> {
    await this.#must("start", this.id);
  }
  async exec(...argv: readonly string[]): Promise<void> {
    await this.#must("exec", this.id, ...argv);
  }
  async delete(): Promise<void> {
    await this.#verb("delete", "--force", this.id);
  }

  get pidFile(): string {
    return join(this.#bundle, `${this.id}.pid`);
  }
}

type Measure = (runtime: Runtime, places: Places) => Promise<number>;

async function bundleOf(
  places: Places,
  runtime: Runtime,
  args: readonly string[],
  network: boolean,
): Promise<string> {
  const directory = join(places.dir, `${runtime.name}-${args[0]}`);
  const bind = join(places.dir, "bind");
  await Deno.mkdir(bind, { recursive: true });
  const path = network ? `/run/netns/${places.network}` : null;
  await writeBundle(directory, places.rootfs, { args, network: path, bind });
  return directory;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

async function life(runtime: Runtime, bundle: string): Promise<void> {
  const container = new Container(runtime, bundle);
  try {
    await container.create();
    await container.start();
  } finally {
    await container.delete();
  }
}

/** With a container that runs `args`. */
async function beside(
  runtime: Runtime,
  places: Places,
  args: readonly string[],
  network: boolean,
  work: (container: Container) => Promise<number>,
): Promise<number> {
  const container = new Container(runtime, await bundleOf(places, runtime, args, network));
  try {
    await container.create();
    await container.start();
    return await work(container);
  } finally {
    await container.delete();
  }
}

async function get(path: string): Promise<number> {
  const response = await fetch(`http://${GUEST_ADDRESS}/${path}`);
  return (await response.arrayBuffer()).byteLength;
}

async function untilServed(): Promise<void> {
  for (let i = 0; i < 100; i++) {
    try {
      await get("small");
      return;
    } catch {
      await new Promise((done) => setTimeout(done, 50));
    }
  }
  throw new Error("the server does not answer");
}

/**
 * MiB/s of a command that copies a file of the bind mount, by the container's clock: `exec` has a
 * row of its own.
 */
function copyRate(runtime: Runtime, places: Places, copy: string): Promise<number> {
  const commands = Array.from({ length: COPIES }, () => copy).join("; ");
  const script = `start=$EPOCHREALTIME; ${commands}; echo $start $EPOCHREALTIME > /bind/times`;
  return beside(runtime, places, SLEEP, false, async (container) => {
    await container.exec("sh", "-c", script);
    const [start = NaN, end = NaN] = (await Deno.readTextFile(join(places.dir, "bind/times")))
      .split(" ").map(Number);
    return COPIES * BIND_MIB / (end - start);
  });
}

const SLEEP = ["sleep", "1000"], SERVER = ["httpd", "-f", "-p", "80", "-h", "/www"];

const ROWS: readonly (readonly [string, Measure])[] = [
  ["create+start+delete (ms)", async (runtime, places) => {
    const bundle = await bundleOf(places, runtime, ["true"], false);
    return await timed(() => life(runtime, bundle));
  }],
  [`${AT_ONCE} at once (ms)`, async (runtime, places) => {
    const bundle = await bundleOf(places, runtime, ["true"], false);
    return await timed(() =>
      Promise.all(Array.from({ length: AT_ONCE }, () => life(runtime, bundle)))
    );
  }],
  [
    "exec true (ms)",
    (runtime, places) => beside(runtime, places, SLEEP, false, (c) => timed(() => c.exec("true"))),
  ],
  ["idle memory (KiB)", (runtime, places) =>
    beside(runtime, places, SLEEP, false, async (c) => {
      await new Promise((done) => setTimeout(done, SETTLE_MS));
      return treePssKiB(Number(await Deno.readTextFile(c.pidFile)), c.id);
    })],
  ["HTTP request (ms)", (runtime, places) =>
    beside(runtime, places, SERVER, true, async () => {
      await untilServed();
      const ms = await timed(async () => {
        for (let i = 0; i < REQUESTS; i++) await get("small");
      });
      return ms / REQUESTS;
    })],
  ["HTTP bulk (MiB/s)", (runtime, places) =>
    beside(runtime, places, SERVER, true, async () => {
      await untilServed();
      let bytes = 0;
      const ms = await timed(async () => bytes = await get("large"));
      return bytes === BULK_MIB * MIB ? BULK_MIB / ms * 1000 : NaN;
    })],
  ["bind mount write (MiB/s)", (runtime, places) => {
    const copy = `dd if=/dev/zero of=/bind/f bs=1M count=${BIND_MIB}`;
    return copyRate(runtime, places, copy);
  }],
  ["bind mount read (MiB/s)", async (runtime, places) => {
    await Deno.writeFile(join(places.dir, "bind/f"), new Uint8Array(BIND_MIB * MIB));
    return await copyRate(runtime, places, "dd if=/bind/f of=/dev/null bs=1M");
  }],
];

function runtimes(dir: string): Runtime[] {
  const root = (name: string) => ["--root", join(dir, `state-${name}`)];
  return [
    { name: "runc", argv: ["runc", ...root("runc")] },
    {
      name: "runsc",
      argv: ["runsc", "--platform=systrap", "--network=host", "--ignore-cgroups", ...root("runsc")],
    },
    { name: "dvisor", argv: [join(ROOT, "dist/dvisor"), ...root("dvisor")] },
  ];
}

function line(name: string, cells: readonly string[]): string {
  return name.padEnd(28) + cells.map((cell) => cell.padStart(13)).join("");
}

function show(name: string, row: readonly number[], names: readonly string[]): void {
  const cell = (v: number) => Number.isNaN(v) ? "-" : v >= 100 ? v.toFixed(0) : v.toFixed(2);
  const of = (runtime: string) => row[names.indexOf(runtime)] ?? NaN;
  const ratio = (peer: string) => {
    const r = of("dvisor") / of(peer);
    return Number.isNaN(r) ? "-" : r.toFixed(2);
  };
  console.log(line(name, [...row.map(cell), ratio("runsc"), ratio("runc")]));
}

async function measure(work: Measure, runtime: Runtime, places: Places): Promise<number> {
  try {
    return await work(runtime, places);
  } catch (error) {
    console.error(`${runtime.name}: ${error instanceof Error ? error.message : error}`);
    return NaN;
  }
}

const args = parseArgs(Deno.args, {
  string: ["repeats", "runtimes"],
  default: { repeats: "5" },
  unknown: refuseOthers("deno task bench:oci [--repeats N] [--runtimes NAME,...] [NAME...]"),
});
const dir = await Deno.makeTempDir({ prefix: "dvisor-bench-" });
const places = { dir, rootfs: join(dir, "rootfs"), network: `dvb${Deno.pid % 100000}` };
const wanted = args.runtimes?.split(","), names = args._.map(String);
const all = runtimes(dir).filter((r) => wanted === undefined || wanted.includes(r.name));
const heads = all.map((r) => r.name);
const isWanted = (row: string) => names.length === 0 || names.some((n) => row.startsWith(n));
await makeRootfs(places.rootfs);
await makeNetwork(places.network);
try {
  console.log(line(`${args.repeats} repeats`, [...heads, "dvisor/runsc", "dvisor/runc"]));
  const rows: (readonly [string, Measure])[] = [...ROWS];
  await using docker = isWanted("docker run") ? await Dockerd.start(dir, places.rootfs, all) : null;
  if (docker !== null) {
    rows.push(["docker run true (ms)", (runtime) => timed(() => docker.run(runtime.name))]);
  }
  for (const [name, work] of rows) {
    if (!isWanted(name)) continue;
    const values: number[][] = all.map(() => []);
    for (let r = 0; r < Number(args.repeats); r++) {
      for (const [i, runtime] of all.entries()) {
        values[i]!.push(await measure(work, runtime, places));
      }
    }
    show(name, values.map(median), heads);
  }
} finally {
  await removeNetwork(places.network);
  await Deno.remove(dir, { recursive: true });
}
