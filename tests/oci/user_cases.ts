/**
 * Containers of an ordinary user without a control group of the host: dvisor makes the user
 * namespace, and its kernel keeps the limits. Not a test.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, type Finished, run } from "../harness/dvisor.ts";
import { lacks, noUsers } from "../harness/machine.ts";
import { asUser, noOwnHost } from "../harness/own_host.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { LifecycleCase } from "./lifecycle_cases.ts";

const UID = 54_321;
const MIB = 1 << 20, TIMEOUT_S = 30;
const skip = noUsers ?? noOwnHost();

const FIRST_ID = 700_000;
/** The line that each of these files gets for the user. */
const OWN_IDS: Readonly<Record<string, string>> = {
  "/etc/passwd": `nested:x:${UID}:${UID}::/:/bin/sh`,
  "/etc/group": `nested:x:${UID}:`,
  "/etc/subuid": `nested:${FIRST_ID}:65536`,
  "/etc/subgid": `nested:${FIRST_ID}:65536`,
};
const IDS = Object.keys(OWN_IDS);
const noIds = IDS.every(isThere) ? null : "no /etc/subuid on this machine";

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** Runs a verb as the user. */
function call(t: Lifecycle, ...args: string[]): Promise<Finished> {
  return run(asUser(UID, t.argv(...args)), { timeoutS: TIMEOUT_S });
}

async function must(t: Lifecycle, ...args: string[]): Promise<string> {
  const result = await call(t, ...args);
  assertEquals(result.code, 0, describe(result));
  return result.stdout;
}

/** Writes the bundle, which then is the user's. */
function give(t: Lifecycle, script: string): void {
  t.script(script).bundle.write(t.config);
  new Deno.Command("chown", { args: ["-R", `${UID}:${UID}`, t.bundle.dir] }).outputSync();
}

function runOnce(t: Lifecycle, script: string): Promise<Finished> {
  give(t, script);
  return call(t, "run", "--bundle", t.bundle.dir, t.id);
}

/** A running container, which the user has started. */
async function runDetached(t: Lifecycle, script: string): Promise<void> {
  give(t, script);
  const args = ["run", "--detach", "--bundle", t.bundle.dir, "--pid-file", t.file("pid"), t.id];
  const redirect = `exec "$@" </dev/null >>${t.file("out")} 2>>${t.file("err")}`;
  const command = ["sh", "-c", redirect, "sh", ...asUser(UID, t.argv(...args))];
  const { code } = await run(command, { timeoutS: TIMEOUT_S });
  assertEquals(code, 0, t.text("err"));
}

function addUsers(t: Lifecycle, ...more: object[]): void {
  const map = [{ containerID: 0, hostID: UID, size: 1 }, ...more];
  t.config.linux["uidMappings"] = map;
  t.config.linux["gidMappings"] = map;
  const types = ["user", "pid", "network", "ipc", "uts", "mount"];
  t.config.linux["namespaces"] = types.map((type) => ({ type }));
}

const FILL = "dd if=/dev/zero of=/dev/null bs=100M count=1 2>/dev/null; echo dd=$?";
const FORKS = "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 3 & done; echo all";
/** Uses processor time until the group was throttled. */
const BURN = "until grep -q 'nr_throttled [1-9]' /sys/fs/cgroup/cpu.stat; do :; done; echo slow";

function limit(t: Lifecycle, resources: Record<string, unknown>): void {
  t.config.linux["resources"] = resources;
  t.config.mounts.push({ destination: "/sys/fs/cgroup", type: "cgroup2", source: "cgroup2" });
}

