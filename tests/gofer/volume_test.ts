/**
 * The seeded exerciser inside a sandbox: on a volume, through our kernel's client and the Gofer,
 * with the host's view of it afterwards; and on the overlay in memory. Neighbour:
 * `linux_client_test.ts` (the same with Linux's client).
 */

import { assertEquals } from "@std/assert";
import { describe, PLATFORM, ROOT, run, runIn } from "../harness/dvisor.ts";
import { isFull, isRoot, named, PYTHON } from "../harness/machine.ts";

const EXERCISER = [PYTHON ?? "", "-S", "-E", "-B", `${ROOT}/tests/gofer/exerciser.py`];
const OPS = isFull ? 5000 : 1000;
const ROUNDS = isFull ? 20 : 2;
const TIMEOUT_S = 120;

const seed = Number(Deno.env.get("DVISOR_SEED") ?? Math.floor(Math.random() * 2 ** 31));
const lacking = !isRoot ? "not root" : PYTHON === null ? "no python3 on this machine" : null;

async function inDirectory(body: (dir: string) => Promise<void>): Promise<void> {
  const dir = Deno.makeTempDirSync({ prefix: "dvisor-test-volume-" });
  try {
    Deno.chmodSync(dir, 0o755); // for the exerciser as another user
    for (const name of ["files", "lists"]) Deno.mkdirSync(`${dir}/${name}`);
    await body(dir);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

/**
 * `peer`: the same directory, mounted once more. DIFFERS: record locks of one mount are not seen in
 * another.
 */
function args(round: number, peer: string, list: string): string[] {
  const entries = isFull ? "10000" : "300";
  const special = round === 0 ? ["--entries", entries, "--peer", peer, "--locks", "0"] : [];
  return ["--seed", String(seed + round), "--ops", String(OPS), ...special, "--manifest", list];
}

Deno.test({
  ...named(
    "a volume, mounted twice, has the state of the exerciser's model, inside and on the host",
    lacking,
  ),
  fn: async () => {
    await inDirectory(async (dir) => {
      for (let round = 0; round < ROUNDS; round++) {
        const places = ["files:/mnt", "files:/media", "lists:/dvisor-lists"];
        const volumes = places.map((place) => `--volume=${dir}/${place}`);
        const command = [...EXERCISER, "/mnt", ...args(round, "/media", "/dvisor-lists/list")];
        const inside = await runIn(PLATFORM, command, { timeoutS: TIMEOUT_S }, volumes);
        assertEquals(inside.code, 0, `seed ${seed + round}: ${describe(inside)}`);
        const check = [...EXERCISER, `${dir}/files`, "--check", `${dir}/lists/list`];
        const outside = await run(check);
        assertEquals(outside.code, 0, `seed ${seed + round}, outside: ${describe(outside)}`);
      }
    });
  },
});

Deno.test({
  ...named("the overlay is what the exerciser's model says, and the host's files stay", lacking),
  fn: async () => {
    await inDirectory(async (dir) => {
      const options = ["--seed", String(seed), "--ops", String(OPS), "--manifest"];
      const first = await run([...EXERCISER, `${dir}/files`, ...options, `${dir}/lists/list`]);
      assertEquals(first.code, 0, `seed ${seed}: ${describe(first)}`);
      // There: removes what the host has, makes something else, and looks at that.
      const command = [...EXERCISER, `${dir}/files`, ...args(1, `${dir}/files`, `${dir}/list`)];
      const inside = await runIn(PLATFORM, command, { timeoutS: TIMEOUT_S });
      assertEquals(inside.code, 0, `seed ${seed + 1}: ${describe(inside)}`);
      const after = await run([...EXERCISER, `${dir}/files`, "--check", `${dir}/lists/list`]);
      assertEquals(after.code, 0, `seed ${seed}, outside: ${describe(after)}`);
    });
  },
});
