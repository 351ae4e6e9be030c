/**
 * Linux's own 9p client, a Debian kernel in qemu, mounts `dvisor-gofer --listen` and runs the seeded exerciser on it; then
 * the host looks at the directory. Neighbours: `exerciser.py` and `model.py` (the calls, and how they must end),
 * `linux_machine.ts` (the machine). The exerciser itself is tried on the host's own file system first.
 *
 * With a cache in between, what a client shows meanwhile is its own business (6.12's shows old bytes behind a grown file's
 * former end, with other servers too): there the exerciser looks at results only, and at the content through a fresh mount.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { describe, ROOT, run } from "../harness/dvisor.ts";
import { isFull, isRoot, named, PYTHON } from "../harness/machine.ts";
import { findKernel, runLinux } from "./linux_machine.ts";

const HERE = `${ROOT}/tests/gofer`;
const SCRIPTS = ["exerciser", "special", "model"];
const PYTHON_OPTIONS = ["-S", "-E", "-B"];

/** LIMIT: seconds the machine may take; it needs 5 to start, and is slow where others work too. */
const TIMEOUT_S = isFull ? 3600 : 480;
const OPS = isFull ? 3000 : 200;
const ROUNDS = isFull ? 8 : 1;
const ENTRIES = isFull ? 1000 : 60;
/** Made by the host, listed by the client. */
const MANY_ENTRIES = 10_000;

/** Not a new one each time: now and then the client's own caches would be to blame, which takes a person to see. */
const seed = Number(Deno.env.get("DVISOR_SEED") ?? 20261125);

const kernel = !isFull
  ? "slow without KVM; runs in test:full"
  : isRoot
  ? await findKernel()
  : "not root";
const noKernel = typeof kernel === "string" ? kernel : null;
const noPython = !isRoot ? "not root" : PYTHON === null ? "no python3 on this machine" : null;

/** A command line of the exerciser. */
function exerciser(...args: readonly (string | number)[]): string[] {
  const words = [...PYTHON_OPTIONS, `${HERE}/exerciser.py`, ...args.map(String)];
  return [PYTHON ?? "", ...words];
}