export const USER_CASES: readonly LifecycleCase[] = [
  ...[true, false].map((isNamed): LifecycleCase => ({
    name: `an ordinary user's container, ${isNamed ? "with" : "without"} a user namespace`,
    notRunc: "it wants a writable control group, and the user namespace in config.json",
    skip,
    async run(t) {
      if (isNamed) addUsers(t);
      const result = await runOnce(t, "id -u; touch /new; stat -c %u /new; exit 3");
      assertEquals([result.code, result.stdout], [3, "0\n0\n"], describe(result));
      assertEquals(result.stderr, "");
      assertEquals(Deno.statSync(`${t.bundle.root}/new`).uid, UID);
    },
  })),
  {
    name: "an ordinary user's container with the ids that /etc/subuid gives",
    notRunc: "it wants a writable control group",
    skip: skip ?? lacks(["newuidmap", "newgidmap"]) ?? noIds,
    async run(t) {
      addUsers(t, { containerID: 1, hostID: FIRST_ID, size: 65_536 });
      give(t, "chown 7:8 /new; stat -c %u:%g /new");
      Deno.writeTextFileSync(`${t.bundle.root}/new`, "");
      Deno.chownSync(`${t.bundle.root}/new`, UID, UID);
      const shown = IDS.map((path) => {
        const name = path.slice(1).replace("/", "-"), own = OWN_IDS[path] ?? "";
        Deno.writeTextFileSync(t.file(name), `${Deno.readTextFileSync(path)}${own}\n`);
        return `mount --bind ${t.file(name)} ${path}`;
      });
      const script = `set -e; ${shown.join("; ")}; exec "$@"`;
      const argv = asUser(UID, t.argv("run", "--bundle", t.bundle.dir, t.id));
      const command = ["unshare", "--mount", "sh", "-c", script, "sh", ...argv];
      const result = await run(command, { timeoutS: TIMEOUT_S });
      assertEquals([result.code, result.stdout], [0, "7:8\n"], describe(result));
      const { uid, gid } = Deno.statSync(`${t.bundle.root}/new`);
      assertEquals([uid, gid], [FIRST_ID + 6, FIRST_ID + 7]);
    },
  },
  {
    name: "an ordinary user's container: all verbs",
    notRunc: "it wants a user namespace in config.json",
    skip,
    async run(t) {
      await runDetached(t, "echo up; sleep 60");
      await t.until("up");
      assertEquals((await must(t, "list", "-q")).trim(), t.id);
      assertEquals(await must(t, "exec", t.id, "hostname"), "box\n");
      await must(t, "pause", t.id);
      assertMatch(await must(t, "state", t.id), /"status": "paused"/);
      await must(t, "resume", t.id);
      assertMatch(await must(t, "ps", t.id), /sleep/);
      await must(t, "kill", t.id, "KILL");
      await t.reap();
      await must(t, "delete", t.id);
      assertEquals((await must(t, "list", "-q")).trim(), "");
    },
  },
  {
    name: "an ordinary user's limits are kept without control groups of the host",
    notRunc: "it keeps no limits without them",
    skip,
    async run(t) {
      const cpu = { quota: 20_000, period: 100_000, shares: 512 };
      limit(t, { memory: { limit: 64 * MIB, swap: 64 * MIB }, pids: { limit: 8 }, cpu });
      const result = await runOnce(t, `${FILL}; ${BURN}; ${FORKS}`);
      assertMatch(result.stdout, /^dd=137\nslow\n$/, describe(result));
      assertMatch(result.stderr, /can't fork/);
    },
  },
  {
    name: "an ordinary user's limits change while the container runs",
    notRunc: "it keeps no limits without control groups of the host",
    skip,
    async run(t) {
      limit(t, {});
      await runDetached(t, "echo up; sleep 60");
      await t.until("up");
      assertEquals(await must(t, "exec", t.id, "sh", "-c", FILL), "dd=0\n");
      await must(t, "update", "--memory", "64m", "--pids-limit", "8", "--cpu-quota", "20000", t.id);
      assertEquals(await must(t, "exec", t.id, "sh", "-c", `${FILL}; ${BURN}`), "dd=137\nslow\n");
      const forks = await call(t, "exec", t.id, "sh", "-c", FORKS);
      assert(forks.code !== 0, describe(forks));
      await must(t, "delete", "--force", t.id);
      await t.reap();
    },
  },
  {
    name: "an ordinary user's limit that only the host can keep is an error",
    notRunc: "it refuses limits without control groups in another place",
    skip,
    async run(t) {
      limit(t, { cpu: { cpus: "0" } });
      const result = await runOnce(t, "exit 0");
      assert(result.code !== 0);
      assertMatch(result.stderr, /cannot set limits of cpuset/);
    },
  },
];
