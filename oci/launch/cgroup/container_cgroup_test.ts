import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { SYS_geteuid, SYS_wait4 } from "../../../ffi/abi/syscall_numbers.ts";
import { scratch } from "../../../ffi/sys/cstring.ts";
import { close } from "../../../ffi/sys/files.ts";
import { syscall } from "../../../ffi/sys/native.ts";
import { spawn, type Spawned, SpawnScript } from "../../../ffi/sys/spawn.ts";
import { JsonNode } from "../../json_node.ts";
import { readResources, type Resources } from "../../spec/resources_section.ts";
import { UserError } from "../../user_error.ts";
import { ContainerCgroup } from "./container_cgroup.ts";
import type { CgroupOptions } from "./group_plan.ts";
import { exists, readGroupFile } from "./control_files.ts";
import { type CgroupHost, detectCgroups } from "./hierarchy.ts";
import { named } from "../../../tests/harness/machine.ts";

const PARENT = `/dvisor-test-${Deno.pid}`;
/** The host's groups if a test may make some: root, and trees that can be written to. */
const host = usableHost();

function usableHost(): CgroupHost | null {
  if (syscall(SYS_geteuid) !== 0) return null;
  try {
    const found = detectCgroups();
    const trees = [...found.v1.values(), ...found.v2 === null ? [] : [found.v2]];
    const probe = `${trees[0]?.mountPoint}${PARENT}-probe`;
    Deno.mkdirSync(probe);
    Deno.removeSync(probe);
    return found;
  } catch {
    return null;
  }
}

function resources(value: unknown): Resources {
  return readResources(new JsonNode("config.json", "linux.resources", value));
}

function options(value: unknown, more: Partial<CgroupOptions> = {}): CgroupOptions {
  return {
    id: "c1",
    cgroupsPath: `${PARENT}/c1`,
    resources: resources(value),
    driver: "cgroupfs",
    isRootless: false,
    ...more,
  };
}

/** Runs `body` and removes the groups that it made. */
function onHost(name: string, body: (host: CgroupHost) => void): void {
  Deno.test({
    ...named(name, host === null ? "no control groups that may be changed" : null),
    fn() {
      if (host === null) return;
      try {
        body(host);
      } finally {
        for (const dir of leftovers(host)) Deno.removeSync(dir);
      }
    },
  });
}

/** Groups that are there in spite of remove(), parents last. */
function leftovers(host: CgroupHost): string[] {
  const mounts = [...host.v1.values(), ...host.v2 === null ? [] : [host.v2]].map((t) =>
    t.mountPoint
  );
  return [...new Set(mounts)].flatMap((mount) =>
    [`${mount}${PARENT}/c1`, `${mount}${PARENT}`].filter((dir) => exists(dir, "."))
  );
}

function sleeper(cgroup?: ContainerCgroup): Spawned {
  const script = new SpawnScript();
  cgroup?.join(script);
  return spawn(script.exec("/bin/sleep", ["sleep", "60"], []));
}

function end({ pid, pidfd }: Spawned): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
  syscall(SYS_wait4, pid, scratch.area(0), 0, 0);
  close(pidfd);
}

/** Whether a process of the group may open a device. */
function readsDevice(cgroup: ContainerCgroup, path: string): boolean {
  const script = new SpawnScript();
  cgroup.join(script);
  script.exec("/bin/sh", ["sh", "-c", `exec 2>/dev/null 3<${path}`], []);
  const { pid, pidfd } = spawn(script);
  syscall(SYS_wait4, pid, scratch.area(0), 0, 0);
  close(pidfd);
  return scratch.dv.getInt32(scratch.areaOffset(0), true) === 0;
}

function file(cgroup: ContainerCgroup, controller: string, v1: string, v2: string): string {
  const { mode, paths } = cgroup.record;
  return readGroupFile(paths[mode === "v2" ? "" : controller] ?? "", mode === "v2" ? v2 : v1);
}

onHost("limits are there before the first process, and everything goes at the end", (host) => {
  const cgroup = ContainerCgroup.create(options({
    memory: { limit: 64 << 20, swap: 64 << 20 },
    cpu: { shares: 512, quota: 50_000, period: 100_000, cpus: "0" },
    pids: { limit: 77 },
    devices: [{ allow: false, access: "rwm" }],
  }));
  try {
    assertEquals(file(cgroup, "memory", "memory.limit_in_bytes", "memory.max"), String(64 << 20));
    assertEquals(file(cgroup, "pids", "pids.max", "pids.max"), "77");
    assertEquals(file(cgroup, "cpuset", "cpuset.cpus", "cpuset.cpus"), "0");
    if (host.mode !== "v2") {
      assertEquals(file(cgroup, "cpu", "cpu.cfs_quota_us", ""), "50000");
      const devices = readGroupFile(cgroup.record.paths["devices"] ?? "", "devices.list");
      assertStringIncludes(devices, "c 1:3 rwm");
      assert(!devices.startsWith("a "));
    }
  } finally {
    cgroup.remove();
  }
  for (const dir of cgroup.directories) assert(!exists(dir, "."), dir);
});