async function inDirectory(body: (dir: string) => Promise<void>): Promise<void> {
  const dir = Deno.makeTempDirSync({ prefix: "dvisor-test-exerciser-" });
  try {
    Deno.chmodSync(dir, 0o755); // for the exerciser as another user
    Deno.mkdirSync(`${dir}/root`);
    await body(dir);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

Deno.test({
  ...named("the exerciser and its model agree with the host's own file system", noPython),
  fn: async () => {
    await inDirectory(async (dir) => {
      const args = ["--seed", seed, "--ops", 2000, "--entries", ENTRIES, "--peer", `${dir}/root`];
      const made = await run(exerciser(`${dir}/root`, ...args, "--manifest", `${dir}/manifest`));
      assertEquals(made.code, 0, `seed ${seed}: ${describe(made)}`);
      const checked = await run(exerciser(`${dir}/root`, "--check", `${dir}/manifest`));
      assertEquals(checked.code, 0, `seed ${seed}: ${describe(checked)}`);
      // and it notices
      Deno.writeTextFileSync(`${dir}/root/stranger`, "");
      const noticed = await run(exerciser(`${dir}/root`, "--check", `${dir}/manifest`));
      assertEquals(noticed.code, 1);
      assertStringIncludes(noticed.stdout, "stranger");
    });
  },
});

/** What the machine runs: rounds of the exerciser without and with caches, each over another msize. */
function script(port: number): string {
  const options = `trans=tcp,port=${port},version=9p2000.L`;
  const lines = [
    `mnt() { mount -t 9p -o ${options},aname=$4,msize=$3,cache=$2 10.0.2.2 $1 || echo FAIL mount; }`,
    `ex() { python3 ${PYTHON_OPTIONS.join(" ")} /test/exerciser.py "$@" || echo FAIL; }`,
    `mkdir -p /a /b /lists`,
    `mnt /lists none 8192 1`,
    `mnt /a none 131072 0; mnt /b none 8192 0`,
    `if [ $(ls /lists/many | wc -l) = ${MANY_ENTRIES} ]; then echo many ok; else echo FAIL many; fi`,
  ];
  // Times are whole seconds: the client's file system has no finer ones.
  const common = `--ops ${OPS} --time-unit 1000000000`;
  const uncached = `${common} --maps 0 --direct 1`;
  for (let i = 0; i < ROUNDS; i++) {
    const special = i === 0 ? `--entries ${ENTRIES} --peer /b` : "";
    const list = `/lists/none${i}`;
    lines.push(`ex /a --seed ${seed + i} ${uncached} ${special} --manifest ${list}`);
    lines.push(`ex /a --check ${list}`, `umount /a`);
    for (const [at, cache] of ["loose", "mmap"].entries()) {
      const name = `/lists/${cache}${i}`;
      const mode = `${common} --plain 1 --blind 1 --maps 0 --manifest ${name}`;
      lines.push(`mnt /a ${cache} ${[65536, 1048576][(i + at) % 2]} 0`);
      lines.push(`ex /a --seed ${seed + 100 + 2 * i + at} ${mode}`);
      lines.push(`umount /a; mnt /a none 8192 0; ex /a --check ${name}; umount /a`);
    }
    lines.push(`mnt /a none ${[8192, 16384, 262144][i % 3]} 0`);
  }
  const last = `ex /a --seed ${
    seed + 99
  } ${uncached} --manifest /lists/last; ex /a --check /lists/last`;
  return [...lines, last, ""].join("\n");
}

/** A port that was free just now. */
function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

/** Starts the server, as `deno task run` would if it were the Gofer; waits until it serves. */
async function serve(port: number, roots: readonly string[]): Promise<Deno.ChildProcess> {
  const args = ["run", "-A", "--no-check", `${ROOT}/gofer/main.ts`];
  args.push("--require-confinement", "--listen", `tcp:127.0.0.1:${port}`);
  for (const root of roots) args.push("--root", root);
  const child = new Deno.Command(Deno.execPath(), {
    args,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const reader = child.stderr.getReader();
  const line = new TextDecoder().decode((await reader.read()).value);
  reader.releaseLock();
  assertStringIncludes(line, "dvisor-gofer: serving");
  return child;
}

/** Descriptors that a process has open. */
function openFiles(pid: number): number {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
}

Deno.test({
  ...named("Linux's 9p client passes a seeded exerciser on our server", noKernel ?? noPython),
  fn: async () => {
    if (typeof kernel === "string") return;
    await inDirectory(async (dir) => {
      Deno.mkdirSync(`${dir}/lists/many`, { recursive: true });
      for (let i = 0; i < MANY_ENTRIES; i++) {
        Deno.writeTextFileSync(`${dir}/lists/many/entry ${i}`, "");
      }
      const port = freePort();
      const server = await serve(port, [`${dir}/root`, `${dir}/lists`]);
      try {
        const before = openFiles(server.pid);
        const said = await runLinux(kernel, HERE, SCRIPTS, script(port), TIMEOUT_S);
        const tail = `seed ${seed}:\n${said.slice(-4000)}`;
        assertStringIncludes(said, "script-ended", tail);
        assert(!/^FAIL|Traceback/m.test(said), tail);
        assertStringIncludes(said, "many ok", tail);
        assertStringIncludes(said, "ok locks", tail);
        assertEquals(said.match(/^done$/mg)?.length, 2 + 6 * ROUNDS, tail);
        const checked = await run(exerciser(`${dir}/root`, "--check", `${dir}/lists/last`));
        assertEquals(checked.code, 0, `as the host sees it, ${tail} ${describe(checked)}`);
        await new Promise((resolve) => setTimeout(resolve, 200));
        assertEquals(openFiles(server.pid), before, "descriptors of the server");
      } finally {
        server.kill("SIGTERM");
        assertEquals((await server.status).code, 0);
        await server.stderr.cancel();
      }
    });
  },
});
