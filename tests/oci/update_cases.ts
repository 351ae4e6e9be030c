/**
 * `update` and `events` of a running container, all on one: each option of runc's. Not a test:
 * limit_test.ts runs them.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, run } from "../harness/dvisor.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { LifecycleCase } from "./lifecycle_cases.ts";
import { groupFile, groupOf } from "./limit_cases.ts";

const MIB = 1 << 20;

export async function makeLimited(t: Lifecycle): Promise<void> {
  t.config.linux["cgroupsPath"] = `/dvisor-test/${t.id}`;
  await t.running("echo up; exec sleep 1000");
  await t.until("up");
}

async function refuses(t: Lifecycle, message: RegExp, ...args: string[]): Promise<void> {
  const result = await t.call(...args, t.id);
  assertEquals(result.code, 1, describe(result));
  assertMatch(result.stderr, message);
}

/** Whether this host's groups have weights of block I/O. */
function hasWeight(t: Lifecycle): boolean {
  const files = [...Deno.readDirSync(groupOf(t, "blkio").dir)].map((entry) => entry.name);
  return files.some((name) => /^(blkio|io)\.(bfq\.)?weight$/.test(name));
}

/** An update by an option, and by the same values as JSON. */
function sets(
  option: string,
  value: string,
  json: object,
  files: readonly [controller: string, v1: string, v2: string],
  expected: RegExp,
  ofRunc: RegExp = expected,
): LifecycleCase[] {
  const look = (t: Lifecycle) =>
    assertMatch(groupFile(t, ...files), t.runtime === "runc" ? ofRunc : expected);
  return [
    {
      name: `update ${option}`,
      async run(t) {
        assertEquals(await t.must("update", option, value, t.id), "");
        look(t);
      },
    },
    {
      name: `update --resources as ${option}`,
      async run(t) {
        Deno.writeTextFileSync(t.file("resources.json"), JSON.stringify(json));
        assertEquals(await t.must("update", "-r", t.file("resources.json"), t.id), "");
        look(t);
      },
    },
  ];
}

const OPTIONS: readonly LifecycleCase[] = [
  ...sets(
    "--cpu-share",
    "512",
    { cpu: { shares: 512 } },
    ["cpu", "cpu.shares", "cpu.weight"],
    /^(512|59)$/,
    // Before 1.3.2 runc converts by a line, by which 1024 shares are a weight of 39.
    /^(512|59|20)$/,
  ),
  ...sets(
    "--cpu-quota",
    "40000",
    { cpu: { quota: 40000 } },
    ["cpu", "cpu.cfs_quota_us", "cpu.max"],
    /^40000/,
  ),
  ...sets("--cpu-period", "50000", { cpu: { period: 50000 } }, [
    "cpu",
    "cpu.cfs_period_us",
    "cpu.max",
  ], /50000$/),
  ...sets(
    "--cpuset-cpus",
    "0",
    { cpu: { cpus: "0" } },
    ["cpuset", "cpuset.cpus", "cpuset.cpus"],
    /^0$/,
  ),
  ...sets(
    "--cpuset-mems",
    "0",
    { cpu: { mems: "0" } },
    ["cpuset", "cpuset.mems", "cpuset.mems"],
    /^0$/,
  ),
  ...sets(
    "--pids-limit",
    "333",
    { pids: { limit: 333 } },
    ["pids", "pids.max", "pids.max"],
    /^333$/,
  ),
  ...sets(
    "--memory-reservation",
    "100m",
    { memory: { reservation: 100 * MIB } },
    ["memory", "memory.soft_limit_in_bytes", "memory.low"],
    /^104857600$/,
  ),
  {
    name: "update --memory and --memory-swap",
    async run(t) {
      await t.must("update", "--memory", "300M", "--memory-swap", "400M", t.id);
      const limit = Number(groupFile(t, "memory", "memory.limit_in_bytes", "memory.max"));
      // The sandbox's own memory is added.
      assert(limit >= 300 * MIB && limit <= 700 * MIB, String(limit));
      await t.must("update", "--memory", "-1", "--memory-swap", "-1", t.id);
      const none = groupFile(t, "memory", "memory.limit_in_bytes", "memory.max");
      assert(none === "max" || Number(none) > 2 ** 40, none);
    },
  },
  {
    name: "update --blkio-weight",
    async run(t) {
      const args = ["update", "--blkio-weight", "300"];
      // A kernel without BFQ has no weights in v1.
      if (hasWeight(t)) assertEquals(await t.must(...args, t.id), "");
      else await refuses(t, /weight.*no such file/i, ...args);
    },
  },
  {
    name: "update of nothing changes nothing",
    async run(t) {
      await t.must("update", "--pids-limit", "444", t.id);
      assertEquals(await t.must("update", t.id), "");
      assertEquals(groupFile(t, "pids", "pids.max", "pids.max"), "444");
    },
  },
  {
    name: "update --resources=- reads stdin, and other options do not count",
    async run(t) {
      const argv = t.argv("update", "--resources=-", "--pids-limit", "1000", t.id);
      const result = await run(argv, { timeoutS: 20, stdin: '{"pids": {"limit": 555}}' });
      assertEquals(result.code, 0, describe(result));
      assertEquals(groupFile(t, "pids", "pids.max", "pids.max"), "555");
    },
  },
  {
    name: "update without a limit of processes",
    async run(t) {
      await t.must("update", "--pids-limit", "-1", t.id);
      assertEquals(groupFile(t, "pids", "pids.max", "pids.max"), "max");
    },
  },
];

