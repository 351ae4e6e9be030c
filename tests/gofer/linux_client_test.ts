/**
 * Linux's own 9p client, a Debian kernel in qemu, mounts `dvisor-gofer --listen` and runs the
 * seeded exerciser on it; then the host looks at the directory. Neighbours: `exerciser.py` and
 * `model.py` (the calls, and how they must end), `linux_machine.ts` (the machine). The exerciser
 * itself is tried on the host's own file system first.
 *
 * With a cache in between, what a client shows meanwhile is its own business (6.12's shows old
 * bytes behind a grown file's former end, with other servers too): there the exerciser looks at
 * results only, and at the content through a fresh mount.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { describe, ROOT, run } from "../harness/dvisor.ts";
import { isFull, isRoot, named, PYTHON } from "../harness/machine.ts";
import { eventually } from "../harness/processes.ts";
import { findKernel } from "./linux_kernel.ts";
import { HOST, LinuxMachine } from "./linux_machine.ts";

const HERE = `${ROOT}/tests/gofer`;
const SCRIPTS = ["exerciser", "special", "model"];
const PYTHON_OPTIONS = ["-S", "-E", "-B"];

/**
 * LIMIT: seconds the machine may take. It is done in 100 to 120, but each call waits for three
 * processes' turns.
 */
const TIMEOUT_S = 1200;
/** Rounds with other seeds, message sizes and access modes; more of them while there is time. */
const ROUNDS_MIN = 5, ROUNDS_MAX = 20;
/** From the start of the machine; its own clock may be slow. */
const ROUNDS_UNTIL_MS = 100_000;
const OPS = 100;
const ENTRIES = 60;
/** Made by the host, listed by the client. */
const MANY_ENTRIES = 10_000;

/**
 * Not a new one each time: now and then the client's own caches would be to blame, which takes a
 * person to see.
 */
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
      // The check fails on a file that the exerciser did not make.
      Deno.writeTextFileSync(`${dir}/root/stranger`, "");
      const noticed = await run(exerciser(`${dir}/root`, "--check", `${dir}/manifest`));
      assertEquals(noticed.code, 1);
      assertStringIncludes(noticed.stdout, "stranger");
    });
  },
});

/** Holds files open and locks in the directory that is its argument, until its machine goes. */
const HOLDER = `import fcntl, os, sys, time
files = [open("%s/held%d" % (sys.argv[1], i), "w") for i in range(20)]
fcntl.flock(files[0], fcntl.LOCK_EX)
fcntl.lockf(files[1], fcntl.LOCK_EX)
for f in files[2:]: os.unlink(f.name)
print("holding", flush=True)
time.sleep(10000)`;
/** Whether it may have a lock of the file that is its argument. */
const LOCKER = `import fcntl, sys
fcntl.lockf(open(sys.argv[1], "r+"), fcntl.LOCK_EX | fcntl.LOCK_NB)`;

/**
 * What the machine runs: rounds of the exerciser without and with caches, two clients at once, and
 * last one that holds files. Times are whole seconds: the client's file system has no finer ones.
 */
function script(port: number): string {
  const options = `trans=tcp,port=${port},version=9p2000.L`;
  return `
mnt() { mount -t 9p -o ${options},aname=$4,msize=$3,cache=$2,$5 ${HOST} $1 || echo FAIL mount; }
ex() { python3 ${PYTHON_OPTIONS.join(" ")} /test/exerciser.py "$@" || echo FAIL; }
pick() { shift $(($1 % ($# - 1) + 1)); echo $1; }
common="--ops ${OPS} --time-unit 1000000000 --maps 0"
mkdir -p /a /b /lists
mnt /lists none 8192 1 access=client
python3 -c 'import os; print("many", len(os.listdir("/lists/many")))'

mnt /a none 131072 0 posixacl; mnt /b none 8192 0 access=client
mkdir /a/none /a/cached /a/one /a/two
ex /a/none $common --ops 0 --direct 1 --entries ${ENTRIES} --peer /b/none --acls 1
ex /a/one $common --direct 1 --seed ${seed + 50} --manifest /lists/one &
ex /b/two $common --seed ${seed + 51} --manifest /lists/two
wait
ex /b/one --check /lists/one; ex /a/two --check /lists/two
umount /a /b

i=0
while [ $i -lt ${ROUNDS_MIN} ] || [ $i -lt ${ROUNDS_MAX} -a ! -e /lists/stop ]; do
  msize=$(pick $i 8192 131072 524288); access=$(pick $i access=user posixacl access=any)
  echo "round $i, msize $msize, $access"
  mnt /a none $msize 0 $access
  ex /a/none $common --direct 1 --seed $((${seed} + i)) --manifest /lists/none
  ex /a/none --check /lists/none
  umount /a
  cache=$(pick $i loose mmap); msize=$(pick $i 524288 65536 8192)
  mnt /a $cache $msize 0 access=client
  ex /a/cached $common --plain 1 --blind 1 --seed $((${seed} + 100 + i)) --manifest /lists/$cache
  umount /a
  mnt /a none 65536 0 access=client; ex /a/cached --check /lists/$cache; umount /a
  cp /lists/$cache /lists/cached
  i=$((i + 1))
done
echo "rounds $i"
mnt /a none 65536 0 access=client
exec python3 -c '${HOLDER}' /a
`;
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
        const options = { kernel, folder: HERE, scripts: SCRIPTS, script: script(port) };
        await using machine = await LinuxMachine.start({ ...options, timeoutS: TIMEOUT_S });
        const enough = setTimeout(() => {
          Deno.writeTextFileSync(`${dir}/lists/stop`, "");
        }, ROUNDS_UNTIL_MS);
        const isHolding = await machine.says("holding");
        clearTimeout(enough);
        const { said } = machine;
        const tail = `seed ${seed}:\n${said.slice(-4000)}`;
        assert(isHolding, tail);
        assert(!/^FAIL|Traceback/m.test(said), tail);
        assertStringIncludes(said, `many ${MANY_ENTRIES}`, tail);
        assertStringIncludes(said, "ok locks", tail);
        const rounds = Number(/^rounds (\d+)$/m.exec(said)?.[1]);
        assertEquals(said.match(/^done$/mg)?.length, 5 + 4 * rounds, tail);
        for (const name of ["none", "cached", "one", "two"]) {
          const list = `${dir}/lists/${name}`;
          const checked = await run(exerciser(`${dir}/root/${name}`, "--check", list));
          assertEquals(checked.code, 0, `as the host sees ${name}, ${tail} ${describe(checked)}`);
        }
        // A client that vanishes leaves nothing.
        const lock = () => run([PYTHON ?? "", "-c", LOCKER, `${dir}/root/held1`]);
        assertStringIncludes((await lock()).stderr, "BlockingIOError");
        assert(openFiles(server.pid) > before + 20);
        await machine.kill();
        assert(
          await eventually(() => openFiles(server.pid) === before, 10_000),
          "descriptors left",
        );
        assertEquals((await lock()).code, 0, "a lock is left");
        console.log(`seed ${seed}, ${rounds} rounds`);
      } finally {
        server.kill("SIGTERM");
        assertEquals((await server.status).code, 0);
        await server.stderr.cancel();
      }
    });
  },
});
