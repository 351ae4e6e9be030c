import { assertEquals, assertThrows } from "@std/assert";
import { RLIMIT_NOFILE } from "../../ffi/abi/resource.ts";
import { EXIT_USAGE, UserError } from "../user_error.ts";
import { readConfig } from "./config.ts";
import { DEFAULT_CONFIG } from "./default_config.ts";
import type { SecurityModule } from "./labels.ts";
import { JsonNode } from "../json_node.ts";

type Json = Record<string, unknown>;

function minimal(change: (config: Json) => void = () => {}): Json {
  const config: Json = {
    ociVersion: "1.0.2",
    root: { path: "rootfs" },
    process: { user: { uid: 0, gid: 0 }, args: ["/bin/true"], cwd: "/" },
  };
  change(config);
  return config;
}

function read(config: unknown, module: SecurityModule | null = null) {
  return readConfig(new JsonNode("config.json", "", config), (name) => name === module);
}

function messageOf(config: unknown): string {
  const error = assertThrows(() => read(config), UserError);
  assertEquals(error.exitCode, EXIT_USAGE);
  return error.message;
}

const NEW_TIME = { namespaces: [{ type: "time" }] };

Deno.test("a small config.json is accepted, and missing members have defaults", () => {
  const config = read(minimal());
  assertEquals(config.process.args, ["/bin/true"]);
  assertEquals(config.process.umask, 0o022);
  assertEquals(config.root, { path: "rootfs", isReadOnly: false });
  assertEquals([config.hostname, config.domainname, config.memoryLimit], [null, null, null]);
  assertEquals(config.process.capabilities?.effective, []);
});

Deno.test("the config.json of `spec` is accepted", () => {
  const config = read(DEFAULT_CONFIG);
  assertEquals(config.root.isReadOnly, true);
  assertEquals(config.process.capabilities?.bounding, [29, 5, 10]);
  assertEquals(config.process.rlimits, [{ resource: RLIMIT_NOFILE, soft: 1024, hard: 1024 }]);
  const dev = config.mounts.find((mount) => mount.destination === "/dev");
  assertEquals(dev?.type, "tmpfs");
});