onHost("processes join, stop, continue, are counted and killed", () => {
  const made = ContainerCgroup.create(options({}));
  const cgroup = ContainerCgroup.load(JSON.parse(JSON.stringify(made.record)));
  const first = sleeper(), second = sleeper(cgroup);
  try {
    assertEquals(cgroup.processes(), [second.pid]);
    cgroup.addProcess(first.pid);
    assertEquals(cgroup.processes(), [first.pid, second.pid].sort((a, b) => a - b));
    const groups = Deno.readTextFileSync(`/proc/${first.pid}/cgroup`).trim().split("\n");
    assert(groups.some((line) => line.endsWith(`${PARENT}/c1`)));
    cgroup.freeze();
    assert(cgroup.isFrozen());
    cgroup.thaw();
    assert(!cgroup.isFrozen());
    cgroup.freeze();
    const stats = cgroup.stats();
    assertEquals(stats.pids.current ?? 2, 2);
    assert((stats.memory.usage.usage ?? 1) > 0);
    assertEquals(cgroup.oomCount(), 0);
    assert(cgroup.kill(), "they live on");
    assertEquals(cgroup.processes(), []);
  } finally {
    end(first);
    end(second);
    cgroup.remove();
    cgroup.remove();
  }
});

onHost("update changes what it names, in the order that the kernel takes", () => {
  const cgroup = ContainerCgroup.create(options({ memory: { limit: 32 << 20, swap: 32 << 20 } }));
  try {
    for (const limit of [64 << 20, 16 << 20, 128 << 20]) {
      cgroup.apply(resources({ memory: { limit, swap: limit }, pids: { limit: 50 } }));
      assertEquals(file(cgroup, "memory", "memory.limit_in_bytes", "memory.max"), String(limit));
    }
    cgroup.apply(resources({ pids: { limit: -1 }, cpu: { quota: 20_000, period: 50_000 } }));
    assertEquals(file(cgroup, "pids", "pids.max", "pids.max"), "max");
    assertEquals(file(cgroup, "memory", "memory.limit_in_bytes", "memory.max"), String(128 << 20));
    cgroup.apply(resources({ memory: { limit: -1 }, cpu: { quota: -1, burst: 0 } }));
  } finally {
    cgroup.remove();
  }
});

onHost("an overhead is added to limits of the host", () => {
  const overhead = { memoryBytes: 100 << 20, pids: 64 };
  const limits = { memory: { limit: 10 << 20, swap: 20 << 20 }, pids: { limit: 5 } };
  const cgroup = ContainerCgroup.create(options(limits, { overhead }));
  try {
    assertEquals(file(cgroup, "memory", "memory.limit_in_bytes", "memory.max"), String(110 << 20));
    assertEquals(file(cgroup, "pids", "pids.max", "pids.max"), "64");
    cgroup.apply(resources({ memory: { limit: 20 << 20, swap: -1 } }));
    assertEquals(file(cgroup, "memory", "memory.limit_in_bytes", "memory.max"), String(120 << 20));
  } finally {
    cgroup.remove();
  }
});

onHost("a limit that the host refuses leaves no group behind", (host) => {
  assertThrows(
    () => ContainerCgroup.create(options({ cpu: { cpus: "9999" } })),
    UserError,
    "cpuset.cpus",
  );
  assertEquals(leftovers(host).filter((dir) => dir.endsWith("/c1")), []);
  assertThrows(
    () => ContainerCgroup.create(options({ memory: { limit: 1 << 20, swap: 1 } })),
    Error,
  );
  assertEquals(leftovers(host).filter((dir) => dir.endsWith("/c1")), []);
});

onHost("a group with foreign processes is refused", () => {
  const first = ContainerCgroup.create(options({}));
  const process = sleeper(first);
  try {
    assertThrows(() => ContainerCgroup.create(options({})), UserError, "cgroup is not empty");
  } finally {
    first.kill();
    end(process);
    first.remove();
  }
});

