/**
 * Changes of config.json that every runtime refuses: `create` exits with 1, prints why, and leaves
 * nothing. dvisor names the JSON path. Not a test: config_test.ts runs them.
 */

import { assert, assertEquals } from "@std/assert";
import { type BundleConfig, shellConfig } from "./bundle.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { LifecycleCase } from "./lifecycle_cases.ts";

type Change = (config: BundleConfig, t: Lifecycle) => void;

/** The fault, the path that dvisor names, the change, and the reason why runc skips the case. */
type Refusal = readonly [name: string, path: string, change: Change, notRunc?: string];

const process = (more: object): Change => (c) => Object.assign(c.process, more);
const linux = (more: object): Change => (c) => Object.assign(c.linux, more);
const resources = (more: object): Change => linux({ resources: more });
const seccomp = (more: object): Change =>
  linux({ seccomp: { defaultAction: "SCMP_ACT_ALLOW", ...more } });
const rule = (more: object): Change =>
  seccomp({ syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_ERRNO", ...more }] });
const mount =
  (destination: string, type: string, source: string, ...options: string[]): Change => (c) =>
    c.mounts.push({ destination, type, source, options });
const without = (type: string, more: object = {}): Change => (c) => {
  const namespaces = ["pid", "network", "ipc", "uts", "mount"].filter((name) => name !== type)
    .map((name) => ({ type: name }));
  Object.assign(c.linux, { namespaces }, more);
};
const hook = (kind: string, more: object): Change => (c) => c["hooks"] = { [kind]: [more] };

const LAX = "it takes it";
const HOST = "it depends on the host's modules for it";

const PROCESS: readonly Refusal[] = [
  ["no process", "process", (c) => Reflect.deleteProperty(c, "process")],
  ["a process that is a list", "process", (c) => Reflect.set(c, "process", [])],
  ["no arguments", "process.args", process({ args: [] })],
  ["arguments that are null", "process.args", process({ args: null })],
  ["an argument that is a number", "process.args[1]", process({ args: ["sh", 7] })],
  ["arguments in a string", "process.args", process({ args: "sh" })],
  ["an argument with a NUL", "process.args[0]", process({ args: ["sh\0x"] })],
  ["a variable without a value", "process.env[1]", process({ env: ["PATH=/bin", "A"] })],
  ["a variable without a name", "process.env[1]", process({ env: ["PATH=/bin", "=a"] })],
  ["an environment that is an object", "process.env", process({ env: { A: "1" } })],
  ["no working directory", "process.cwd", process({ cwd: "" })],
  ["a working directory that is relative", "process.cwd", process({ cwd: "bin" })],
  ["a working directory that is a file", "process.cwd", process({ cwd: "/bin/busybox" })],
  ["a user below zero", "process.user.uid", process({ user: { uid: -1, gid: 0 } })],
  ["a user in words", "process.user.uid", process({ user: { uid: "root", gid: 0 } })],
  ["a group beyond 32 bits", "process.user.gid", process({ user: { uid: 0, gid: 2 ** 32 } })],
  [
    "an additional group below zero",
    "process.user.additionalGids[1]",
    process({ user: { uid: 0, gid: 0, additionalGids: [1, -1] } }),
  ],
  ["a terminal that is a word", "process.terminal", process({ terminal: "yes" })],
  ["a limit that there is not", "process.rlimits[0].type", limit("RLIMIT_ODD", 1, 2)],
  ["a soft limit above the hard one", "process.rlimits[0].soft", limit("RLIMIT_NOFILE", 9, 8)],
  ["a limit below zero", "process.rlimits[0].soft", limit("RLIMIT_NOFILE", -1, 8)],
  [
    "a limit for the second time",
    "process.rlimits[1].type",
    (c) => {
      const entry = { type: "RLIMIT_NOFILE", soft: 8, hard: 9 };
      c.process["rlimits"] = [entry, entry];
    },
    LAX,
  ],
  ["an OOM score beyond 1000", "process.oomScoreAdj", process({ oomScoreAdj: 1001 })],
  ["an OOM score in words", "process.oomScoreAdj", process({ oomScoreAdj: "high" })],
  [
    "capabilities that are a list",
    "process.capabilities",
    process({ capabilities: ["CAP_KILL"] }),
    LAX,
  ],
  ["a label of SELinux", "process.selinuxLabel", process({ selinuxLabel: "a:b:c:d" }), HOST],
  ["a profile of AppArmor", "process.apparmorProfile", process({ apparmorProfile: "x" }), HOST],
  ["scheduling that there is not", "process.scheduler.policy", schedule("SCHED_ODD"), LAX],
  [
    "an I/O class that there is not",
    "process.ioPriority.class",
    process({ ioPriority: { class: "IOPRIO_CLASS_ODD", priority: 1 } }),
    LAX,
  ],
];

function limit(type: string, soft: number, hard: number): Change {
  return process({ rlimits: [{ type, soft, hard }] });
}

function schedule(policy: string): Change {
  return process({ scheduler: { policy } });
}

const ROOT: readonly Refusal[] = [
  ["no root", "root", (c) => Reflect.deleteProperty(c, "root")],
  ["a root that is not there", "root.path", (c) => c.root["path"] = "nothing"],
  ["a root that is a file", "root.path", (c) => c.root["path"] = "config.json"],
  ["a root that is a number", "root.path", (c) => c.root["path"] = 7],
  ["readonly in words", "root.readonly", (c) => c.root["readonly"] = "yes"],
  ["a version that is a number", "ociVersion", (c) => Reflect.set(c, "ociVersion", 1)],
  ["another version", "ociVersion", (c) => Reflect.set(c, "ociVersion", "2.0.0"), LAX],
  ["a host name that is a number", "hostname", (c) => c["hostname"] = 7],
  ["a host name without a namespace", "hostname", without("uts")],
  ["annotations that are numbers", "annotations", (c) => c["annotations"] = { a: 1 }],
];

const MOUNTS: readonly Refusal[] = [
  ["mounts that are an object", "mounts", (c) => Reflect.set(c, "mounts", {})],
  ["a mount that is a string", "mounts[4]", (c) => c.mounts.push("/x")],
  ["options in a string", "mounts[4].options", (c) => {
    c.mounts.push({ destination: "/x", type: "tmpfs", source: "t", options: "ro" });
  }],
  ["a mount without a destination", "mounts[4].destination", mount("", "tmpfs", "t")],
  ["a mount on the root", "mounts[4].destination", mount("/", "tmpfs", "t")],
  [
    "a mount on the root in a roundabout way",
    "mounts[4].destination",
    mount("/a/..", "tmpfs", "t"),
  ],
  ["a mount on a process", "mounts[4].destination", mount("/proc/1", "tmpfs", "t")],
  ["a mount on settings", "mounts[4].destination", mount("/proc/sys", "bind", "rootfs", "bind")],
  ["a mount inside a file", "mounts[4]", mount("/bin/busybox/x", "tmpfs", "t")],
  ["a file system that there is not", "mounts[4].type", mount("/x", "oddfs", "x")],
  ["a source that is not there", "mounts[4].source", mount("/x", "bind", "nothing", "bind")],
  ["a file over a directory", "mounts[4]", mount("/bin", "bind", "config.json", "bind")],
  ["a directory over a file", "mounts[4]", mount("/bin/busybox", "bind", "rootfs", "bind")],
  ["a size that is none", "mounts[4]", mount("/x", "tmpfs", "t", "size=odd")],
  ["an option of another file system", "mounts[4]", mount("/x", "tmpfs", "t", "odd=1")],
  ["an overlay without layers", "mounts[4].options", mount("/x", "overlay", "o", "upperdir=/tmp")],
  ["a mount below a read-only /sys", "mounts[4]", mount("/sys/fs/odd", "tmpfs", "t")],
  [
    "an option that a bind mount lacks",
    "mounts[4].options[1]",
    mount("/x", "bind", "rootfs", "bind", "odd"),
    LAX,
  ],
];

const LINUX: readonly Refusal[] = [
  ["a namespace of no type", "linux.namespaces[0].type", linux({ namespaces: [{ type: "odd" }] })],
  ["a namespace twice", "linux.namespaces[5]", (c) => {
    Object.assign(c.linux, { namespaces: [...namespaces(c), { type: "uts" }] });
  }],
  [
    "a namespace that is not there",
    "linux.namespaces[0].path",
    linux({
      namespaces: [{ type: "network", path: "/no/such" }, { type: "uts" }, { type: "mount" }],
    }),
  ],
  [
    "a namespace by a relative path",
    "linux.namespaces[0].path",
    linux({
      namespaces: [{ type: "network", path: "proc" }, { type: "uts" }, { type: "mount" }],
    }),
  ],
  [
    "a file that is no namespace",
    "linux.namespaces[0].path",
    linux({
      namespaces: [{ type: "network", path: "/etc/passwd" }, { type: "uts" }, { type: "mount" }],
    }),
  ],
  ["new users without ids", "linux.uidMappings", (c) => {
    Object.assign(c.linux, { namespaces: [...namespaces(c), { type: "user" }] });
  }],
  [
    "ids without users",
    "linux.uidMappings",
    linux({ uidMappings: [{ containerID: 0, hostID: 1, size: 1 }] }),
    LAX,
  ],
  [
    "a setting that there is not",
    'linux.sysctl["kernel.msgodd"]',
    linux({ sysctl: { "kernel.msgodd": "1" } }),
  ],
  [
    "a setting of the network that there is not",
    'linux.sysctl["net.odd.odd"]',
    linux({ sysctl: { "net.odd.odd": "1" } }),
  ],
  [
    "a setting that its file does not take",
    'linux.sysctl["net.ipv4.ip_forward"]',
    linux({ sysctl: { "net.ipv4.ip_forward": "x" } }),
  ],
  [
    "a setting that is a number",
    'linux.sysctl["kernel.msgmax"]',
    linux({ sysctl: { "kernel.msgmax": 1 } }),
  ],
  [
    "the host name as a setting",
    'linux.sysctl["kernel.hostname"]',
    linux({ sysctl: { "kernel.hostname": "x" } }),
  ],
  [
    "a setting of the host's network",
    'linux.sysctl["net.ipv4.ip_forward"]',
    without("network", { sysctl: { "net.ipv4.ip_forward": "1" } }),
  ],
  [
    "a setting of the host's queues",
    'linux.sysctl["kernel.msgmax"]',
    without("ipc", { sysctl: { "kernel.msgmax": "1" } }),
  ],
  [
    "a device of no type",
    "linux.devices[0].type",
    linux({ devices: [{ path: "/dev/x", type: "z", major: 1, minor: 3 }] }),
  ],
  [
    "a device with a major in words",
    "linux.devices[0].major",
    linux({ devices: [{ path: "/dev/x", type: "c", major: "x", minor: 3 }] }),
  ],
  [
    "a device below a file",
    "linux.devices[0]",
    linux({ devices: [{ path: "/bin/busybox/x", type: "c", major: 1, minor: 3 }] }),
  ],
  ["propagation of no kind", "linux.rootfsPropagation", linux({ rootfsPropagation: "odd" })],
  [
    "a personality of no kind",
    "linux.personality.domain",
    linux({ personality: { domain: "ODD" } }),
    LAX,
  ],
  ["hidden paths in a string", "linux.maskedPaths", linux({ maskedPaths: "/proc/kcore" })],
  ["a relative read-only path", "linux.readonlyPaths[0]", linux({ readonlyPaths: ["proc"] }), LAX],
  ["a control group that is a number", "linux.cgroupsPath", linux({ cgroupsPath: 7 })],
  [
    "a control group above the others",
    "linux.cgroupsPath",
    linux({ cgroupsPath: "/a/../../b" }),
    LAX,
  ],
  ["Intel's cache allocation", "linux.intelRdt", linux({ intelRdt: { closID: "x" } }), LAX],
];

function namespaces(config: BundleConfig): readonly unknown[] {
  const list = config.linux["namespaces"];
  return Array.isArray(list) ? list : [];
}

const RESOURCES: readonly Refusal[] = [
  ["memory in words", "linux.resources.memory.limit", resources({ memory: { limit: "1m" } })],
  ["memory below zero", "linux.resources.memory", resources({ memory: { limit: -2 } })],
  [
    "swap below the memory",
    "linux.resources.memory",
    resources({ memory: { limit: 2 ** 28, swap: 2 ** 20 } }),
  ],
  [
    "swappiness beyond bounds",
    "linux.resources.memory.swappiness",
    resources({ memory: { swappiness: 500 } }),
  ],
  ["a share that is too small", "linux.resources.cpu.shares", resources({ cpu: { shares: 1 } })],
  ["a quota that is too small", "linux.resources.cpu", resources({ cpu: { quota: 10 } })],
  ["processors in words", "linux.resources.cpu.cpus", resources({ cpu: { cpus: "some" } })],
  ["processors that there are not", "linux.resources.cpu", resources({ cpu: { cpus: "4000" } })],
  ["memory nodes that there are not", "linux.resources.cpu", resources({ cpu: { mems: "77" } })],
  ["processes in words", "linux.resources.pids.limit", resources({ pids: { limit: "x" } })],
  [
    "pages of no size",
    "linux.resources.hugepageLimits",
    resources({ hugepageLimits: [{ pageSize: "3MB", limit: 0 }] }),
  ],
  [
    "a rule about no type of device",
    "linux.resources.devices[0].type",
    resources({ devices: [{ allow: true, type: "z" }] }),
  ],
  [
    "a rule that allows in words",
    "linux.resources.devices[0].allow",
    resources({ devices: [{ allow: "yes" }] }),
  ],
  [
    "a file outside of the group",
    'linux.resources.unified["../x"]',
    resources({ unified: { "../x": "1" } }),
  ],
];

const SECCOMP: readonly Refusal[] = [
  ["no such default", "linux.seccomp.defaultAction", seccomp({ defaultAction: "ODD" })],
  ["no such architecture", "linux.seccomp.architectures[0]", seccomp({ architectures: ["ODD"] })],
  ["no such flag", "linux.seccomp.flags[0]", seccomp({ flags: ["ODD"] })],
  ["no such action", "linux.seccomp.syscalls[0].action", rule({ action: "ODD" })],
  [
    "no such comparison",
    "linux.seccomp.syscalls[0].args[0].op",
    rule({ args: [{ index: 0, value: 1, op: "ODD" }] }),
  ],
  [
    "a seventh argument",
    "linux.seccomp.syscalls[0].args[0].index",
    rule({ args: [{ index: 6, value: 1, op: "SCMP_CMP_EQ" }] }),
  ],
  [
    "a value below zero",
    "linux.seccomp.syscalls[0].args[0].value",
    rule({ args: [{ index: 0, value: -1, op: "SCMP_CMP_EQ" }] }),
  ],
  [
    "a supervisor without a socket",
    "linux.seccomp.syscalls[0].action",
    rule({ action: "SCMP_ACT_NOTIFY" }),
  ],
  ["names in a string", "linux.seccomp.syscalls[0].names", rule({ names: "mkdir" })],
];

const HOOKS: readonly Refusal[] = [
  ["hooks that are a list", "hooks", (c) => c["hooks"] = []],
  ["a hook by a relative path", "hooks.prestart[0].path", hook("prestart", { path: "bin/true" })],
  ["a hook that is not there", "hooks.prestart[0]", hook("prestart", { path: "/no/such" })],
  [
    "a hook that may not be executed",
    "hooks.createRuntime[0]",
    hook("createRuntime", { path: "/etc/passwd" }),
  ],
  [
    "a hook with arguments in a string",
    "hooks.poststop[0].args",
    hook("poststop", { path: "/bin/true", args: "x" }),
  ],
  [
    "a hook with a time-out in words",
    "hooks.poststop[0].timeout",
    hook("poststop", { path: "/bin/true", timeout: "x" }),
  ],
  [
    "a hook without any time",
    "hooks.createRuntime[0].timeout",
    hook("createRuntime", { path: "/bin/true", timeout: 0 }),
    "sees either that its time is over or that it ended",
  ],
];

function caseOf([name, path, change, notRunc]: Refusal): LifecycleCase {
  return {
    name: `${name} (${path})`,
    ...(notRunc === undefined ? {} : { notRunc }),
    async run(t) {
      const config = shellConfig("echo it runs");
      change(config, t);
      t.bundle.write(config);
      Deno.writeTextFileSync(t.file("err"), "");
      const { code } = await t.detached(["create", "--bundle", t.bundle.dir, t.id]);
      if (code === 0) await t.call("delete", "--force", t.id);
      const message = t.text("err");
      assertEquals([code, t.text("out")], [1, ""], message);
      assert(message !== "", "no message");
      if (t.runtime !== "dvisor") return;
      const where = `config.json: ${path}`;
      assert(message.includes(where), `no ${where} in ${message}`);
      assertEquals([message.trim().split("\n").length, message.length < 1000], [1, true], message);
      assertEquals(t.containers(), []);
    },
  };
}

export const REFUSALS: readonly LifecycleCase[] = [
  ...[...PROCESS, ...ROOT, ...MOUNTS, ...LINUX, ...RESOURCES, ...SECCOMP, ...HOOKS],
].map(caseOf);