Deno.test("wrong types and values are named with their path", () => {
  const cases: [Json | unknown, string][] = [
    [
      minimal((c) => c.process = { args: ["a", 7], cwd: "/" }),
      "process.args[1] is 7, expected a string",
    ],
    [
      minimal((c) => c.process = { args: [], cwd: "/" }),
      "process.args is empty, expected a command",
    ],
    [
      minimal((c) => c.process = { args: ["a"], cwd: "x" }),
      `process.cwd is "x", expected an absolute path`,
    ],
    [minimal((c) => c.process = { args: ["a"] }), "process.cwd is missing, expected a string"],
    [minimal((c) => c.process = 7), "process is 7, expected an object"],
    [minimal((c) => delete c.process), "process is missing, expected an object"],
    [minimal((c) => c.root = []), "root is [], expected an object"],
    [minimal((c) => c.root = { path: "" }), "root.path is empty"],
    [minimal((c) => c.ociVersion = "2.0"), `ociVersion is "2.0", expected 1.x`],
    [minimal((c) => c.mounts = {}), "mounts is {}, expected a list"],
    [minimal((c) => c.hostname = "h".repeat(65)), "hostname has more than 64 bytes"],
    [
      minimal((c) => c.mounts = [{ destination: "/x", type: "ext4" }]),
      `mounts[0].type is "ext4", expected tmpfs, proc, sysfs, devtmpfs, devpts, mqueue, overlay, ` +
      "cgroup, cgroup2",
    ],
    [
      minimal((c) =>
        c.mounts = [{ destination: "/x", type: "bind", source: "/", options: ["size=1"] }]
      ),
      `mounts[0].options[0] is "size=1", which a bind mount does not have`,
    ],
    [
      minimal((c) => c.linux = { seccomp: { defaultAction: "SCMP_ACT_NO" } }),
      `linux.seccomp.defaultAction is "SCMP_ACT_NO", expected SCMP_ACT_KILL, ` +
      "SCMP_ACT_KILL_THREAD, SCMP_ACT_KILL_PROCESS, SCMP_ACT_TRAP, SCMP_ACT_ERRNO, " +
      "SCMP_ACT_TRACE, SCMP_ACT_ALLOW, SCMP_ACT_LOG",
    ],
    [
      minimal((c) => c.linux = { namespaces: [{ type: "network", path: "ns/net" }] }),
      `linux.namespaces[0].path is "ns/net", expected an absolute path`,
    ],
    [
      minimal((c) => c.linux = { namespaces: [{ type: "pid" }, { type: "pid" }] }),
      `linux.namespaces[1] is a second "pid"`,
    ],
    [
      minimal((c) => c.linux = { namespaces: [{ type: "foo" }] }),
      `linux.namespaces[0].type is "foo", expected ` +
      "pid, network, ipc, uts, mount, user, cgroup, time",
    ],
    [
      minimal((c) => c.hooks = { prestart: [{ path: "x" }] }),
      `hooks.prestart[0].path is "x", expected an absolute path`,
    ],
    [
      minimal((c) => c.hooks = { poststop: [{ path: "/x", timeout: 0 }] }),
      "hooks.poststop[0].timeout is 0, expected a whole number from 1 to 2147483647",
    ],
    [
      minimal((c) => c.annotations = { "a.b": 1 }),
      `annotations["a.b"] is 1, expected a string`,
    ],
    [
      minimal((c) => c.mounts = [{ destination: "/proc/a/../self", type: "tmpfs" }]),
      `mounts[0].destination is "/proc/a/../self", expected no place inside /proc`,
    ],
    [
      minimal((c) => c.mounts = [{ destination: "/..", type: "tmpfs" }]),
      "mounts[0].destination is the root directory, which is no place for a mount",
    ],
    [minimal((c) => c.hostname = "h"), `hostname is set, but linux.namespaces has no "uts"`],
    [
      minimal((c) => c.linux = { sysctl: { "net.ipv4.ip_forward": "1" } }),
      `linux.sysctl["net.ipv4.ip_forward"] is set, but linux.namespaces has no "network"`,
    ],
    [
      minimal((c) => c.linux = { sysctl: { "fs/mqueue/msg_max": "9" } }),
      `linux.sysctl["fs/mqueue/msg_max"] is set, but linux.namespaces has no "ipc"`,
    ],
    [
      minimal((c) => c.linux = { sysctl: { "kernel.hostname": "x" } }),
      `linux.sysctl["kernel.hostname"] is what hostname is for`,
    ],
    [
      minimal((c) => c.process = { args: ["a"], cwd: "/", env: ["A=", "B"] }),
      `process.env[1] is "B", expected NAME=VALUE`,
    ],
    [
      minimal((c) => c.process = { args: ["a"], cwd: "/", env: ["=x"] }),
      `process.env[0] is "=x", expected NAME=VALUE`,
    ],
    [
      minimal((c) => c.linux = { resources: { unified: { "../memory.max": "1" } } }),
      `linux.resources.unified["../memory.max"] is no file of a cgroup`,
    ],
    [
      minimal((c) => c.linux = { timeOffsets: { boottime: { secs: 1 } } }),
      'linux.timeOffsets is set, and linux.namespaces has no new one of type "time"',
    ],
    [
      minimal((c) => c.linux = { ...NEW_TIME, timeOffsets: { realtime: { secs: 1 } } }),
      "linux.timeOffsets.realtime is no clock; there are monotonic, boottime",
    ],
    [
      minimal((c) => c.linux = { ...NEW_TIME, timeOffsets: { boottime: { nanosecs: 1e9 } } }),
      "linux.timeOffsets.boottime.nanosecs is 1000000000, expected a whole number from 0 to 999999999",
    ],
    [[], "is [], expected an object"],
    [null, "is null, expected an object"],
  ];
  for (const [config, message] of cases) {
    const separator = message.startsWith("is ") ? " " : ": ";
    assertEquals(messageOf(config), `config.json${separator}${message}`);
  }
});