const REFUSED: readonly LifecycleCase[] = [
  ...["odd", "1q", "-"].map((text): LifecycleCase => ({
    name: `update --memory ${text} is refused`,
    run: (t) => refuses(t, /memory/, "update", `--memory=${text}`),
  })),
  {
    name: "update of processors that there are not is refused",
    run: (t) => refuses(t, /cpuset/, "update", "--cpuset-cpus", "4000"),
  },
  {
    name: "update of a quota that is too small is refused",
    run: (t) => refuses(t, /quota/, "update", "--cpu-quota", "10"),
  },
  {
    name: "update of a file that there is not is refused",
    run: (t) => refuses(t, /no such file/i, "update", "--resources", "/no/such"),
  },
  ...["", "{", '{"pids": {"limit": "x"}}', '{"memory": 7}'].map((text): LifecycleCase => ({
    name: `update of ${JSON.stringify(text)} is refused`,
    async run(t) {
      Deno.writeTextFileSync(t.file("bad.json"), text);
      await refuses(t, /./, "update", "--resources", t.file("bad.json"));
    },
  })),
  {
    name: "update of cache allocation is refused",
    run: (t) => refuses(t, /l3|not supported|intel/i, "update", "--l3-cache-schema", "L3:0=f"),
  },
];

const EVENTS: readonly LifecycleCase[] = [
  {
    name: "statistics have the members that clients read",
    async run(t) {
      const { data } = JSON.parse(await t.must("events", "--stats", t.id));
      const { cpu, memory, pids, blkio } = data;
      for (const name of ["total", "percpu", "kernel", "user"]) assert(name in cpu.usage, name);
      assert("throttling" in cpu && "raw" in memory && "usage" in memory && "swap" in memory);
      assert(memory.usage.usage > 0 && memory.usage.limit > 0 && pids.current >= 1);
      assertEquals(typeof blkio, "object");
    },
  },
  {
    name: "events come in intervals",
    async run(t) {
      const argv = t.argv("events", "--interval", "100ms", t.id);
      // `events` runs until it is killed.
      const { stdout } = await run(["timeout", "1", ...argv], { timeoutS: 20 });
      const lines = stdout.trim().split("\n").map((line) => JSON.parse(line));
      assert(lines.length >= 2, stdout);
      for (const { type, id } of lines) assertEquals([type, id], ["stats", t.id]);
    },
  },
  ...["0s", "-1s", "odd", "5"].map((text): LifecycleCase => ({
    name: `events in intervals of ${text} are refused`,
    run: (t) => refuses(t, /interval/, "events", `--interval=${text}`),
  })),
];

export const UPDATE_CASES: readonly LifecycleCase[] = [...OPTIONS, ...REFUSED, ...EVENTS];
