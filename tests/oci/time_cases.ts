/** Clocks of containers with a time namespace: `linux.timeOffsets`. Not a test. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { PYTHON } from "../harness/machine.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { LifecycleCase } from "./lifecycle_cases.ts";

const NEWER = "runc 1.1 does not have time namespaces";
const DAY = 86_400;

/** Clocks as the container reads them, by the vDSO where it serves them. */
const CLOCKS = "import time; print(time.clock_gettime(time.CLOCK_MONOTONIC), " +
  "time.clock_gettime(time.CLOCK_BOOTTIME))";

function addTime(t: Lifecycle, offsets?: object, path?: string): void {
  const namespaces = t.config.linux["namespaces"] as unknown[];
  namespaces.push(path === undefined ? { type: "time" } : { type: "time", path });
  if (offsets !== undefined) t.config.linux["timeOffsets"] = offsets;
}

function addPython(t: Lifecycle, script: string): void {
  for (const path of ["/usr", "/lib", "/lib64"]) {
    t.config.mounts.push({ destination: path, source: path, options: ["rbind", "ro"] });
  }
  t.config.process["args"] = [PYTHON, "-c", script];
}

/** CLOCK_BOOTTIME of the host, s. */
function uptime(): number {
  return Number(Deno.readTextFileSync("/proc/uptime").split(" ")[0]);
}

export const TIME_CASES: readonly LifecycleCase[] = [
  {
    name: "clocks of a time namespace have their offsets, for all in the container",
    notRunc: NEWER,
    async run(t) {
      addTime(t, { boottime: { secs: DAY, nanosecs: 5 }, monotonic: { secs: 2 * DAY } });
      await t.running("cat /proc/self/timens_offsets; cat /proc/uptime; sleep 20");
      await t.until(".");
      const [monotonic, boottime, up = ""] = t.text("out").split("\n");
      assertMatch(monotonic ?? "", /^monotonic +172800 +0$/);
      assertMatch(boottime ?? "", /^boottime +86400 +5$/);
      assert(Math.abs(Number(up.split(" ")[0]) - uptime() - DAY) < 20, up);
      const seen = await t.must("exec", t.id, "cat", "/proc/uptime");
      assert(Math.abs(Number(seen.split(" ")[0]) - uptime() - DAY) < 20, seen);
      const names = ["self", String(t.pid)].map((pid) => Deno.readLinkSync(`/proc/${pid}/ns/time`));
      assert(names[0] !== names[1]);
    },
  },
  ...(PYTHON === null ? [] : [{
    name: "clocks that programs read without a call have the offsets too",
    notRunc: NEWER,
    async run(t: Lifecycle): Promise<void> {
      addTime(t, { boottime: { secs: DAY }, monotonic: { secs: 2 * DAY } });
      addPython(t, CLOCKS);
      await t.created();
      await t.must("start", t.id);
      assertEquals(await t.reap(), 0);
      const [monotonic = 0, boottime = 0] = t.text("out").split(" ").map(Number);
      assert(Math.abs(boottime - uptime() - DAY) < 20, t.text("out"));
      assert(Math.abs(monotonic - boottime - DAY) < DAY / 2, t.text("out"));
    },
  }]),
  {
    name: "a time namespace without offsets, and the host's by its path, change nothing",
    notRunc: NEWER,
    async run(t) {
      addTime(t);
      await t.script("cat /proc/uptime").created();
      await t.must("start", t.id);
      await t.reap();
      assert(Math.abs(Number(t.text("out").split(" ")[0]) - uptime()) < 20, t.text("out"));
      await t.must("delete", t.id);
      t.config.linux["namespaces"] = [{ type: "mount" }, { type: "uts" }];
      addTime(t, undefined, "/proc/self/ns/time");
      await t.script("cat /proc/self/timens_offsets").created();
    },
  },
  {
    name: "offsets of a time namespace are taken from its path",
    notRunc: NEWER,
    async run(t) {
      const args = ["--time", "--boottime", String(DAY), "sh", "-c", "sleep 30 & echo $!; wait"];
      const other = new Deno.Command("unshare", { args, stdout: "piped" }).spawn();
      const reader = other.stdout.getReader();
      const pid = Number(new TextDecoder().decode((await reader.read()).value));
      try {
        addTime(t, undefined, `/proc/${pid}/ns/time`);
        await t.running("cat /proc/uptime");
        await t.reap();
        assert(Math.abs(Number(t.text("out").split(" ")[0]) - uptime() - DAY) < 20, t.text("out"));
      } finally {
        Deno.kill(pid, "SIGKILL");
        await reader.cancel();
        await other.status;
      }
    },
  },
  {
    name: "offsets that no clock can have, or of no namespace, are errors that name them",
    notRunc: NEWER,
    async run(t) {
      const refused = async (message: RegExp) => {
        assert((await t.create()).code !== 0);
        assertMatch(t.text("err"), message);
        Deno.removeSync(t.file("err"));
      };
      t.config.linux["timeOffsets"] = { boottime: { secs: 1 } };
      await refused(/linux\.timeOffsets is set/);
      addTime(t, { boottime: { secs: -2_000_000_000 } });
      await refused(/linux\.timeOffsets.*ERANGE/);
      t.config.linux["namespaces"] = [
        ...[{ type: "time", path: "/no/such" }, { type: "mount" }, { type: "uts" }],
      ];
      delete t.config.linux["timeOffsets"];
      await refused(/linux\.namespaces\[0\]\.path.*no such file/);
    },
  },
];
