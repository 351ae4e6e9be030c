/**
 * Limits of memory: which process is killed at the limit, the events that Docker gets, and what it
 * shows. Not a test.
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { describe, type Finished } from "../../harness/dvisor.ts";
import type { ImageCase, Images } from "../lib/images.ts";
import { until, untilWorks } from "./until.ts";

const NAME = "limited";
const LIMIT = ["--memory", "64m", "--memory-swap", "64m"];
const MIB = 2 ** 20;
/** A program that allocates this many MiB, prints a line, and keeps them. */
const taker = (mib: number) =>
  `perl -e '$|=1; $x = q(x) x ${mib * MIB}; print qq(has\\n); sleep 600'`;
/** Programs that take much more than the limit in one allocation or one call of the kernel. */
const GREEDY: readonly string[] = [
  "dd if=/dev/zero of=/dev/null bs=400M count=1",
  "dd if=/dev/zero of=/dev/null bs=2000M count=1",
  taker(600),
];

const OOM_STATE = "{{.State.OOMKilled}} {{.State.ExitCode}}";
const oomState = (x: Images) => x.docker.must("inspect", "-f", OOM_STATE, NAME);

async function runLimited(x: Images, script: string): Promise<Finished> {
  return await x.docker.run(["run", "--name", NAME, ...LIMIT, x.base, "sh", "-c", script]);
}

interface Stats {
  readonly CPUPerc: string;
  readonly MemUsage: string;
  readonly PIDs: string;
  readonly NetIO: string;
}

async function stats(x: Images): Promise<Stats> {
  return JSON.parse(await x.docker.must("stats", "--no-stream", "--format", "json", NAME));
}

/** Returns the used MiB of a text such as `12.5MiB / 64MiB`. */
function usedMib(of: Stats): number {
  const match = /^([\d.]+)(KiB|MiB|GiB)/.exec(of.MemUsage);
  assert(match !== null, of.MemUsage);
  return Number(match[1]) * { KiB: 1 / 1024, MiB: 1, GiB: 1024 }[match[2] as "KiB" | "MiB" | "GiB"];
}

export const CASES: readonly ImageCase[] = [
  {
    name: "redis over its limit is killed, and Docker reports it",
    run: async (x) => {
      const memory = ["--memory", "128m", "--memory-swap", "128m"];
      await x.docker.must("run", "-d", "--name", NAME, ...memory, await x.of("redis"));
      await untilWorks(x.docker, "exec", NAME, "redis-cli", "ping");
      const fill = (from: number, to: number) =>
        `for i = ${from}, ${to} do redis.call('set', 'k' .. i, string.rep('x', 100000)) end`;
      const within = ["exec", NAME, "redis-cli", "eval", fill(1, 500), "0"];
      await x.docker.must(...within);
      assertEquals(await x.docker.must("exec", NAME, "redis-cli", "dbsize"), "500");
      assertEquals(await x.docker.inspect(NAME, ".State.OOMKilled"), "false");
      await x.docker.run(["exec", NAME, "redis-cli", "eval", fill(501, 3000), "0"]);
      assertEquals(await x.docker.must("wait", NAME), "137");
      assertEquals(await oomState(x), "true 137");
      await x.docker.must("start", NAME);
      await untilWorks(x.docker, "exec", NAME, "redis-cli", "ping");
      assertEquals(await x.docker.inspect(NAME, ".State.OOMKilled"), "false");
    },
  },
  ...GREEDY.map((command): ImageCase => ({
    name: `only the greedy one is killed: ${command.slice(0, 50)}`,
    run: async (x) => {
      const result = await runLimited(x, `${command}; echo child $?; echo container lives`);
      assertStringIncludes(result.stdout, "child 137\ncontainer lives", describe(result));
      assertEquals(await oomState(x), "true 0");
    },
  })),
  {
    name: "four containers share a limit: they are killed one by one until the rest fits",
    run: async (x) => {
      const three = `for i in 1 2 3 4; do ${taker(25)} & done; ` +
        "sleep 5; cat /proc/[0-9]*/comm | grep -c perl; kill %1 %2 %3 %4 2>/dev/null; true";
      const result = await runLimited(x, three);
      assertMatch(result.stdout.trimEnd().split("\n").at(-1)!, /^[12]$/, describe(result));
      assertEquals(await oomState(x), "true 0");
    },
  },
  {
    name: "docker stats counts what a program has and does",
    run: async (x) => {
      await x.docker.must("run", "-d", "--name", NAME, x.base, "sh", "-c", taker(100));
      await until("100 MiB", async () => (await x.docker.must("logs", NAME)) === "has" ? 1 : null);
      const idle = await stats(x);
      assert(usedMib(idle) > 100 && usedMib(idle) < 300, idle.MemUsage);
      assert(parseFloat(idle.CPUPerc) < 20, idle.CPUPerc);
      assert(Number(idle.PIDs) >= 2, idle.PIDs);
      await x.docker.must("exec", "-d", NAME, "sh", "-c", "while :; do :; done");
      const busy = await until("a busy processor", async () => {
        const now = await stats(x);
        return parseFloat(now.CPUPerc) > 10 ? now : null;
      });
      assert(Number(busy.PIDs) >= Number(idle.PIDs), `${busy.PIDs} of ${idle.PIDs}`);
      const top = await x.docker.must("top", NAME);
      assert(top.split("\n").length >= 3, top);
    },
  },
  {
    name: "docker update --memory holds from then on, up and down",
    run: async (x) => {
      await x.docker.must("run", "-d", "--name", NAME, ...LIMIT, x.base, "sleep", "600");
      const take = (mib: number) => {
        const script = `perl -e '$x = q(x) x ${mib * MIB}; print length $x'`;
        return x.docker.run(["exec", NAME, "sh", "-c", script]);
      };
      assertEquals((await take(100)).code, 137);
      await x.docker.must("update", "--memory", "300m", "--memory-swap", "300m", NAME);
      assertEquals((await take(100)).stdout, String(100 * MIB));
      const max = ["exec", NAME, "cat", "/sys/fs/cgroup/memory.max"];
      assertEquals(await x.docker.must(...max), String(300 * MIB));
      await x.docker.must("update", "--memory", "50m", "--memory-swap", "50m", NAME);
      assertEquals((await take(100)).code, 137);
      assertEquals((await take(10)).stdout, String(10 * MIB));
      assertEquals(await x.docker.inspect(NAME, ".State.Running"), "true");
    },
  },
];
