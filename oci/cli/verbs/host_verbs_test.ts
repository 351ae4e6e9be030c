import { assert, assertEquals, assertThrows } from "@std/assert";
import { memoryEntry } from "../../launch/cgroup/stats.ts";
import { readStatsV1 } from "../../launch/cgroup/stats_v1.ts";
import { readFlags } from "../../options/flags.ts";
import { UserError } from "../../user_error.ts";
import { parseDuration, withGuest, withMember } from "./events.ts";
import { features } from "./features.ts";
import { parseBytes, UPDATE_OPTIONS, wantedResources } from "./update.ts";

Deno.test("events: durations as Go writes them", () => {
  assertEquals(parseDuration("5s"), 5000);
  assertEquals(parseDuration("1m30.5s"), 90_500);
  assertEquals(parseDuration("500ms"), 500);
  for (const bad of ["", "5", "s", "-5s", "0s", "5 s", "1y"]) {
    assertThrows(() => parseDuration(bad), UserError);
  }
});

Deno.test("events: the guest's own numbers where the host has none", () => {
  const guest = {
    processes: 2,
    threads: 5,
    cpuNs: 7,
    memoryBytes: 4096,
    memoryMax: null,
    tasksMax: null,
    syscalls: 9,
    containedBugs: 0,
  };
  const without = withGuest(readStatsV1({}), guest);
  assertEquals(without.pids.current, 5);
  assertEquals(without.cpu.usage.total, 7);
  assertEquals(without.memory.usage.usage, 4096);
  const stats = readStatsV1({});
  const host = { ...stats, memory: { ...stats.memory, usage: memoryEntry(10, 8, 9, 0) } };
  assertEquals([without.memory.usage.limit, without.pids.limit], [Infinity, undefined]);
  const limited = withGuest(readStatsV1({}), { ...guest, memoryMax: 64, tasksMax: 9 });
  assertEquals([limited.memory.usage.limit, limited.pids.limit], [64, 9]);
  assertEquals(withGuest(host, guest).memory.usage.usage, 8);
  assertEquals(withGuest(host, null), host);
  const member = withMember(host, { ...guest, cpuNs: 3e9, memoryBytes: 5 });
  assertEquals([member.cpu.usage.total, member.memory.usage.usage], [3e9, 8]);
});

function wanted(...args: string[]) {
  return wantedResources(readFlags(args, { options: UPDATE_OPTIONS, isGoStyle: true }));
}

Deno.test("update: options become resources", () => {
  const r = wanted(
    "--memory",
    "64m",
    "--memory-swap=-1",
    "--pids-limit",
    "-1",
    "--cpuset-cpus=0-1",
  );
  assertEquals(r.memory?.limit, 64 << 20);
  assertEquals(r.memory?.swap, -1);
  assertEquals(r.memory?.reservation, null);
  assertEquals(r.pidsLimit, -1);
  assertEquals(r.cpu?.cpus, "0-1");
  assertEquals(wanted().memory, null);
});

Deno.test("update: numbers that make none are refused", () => {
  assertThrows(() => wanted("--memory", "many"), UserError, "--memory");
  assertThrows(() => wanted("--cpu-quota", "1.5"), UserError, "--cpu-quota");
  assertThrows(() => wanted("--l3-cache-schema", "x"), UserError, "not supported");
  assertThrows(() => wanted("--resources", "/nonexistent"), UserError, "--resources");
});

Deno.test("update: a file of resources", () => {
  const path = Deno.makeTempFileSync();
  try {
    Deno.writeTextFileSync(path, '{"memory": {"limit": 5}, "pids": {"limit": 9}}');
    assertEquals(wanted("--resources", path, "--memory", "9").memory?.limit, 5);
    for (const bad of ["[]", "5", '{"memory": {"limit": "x"}}', "{"]) {
      Deno.writeTextFileSync(path, bad);
      assertThrows(() => wanted("--resources", path), UserError);
    }
  } finally {
    Deno.removeSync(path);
  }
});

Deno.test("update: bytes as Docker writes them", () => {
  assertEquals(["7", "7b", "2k", "2KiB", "1.5m", "1g", "-1"].map((t) => parseBytes("memory", t)), [
    7,
    7,
    2048,
    2048,
    1572864,
    2 ** 30,
    -1,
  ]);
});

Deno.test("features: the members that clients read", () => {
  const json = JSON.parse(JSON.stringify(features()));
  assertEquals(json.ociVersionMin, "1.0.0");
  assertEquals(json.hooks.length, 6);
  assert(json.mountOptions.includes("ro") && json.mountOptions.includes("rbind"));
  // Docker would use it in place of ro.
  assert(!json.mountOptions.includes("rro"));
  assert(json.linux.namespaces.includes("network"));
  assert(json.linux.capabilities.includes("CAP_CHOWN"));
  assertEquals([...json.mountOptions].sort(), json.mountOptions);
});