onHost("without cgroupsPath there is a group beside the caller", (host) => {
  const id = `dvisor-test-default-${Deno.pid}`;
  const cgroup = ContainerCgroup.create(options({}, { id, cgroupsPath: null }));
  try {
    const own = host.v1.get("memory")?.own;
    const expected = own === undefined ? `/${id}` : `${own === "/" ? "" : own}/${id}`;
    const dir = cgroup.record.paths["memory"] ?? cgroup.record.paths[""] ?? "";
    assert(dir.endsWith(expected), `${dir} does not end in ${expected}`);
  } finally {
    cgroup.remove();
  }
});

onHost("the tree of v2 alone: freeze, kill and statistics", (host) => {
  if (host.v2 === null) return;
  const only: CgroupHost = { mode: "v2", v1: new Map(), v2: host.v2 };
  const devices = [{ allow: false, access: "rwm" }, {
    allow: true,
    type: "c",
    major: 1,
    minor: 3,
    access: "r",
  }];
  const cgroup = ContainerCgroup.create(options({ devices }, { host: only }));
  const process = sleeper(cgroup);
  try {
    cgroup.freeze();
    assert(cgroup.isFrozen());
    cgroup.thaw();
    assertEquals(cgroup.processes(), [process.pid]);
    assert((cgroup.stats().cpu.usage.total ?? 1) > 0);
    for (const again of [false, true]) {
      if (again) cgroup.apply(resources({ devices: [{ allow: true }] }));
      assertEquals(readsDevice(cgroup, "/dev/null"), true);
      // Not on any list.
      assertEquals(readsDevice(cgroup, "/dev/kmsg"), again);
    }
    assert(cgroup.kill());
  } finally {
    end(process);
    cgroup.remove();
  }
  if (readGroupFile(host.v2.mountPoint, "cgroup.controllers").split(" ").includes("memory")) return;
  const error = assertThrows(
    () => ContainerCgroup.create(options({ memory: { limit: 1 << 26 } }, { host: only })),
    UserError,
  );
  assertStringIncludes(error.message, "has no controller memory");
});

onHost("a plan is found again before, while and after it is made", (host) => {
  const plan = ContainerCgroup.plan(options({ memory: { limit: 1 << 26 } }));
  const before = JSON.parse(JSON.stringify(plan.record));
  ContainerCgroup.load(before).remove();
  plan.make(options({ memory: { limit: 1 << 26 } }));
  // As a command leaves it that was killed before it could say so.
  ContainerCgroup.load(before).remove();
  assertEquals(leftovers(host).filter((dir) => dir.endsWith("/c1")), []);
  const other = ContainerCgroup.create(options({}));
  const process = sleeper(other);
  try {
    const stranger = ContainerCgroup.load(before);
    assert(stranger.kill());
    stranger.remove();
    assertEquals(other.processes(), [process.pid]);
  } finally {
    other.kill();
    end(process);
    other.remove();
  }
});

Deno.test("damaged records are refused", () => {
  for (const bad of [null, 1, {}, { driver: "cgroupfs", mode: "v1", paths: { a: 1 } }]) {
    assertThrows(() => ContainerCgroup.load(bad), UserError);
  }
});

/** A host of either version on which this process may make no group. */
const NOTHING: CgroupHost = { mode: "v2", v1: new Map(), v2: null };

Deno.test("without groups the limits that the kernel of a sandbox keeps are no error", () => {
  const wanted = {
    memory: { limit: 64 << 20, swap: 64 << 20 },
    cpu: { quota: 50_000, period: 100_000, shares: 512 },
    pids: { limit: 7 },
  };
  const more = { host: NOTHING, isRootless: true, cgroupsPath: null };
  const cgroup = ContainerCgroup.create(options(wanted, more));
  assertEquals([cgroup.hostKeeps("memory"), cgroup.hostKeeps("cpu")], [false, false]);
  cgroup.apply(resources({ memory: { limit: -1 }, cpu: { quota: -1 }, pids: { limit: -1 } }));
  const others = [
    { memory: { reservation: 1 << 20 } },
    { memory: { limit: 64 << 20, swappiness: 5 } },
    { cpu: { cpus: "0" } },
    { cpu: { quota: 50_000, burst: 10_000 } },
    { cpu: { idle: 1 } },
    { blockIO: { weight: 100 } },
    { rdma: { mlx: { hcaHandles: 1 } } },
  ];
  for (const value of others) {
    assertThrows(() => ContainerCgroup.create(options(value, more)), UserError, "no cgroup");
    assertThrows(() => cgroup.apply(resources(value)), UserError, "no cgroup");
  }
});

Deno.test("a caller with privilege has all its limits in groups of the host, or an error", () => {
  const wanted = options({ pids: { limit: 7 } }, { host: NOTHING });
  assertThrows(() => ContainerCgroup.create(wanted), UserError, "no cgroup");
});
