/**
 * What each verb does with a container that is created, running, paused or stopped. Cases hold with
 * runc too, unless they say otherwise; those of one list share a container. Not a test:
 * status_test.ts runs them.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe } from "../harness/dvisor.ts";
import { alive } from "../harness/processes.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { LifecycleCase } from "./lifecycle_cases.ts";

const WAIT = "echo up; exec sleep 1000";

async function refuses(t: Lifecycle, message: RegExp, ...args: string[]): Promise<void> {
  const result = await t.call(...args);
  assertEquals(result.code, args[0] === "exec" ? 255 : 1, describe(result));
  assertMatch(result.stderr, message);
}

async function listed(t: Lifecycle): Promise<Record<string, unknown>> {
  const entries = JSON.parse(await t.must("list", "--format", "json"));
  assertEquals(entries.length, 1);
  return entries[0];
}

async function hostPids(t: Lifecycle): Promise<number[]> {
  return JSON.parse(await t.must("ps", "--format", "json", t.id)) ?? [];
}

/** Cases for a container in any status, which stays as it is. */
const EVERYWHERE: readonly LifecycleCase[] = [
  {
    name: "its id is taken",
    async run(t) {
      for (const verb of ["create", "run"]) {
        await refuses(t, /exists/, verb, "--bundle", t.bundle.dir, t.id);
      }
    },
  },
  {
    name: "list shows what state says",
    async run(t) {
      // runc's state does not know the owner.
      const { owner, ...entry } = await listed(t);
      const { owner: _, ...state } = await t.state();
      assertEquals([entry, owner], [state, "root"]);
      const [head = "", row = ""] = (await t.must("list")).trim().split("\n");
      assertEquals(head.split(/\s+/), ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]);
      const [id, ...columns] = row.split(/\s+/);
      assertEquals([id, columns[0], columns[1]], [t.id, String(state["pid"]), state["status"]]);
      assertEquals(columns.slice(2, 3).concat(columns.slice(4)), [t.bundle.dir, owner]);
    },
  },
  {
    name: "ps has two formats",
    run: (t) => refuses(t, /format/, "ps", "--format", "xml", t.id),
  },
];

const ALIVE: readonly LifecycleCase[] = [
  ...EVERYWHERE,
  {
    name: "ps has its process on the host",
    async run(t) {
      assertEquals(await hostPids(t), [t.pid]);
      assertEquals(alive([t.pid]), [t.pid]);
    },
  },
  {
    name: "ps has a table",
    async run(t) {
      const [head = "", ...rows] = (await t.must("ps", t.id)).trim().split("\n");
      assertMatch(head, /^UID +PID +PPID /);
      assertEquals(rows.length, 1);
    },
  },
  {
    name: "signal 0 looks whether it is there",
    run: async (t) => assertEquals(await t.must("kill", t.id, "0"), ""),
  },
  ...["NOPE", "SIG", "65", "999", "-1", "9x"].map((signal): LifecycleCase => ({
    name: `${signal} is no signal`,
    run: (t) => refuses(t, /signal/, "kill", t.id, signal),
  })),
  {
    name: "its limits can be changed",
    run: async (t) => assertEquals(await t.must("update", "--pids-limit", "500", t.id), ""),
  },
  {
    name: "it has statistics",
    async run(t) {
      const { type, id, data } = JSON.parse(await t.must("events", "--stats", t.id));
      assertEquals([type, id], ["stats", t.id]);
      for (const part of ["cpu", "memory", "pids", "blkio"]) assert(part in data, part);
      assert(data.cpu.usage.total > 0 && data.memory.usage.usage > 0);
    },
  },
];

const NOT_STOPPED = /is not stopped/;