Deno.test("ids, capabilities and limits have their bounds", () => {
  const process = (more: Json) => minimal((c) => c.process = { args: ["a"], cwd: "/", ...more });
  for (const uid of [-1, 2 ** 32 - 1, 1.5, "0"]) {
    assertThrows(() => read(process({ user: { uid } })), UserError, "process.user.uid is");
  }
  const odd = read(process({ capabilities: { bounding: ["CAP_FOO", "CAP_KILL"] } }));
  assertEquals(odd.process.capabilities?.bounding, [5]);
  assertEquals(odd.warnings, ['process.capabilities: ignoring unknown capabilities: "CAP_FOO"']);
  const limit = (type: string, soft: number, hard: number) =>
    process({ rlimits: [{ type, soft, hard }] });
  assertThrows(() => read(limit("RLIMIT_X", 1, 2)), UserError, "process.rlimits[0].type");
  assertThrows(() => read(limit("RLIMIT_NOFILE", 3, 2)), UserError, "is above the hard limit");
  assertEquals(read(limit("RLIMIT_NOFILE", 3, 2 ** 64)).process.rlimits[0]?.hard, null);
});

Deno.test("labels are errors where the host has no such module, and warnings where it has", () => {
  const process = (more: Json) => minimal((c) => c.process = { args: ["a"], cwd: "/", ...more });
  const profile = process({ apparmorProfile: "docker-default" });
  assertThrows(() => read(profile, "selinux"), UserError, "process.apparmorProfile is set");
  assertEquals(read(profile, "apparmor").warnings.length, 1);
  assertEquals(read(process({ apparmorProfile: "unconfined", selinuxLabel: "" })).warnings, []);
  const label = process({ selinuxLabel: "system_u:system_r:container_t:s0" });
  assertThrows(() => read(label), UserError, "process.selinuxLabel is set");
  const mount = minimal((c) => c.linux = { mountLabel: "system_u:object_r:container_file_t:s0" });
  assertThrows(() => read(mount, "apparmor"), UserError, "linux.mountLabel is set");
  assertEquals(read(mount, "selinux").warnings.length, 1);
});

Deno.test("resources limit the memory and processors that a guest sees", () => {
  const config = read(minimal((c) => {
    c.linux = {
      resources: { memory: { limit: 1 << 26 }, cpu: { quota: 150_000, period: 100_000 } },
    };
  }));
  assertEquals([config.memoryLimit, config.cpuLimit], [1 << 26, 1.5]);
  const none = read(
    minimal((c) => c.linux = { resources: { memory: { limit: -1 }, cpu: { quota: -1 } } }),
  );
  assertEquals([none.memoryLimit, none.cpuLimit], [null, null]);
});

Deno.test("a text that is no JSON is refused with this reason", () => {
  for (const text of ["", "{", "{]", "nul"]) {
    assertThrows(() => JsonNode.parse("config.json", text), UserError, "is not valid JSON");
  }
});

Deno.test("a NUL cannot hide in a string", () => {
  assertThrows(
    () => read(minimal((c) => c.process = { args: ["a\0b"], cwd: "/" })),
    UserError,
    "expected a string without NUL",
  );
});

Deno.test("members that the specification does not know are ignored", () => {
  const config = read(minimal((c) => {
    c.future = { a: 1 };
    c.process = { args: ["a"], cwd: "/", future: [1] };
    c.linux = { future: true, resources: { future: {} } };
  }));
  assertEquals(config.process.args, ["a"]);
});

Deno.test("a mount's destination is put in order", () => {
  const at = (destination: string) =>
    read(minimal((c) => c.mounts = [{ destination, type: "tmpfs" }])).mounts[0]?.destination;
  assertEquals(["/a//b/", "a/./b", "/../a/x/../b"].map(at), ["/a/b", "/a/b", "/a/b"]);
});

Deno.test("a process has its scheduling, and its CPUs are for exec alone", () => {
  const { process } = read(minimal((c) => {
    c.process = {
      args: ["a"],
      cwd: "/",
      oomScoreAdj: 500,
      scheduler: { policy: "SCHED_RR", priority: 7, flags: ["SCHED_FLAG_RESET_ON_FORK"] },
      ioPriority: { class: "IOPRIO_CLASS_BE", priority: 3 },
      execCPUAffinity: { initial: "0-2", final: "7,1" },
    };
  }));
  assertEquals([process.oomScoreAdj, process.ioPriority, process.affinity], [500, 0x4003, null]);
  assertEquals([process.scheduler?.policy, process.scheduler?.priority], [2, 7]);
});

