/**
 * postgres in a container with a volume: killed while it writes, stopped, restarted; nothing
 * committed is lost. Not a test.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe } from "../../harness/dvisor.ts";
import type { ImageCase, Images } from "../lib/images.ts";
import { untilWorks } from "./until.ts";

const DB = "db";
/** Each case has its own. */
let volume = "";
const ROUNDS = 4;
/** Commits row after row, and prints each number when its commit has returned. */
const COMMITS =
  "begin; insert into t values (%d, repeat(chr(120), 500)); insert into u values (%d); " +
  "commit;\\n\\\\echo done %d\\n";
const WRITER = `i=$1; while :; do i=$((i + 1)); printf '${COMMITS}' $i $i $i; done | ` +
  "psql -qAt -U postgres";

async function ready(x: Images): Promise<void> {
  await untilWorks(
    x.docker,
    "exec",
    DB,
    "psql",
    "-U",
    "postgres",
    "-h",
    "127.0.0.1",
    "-c",
    "select 1",
  );
}

async function start(x: Images, ...options: readonly string[]): Promise<void> {
  const image = await x.of("postgres");
  await x.docker.must(
    "run",
    "-d",
    "--name",
    DB,
    "-v",
    `${volume}:/var/lib/postgresql/data`,
    ...options,
    image,
  );
  await ready(x);
}

async function sql(x: Images, text: string): Promise<string> {
  return await x.docker.must("exec", DB, "psql", "-qAt", "-U", "postgres", "-c", text);
}

/** Writes until the container is killed; gives the last number whose commit was acknowledged. */
async function writeUntilKilled(x: Images, from: number, afterMs: number): Promise<number> {
  const writer = ["exec", DB, "sh", "-c", WRITER, "sh", String(from)];
  const writing = x.docker.run(writer);
  await new Promise((done) => setTimeout(done, afterMs));
  await x.docker.must("kill", DB);
  const result = await writing;
  const last = result.stdout.trimEnd().split("\n").at(-1) ?? "";
  const match = /^done (\d+)$/.exec(last);
  assert(match !== null, describe(result));
  return Number(match[1]);
}

/** A case with a volume, which is removed afterwards. */
function withVolume(name: string, body: (x: Images) => Promise<void>): ImageCase {
  return {
    name,
    run: async (x) => {
      volume = `data-${crypto.randomUUID().slice(0, 8)}`;
      try {
        await body(x);
      } finally {
        await x.docker.clear();
        await x.docker.run(["volume", "rm", volume]);
      }
    },
  };
}

export const CASES: readonly ImageCase[] = [
  withVolume("postgres is killed while it writes, and nothing committed is lost", async (x) => {
    await start(x);
    await sql(x, "create table t (n int primary key, pad text); create table u (n int)");
    let last = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const acknowledged = await writeUntilKilled(x, last, 1500 + 700 * round);
      assertEquals(await x.docker.inspect(DB, ".State.ExitCode"), "137");
      await x.docker.must("start", DB);
      await ready(x);
      // One more may have been committed than was acknowledged.
      const [t, u, sum] = (await sql(x, "select count(*), (select count(*) from u), max(n) from t"))
        .split("|").map(Number);
      assertEquals(t, u, "half a transaction");
      assertEquals(t, sum, "a hole");
      assert(
        t === acknowledged || t === acknowledged + 1,
        `${acknowledged} acknowledged, ${t} there`,
      );
      last = t!;
    }
    assertMatch(
      (await x.docker.run(["logs", DB])).stderr,
      /database system was not properly shut down/,
    );
    await sql(x, "reindex table t");
  }),
  withVolume(
    "postgres stops, starts and restarts in order; a second container takes its volume over",
    async (x) => {
      await start(x, "--shm-size", "256m");
      await sql(x, "create table t as select generate_series(1, 50000) as n; checkpoint");
      await x.docker.must("stop", "-t", "30", DB);
      assertEquals(await x.docker.inspect(DB, ".State.ExitCode"), "0");
      await x.docker.must("start", DB);
      await ready(x);
      await x.docker.must("restart", "-t", "30", DB);
      await ready(x);
      assertEquals(await sql(x, "select count(*), sum(n) from t"), "50000|1250025000");
      await x.docker.must("stop", "-t", "30", DB);
      await x.docker.must("rm", DB);
      await start(x);
      assertEquals(await sql(x, "select count(*), sum(n) from t"), "50000|1250025000");
    },
  ),
  withVolume("pgbench, also with parallel plans over shared memory", async (x) => {
    await start(x);
    await x.docker.must(
      "exec",
      DB,
      "pgbench",
      "-U",
      "postgres",
      "-i",
      "-s",
      "2",
      "-q",
      "postgres",
    );
    const bench = ["exec", DB, "pgbench", "-U", "postgres", "-c", "4", "-j", "2", "-T", "5"];
    const result = await x.docker.must(...bench, "postgres");
    assertMatch(result, /number of failed transactions: 0/);
    assertEquals(
      await sql(
        x,
        "select sum(abalance) = (select sum(delta) from pgbench_history) from pgbench_accounts",
      ),
      "t",
    );
    const force = "set parallel_setup_cost = 0; set parallel_tuple_cost = 0; " +
      "set min_parallel_table_scan_size = 0; set max_parallel_workers_per_gather = 2; ";
    const plan = await sql(x, `${force} explain select count(*) from pgbench_accounts`);
    assertMatch(plan, /Workers Planned: [12]/);
    assertEquals(await sql(x, `${force} select count(*) from pgbench_accounts`), "200000");
  }),
];