export const CREATED_CASES: readonly LifecycleCase[] = [
  ...ALIVE,
  {
    name: "state has the members of the specification",
    async run(t) {
      const state = await t.state();
      assertEquals([state["id"], state["status"], state["pid"]], [t.id, "created", t.pid]);
      assertEquals([state["bundle"], state["rootfs"]], [t.bundle.dir, t.bundle.root]);
      assertEquals(state["annotations"], { "org.example.a": "1" });
      assertMatch(String(state["ociVersion"]), /^1\.\d+\.\d+/);
    },
  },
  {
    name: "state says when it was made",
    async run(t) {
      const { created } = await t.state();
      const ms = Date.now() - Date.parse(String(created));
      assert(ms >= 0 && ms < 300_000, String(created));
    },
  },
  { name: "it has not run", run: (t) => Promise.resolve(assertEquals(t.text("out"), "")) },
  {
    name: "its process is in namespaces of its own",
    run(t) {
      for (const name of ["pid", "net", "ipc", "uts", "mnt"]) {
        const inode = (pid: number) => Deno.statSync(`/proc/${pid}/ns/${name}`).ino;
        assert(inode(t.pid) !== inode(Deno.pid), name);
      }
      return Promise.resolve();
    },
  },
  {
    name: "a process can be executed in it",
    run: async (t) => assertEquals(await t.must("exec", t.id, "hostname"), "box\n"),
  },
  { name: "it cannot be resumed", run: (t) => refuses(t, /not paused/, "resume", t.id) },
  {
    name: "it can be paused, cannot be started then, and is created again after resume",
    async run(t) {
      await t.must("pause", t.id);
      assertEquals(await t.status(), "paused");
      await refuses(t, /paused/, "start", t.id);
      await t.must("resume", t.id);
      assertEquals(await t.status(), "created");
    },
  },
];

export const RUNNING_CASES: readonly LifecycleCase[] = [
  ...ALIVE,
  {
    name: "state says running",
    async run(t) {
      const { status, pid } = await t.state();
      assertEquals([status, pid], ["running", t.pid]);
    },
  },
  { name: "it is not started again", run: (t) => refuses(t, /already running/, "start", t.id) },
  { name: "it cannot be resumed", run: (t) => refuses(t, /not paused/, "resume", t.id) },
  {
    name: "it is not deleted without force",
    async run(t) {
      await refuses(t, NOT_STOPPED, "delete", t.id);
      assertEquals(await t.status(), "running");
    },
  },
  {
    name: "ps shows its command",
    async run(t) {
      await t.until("up");
      assertMatch(await t.must("ps", t.id), /sleep/);
    },
  },
];

export const PAUSED_CASES: readonly LifecycleCase[] = [
  ...ALIVE,
  {
    name: "state says paused",
    async run(t) {
      const { status, pid } = await t.state();
      assertEquals([status, pid], ["paused", t.pid]);
    },
  },
  { name: "it is not paused again", run: (t) => refuses(t, /not running/, "pause", t.id) },
  { name: "it is not started", run: (t) => refuses(t, /paused/, "start", t.id) },
  { name: "nothing is executed in it", run: (t) => refuses(t, /paused/, "exec", t.id, "true") },
  {
    name: "it is not deleted without force",
    async run(t) {
      await refuses(t, NOT_STOPPED, "delete", t.id);
      assertEquals(await t.status(), "paused");
    },
  },
];

export const STOPPED_CASES: readonly LifecycleCase[] = [
  ...EVERYWHERE,
  {
    name: "state says stopped, without a process",
    async run(t) {
      const { status, pid } = await t.state();
      assertEquals([status, pid ?? 0], ["stopped", 0]);
    },
  },
  { name: "it is not started again", run: (t) => refuses(t, /stopped/, "start", t.id) },
  {
    name: "nothing is executed in it",
    run: (t) => refuses(t, /stopped/, "exec", t.id, "true"),
  },
  { name: "it is not paused", run: (t) => refuses(t, /not running/, "pause", t.id) },
  { name: "it is not resumed", run: (t) => refuses(t, /not paused|not running/, "resume", t.id) },
  ...["TERM", "KILL", "0"].map((signal): LifecycleCase => ({
    name: `it does not get the signal ${signal}`,
    run: (t) => refuses(t, /container not running/, "kill", t.id, signal),
  })),
  {
    name: "a signal to all processes reaches none",
    run: async (t) => assertEquals(await t.must("kill", "--all", t.id, "KILL"), ""),
  },
  { name: "ps is empty", run: async (t) => assertEquals(await hostPids(t), []) },
  {
    name: "it has no events",
    run: (t) => refuses(t, /is not running/, "events", "--stats", t.id),
  },
  {
    name: "its limits are not changed",
    run: (t) => refuses(t, /not running/, "update", "--pids-limit", "9", t.id),
  },
];

/** Containers in each status. */
export async function makeCreated(t: Lifecycle): Promise<void> {
  t.config["annotations"] = { "org.example.a": "1" };
  await t.script("echo ran").created();
}

export async function makeRunning(t: Lifecycle): Promise<void> {
  await t.running(WAIT);
}

export async function makePaused(t: Lifecycle): Promise<void> {
  await t.running(WAIT);
  await t.until("up");
  await t.must("pause", t.id);
}

export async function makeStopped(t: Lifecycle): Promise<void> {
  await t.running("exit 0");
  await t.reap();
}