Deno.test("a wrong value anywhere gives a message, never a crash", () => {
  const base: Json = {
    ociVersion: "1.2.0",
    process: {
      terminal: true,
      consoleSize: { height: 1, width: 1 },
      user: { uid: 1, gid: 1, umask: 18, additionalGids: [1] },
      args: ["a"],
      env: ["A=1"],
      cwd: "/",
      capabilities: { bounding: ["CAP_KILL"] },
      rlimits: [{ type: "RLIMIT_CPU", soft: 1, hard: 1 }],
      noNewPrivileges: true,
      oomScoreAdj: 1,
      scheduler: { policy: "SCHED_OTHER", nice: 1, flags: [] },
      ioPriority: { class: "IOPRIO_CLASS_IDLE" },
      execCPUAffinity: { initial: "0" },
    },
    root: { path: "rootfs", readonly: true },
    hostname: "h",
    domainname: "d",
    mounts: [{ destination: "/a", type: "tmpfs", source: "x", options: ["ro"] }],
    hooks: { poststop: [{ path: "/x", args: ["x"], env: ["A=1"], timeout: 1 }] },
    annotations: { a: "b" },
    linux: {
      namespaces: [{ type: "pid", path: "/x" }, { type: "uts" }],
      uidMappings: [{ containerID: 0, hostID: 0, size: 1 }],
      devices: [{ path: "/dev/x", type: "c", major: 1, minor: 1, fileMode: 1, uid: 1, gid: 1 }],
      cgroupsPath: "/x",
      resources: {
        devices: [{ allow: true, type: "c", major: 1, minor: 1, access: "rwm" }],
        memory: { limit: 1, swap: 1 },
        cpu: { shares: 1, quota: 1, period: 1, cpus: "0", mems: "0" },
        pids: { limit: 1 },
        blockIO: { weight: 1, throttleReadBpsDevice: [{ major: 1, minor: 1, rate: 1 }] },
        hugepageLimits: [{ pageSize: "2MB", limit: 1 }],
        network: { classID: 1, priorities: [{ name: "a", priority: 1 }] },
        rdma: { mlx: { hcaHandles: 1 } },
        unified: { "memory.max": "1" },
      },
      rootfsPropagation: "rslave",
      sysctl: { "kernel.domainname": "x" },
      maskedPaths: ["/a"],
      readonlyPaths: ["/a"],
      personality: { domain: "LINUX32" },
    },
  };
  read(base);
  let deep: unknown = 1;
  for (let i = 0; i < 20_000; i++) deep = [deep];
  const hostile: unknown[] = [
    ...[0, -1, 1.5, 1e300, true, "", "..", "/../..", "a\u0000b", "\ud800", "x".repeat(100_000)],
    ...[[], {}, [[]], [{}], { a: {} }, new Array(10_000).fill("/x"), deep],
  ];
  for (const path of pathsOf(base)) {
    for (const value of hostile) {
      const text = withValue(base, path, value);
      try {
        read(text);
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        assertEquals(error.message.startsWith("config.json"), true, error.message);
        assertEquals(error.message.length < 400, true, error.message);
      }
    }
  }
});

/** Where there is a value. */
function pathsOf(value: unknown, path: string[] = []): string[][] {
  const here = path.length === 0 ? [] : [path];
  if (typeof value !== "object" || value === null) return here;
  return [
    ...here,
    ...Object.entries(value).flatMap(([name, inner]) => pathsOf(inner, [...path, name])),
  ];
}

function withValue(base: Json, path: readonly string[], value: unknown): Json {
  const copy: Json = structuredClone(base);
  let at: object = copy;
  for (const name of path.slice(0, -1)) {
    const next: unknown = Reflect.get(at, name);
    if (typeof next === "object" && next !== null) at = next;
  }
  Reflect.set(at, path[path.length - 1] ?? "", value);
  return copy;
}
