/**
 * The posture of a running sandbox's host processes, as /proc shows it: what the Sentry, the Gofer and the stubs are without.
 * Each line of SECURITY.md about their isolation has its assertion here. Neighbours: `trace_test.ts` (what they call),
 * `gofer/main_test.ts` (the Gofer alone).
 */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH } from "../../ffi/abi/capability.ts";
import {
  CAP_FOWNER,
  CAP_FSETID,
  CAP_MKNOD,
  CAP_NET_BIND_SERVICE,
  CAP_SETFCAP,
} from "../../ffi/abi/capability.ts";
import { O_ACCMODE, O_PATH, O_RDONLY } from "../../ffi/abi/fcntl.ts";
import { doCommand } from "../harness/dvisor.ts";
import { hasCommand, isRoot, named } from "../harness/machine.ts";
import type { SandboxProcess } from "../harness/processes.ts";
import { Session } from "../harness/session.ts";
import { BUSYBOX } from "../oci/bundle.ts";
import { becomeSubreaper, endAll, Lifecycle } from "../oci/lifecycle.ts";

const SECRET = "POSTURE_SECRET=of-the-host";
/** An ordinary user of this machine. */
const USER = 1000;
const isCompiled = Deno.env.get("DVISOR_FROM_SOURCES") === undefined;
/** Who owns nothing; what the Sentry becomes where its program is a file that everybody may read. */
const NOBODY = isCompiled ? 65534 : 0;

const GOFER_CAPABILITIES = [
  CAP_CHOWN,
  CAP_DAC_OVERRIDE,
  CAP_DAC_READ_SEARCH,
  CAP_FOWNER,
  CAP_FSETID,
  CAP_MKNOD,
  CAP_SETFCAP,
];

function read(path: string): string {
  return Deno.readTextFileSync(path);
}

function field(status: string, name: string): string {
  const value = new RegExp(`^${name}:[ \\t]*(.*)$`, "m").exec(status)?.[1];
  assert(value !== undefined, `${name} in a status file`);
  return value.trim();
}

/** The numbers in a mask of capabilities. */
function capabilities(status: string, name: string): number[] {
  const bits = BigInt(`0x${field(status, name)}`), out: number[] = [];
  for (let cap = 0; cap < 64; cap++) if ((bits >> BigInt(cap) & 1n) === 1n) out.push(cap);
  return out;
}

function namespaces(pid: number | "self"): Record<string, string> {
  const kinds = ["user", "pid", "mnt", "ipc", "uts", "net"];
  return Object.fromEntries(kinds.map((k) => [k, Deno.readLinkSync(`/proc/${pid}/ns/${k}`)]));
}

function assertNamespaces(pid: number, own: readonly string[], what: string): void {
  const host = namespaces("self");
  for (const [kind, found] of Object.entries(namespaces(pid))) {
    const compare = own.includes(kind) ? assertNotEquals : assertEquals;
    compare(found, host[kind], `${what}: namespace ${kind}`);
  }
}

/** Every thread, since credentials and filters are a thread's own. */
function assertThreads(
  pid: number,
  uid: number,
  kept: readonly number[],
  what: string,
  passed: readonly number[] = [],
): void {
  for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
    const status = read(`/proc/${pid}/task/${name}/status`);
    const where = `${what}, thread ${name}`;
    for (const set of ["CapEff", "CapPrm", "CapBnd"]) {
      assertEquals(capabilities(status, set), kept, `${where}: ${set}`);
    }
    for (const set of ["CapInh", "CapAmb"]) {
      assertEquals(capabilities(status, set), passed, `${where}: ${set}`);
    }
    assertEquals(field(status, "Seccomp"), "2", `${where}: seccomp filter`);
    assertEquals(field(status, "NoNewPrivs"), "1", `${where}: no_new_privs`);
    assertEquals(field(status, "Uid").split(/\s+/), new Array(4).fill(String(uid)), where);
    assertEquals(field(status, "Gid").split(/\s+/), new Array(4).fill(String(uid)), where);
    assert(field(status, "Groups") === "" || uid === USER, `${where}: groups`);
  }
}

/** Files of /proc of a process that is not dumpable belong to root, whoever it is. */
function assertNotDumpable(pid: number, uid: number, what: string): void {
  if (uid !== 0) assertEquals(Deno.statSync(`/proc/${pid}/environ`).uid, 0, `${what}: dumpable`);
}

function assertLimits(pid: number, what: string): void {
  const core = /^Max core file size +(\S+) +(\S+)/m.exec(read(`/proc/${pid}/limits`));
  assertEquals([core?.[1], core?.[2]], ["0", "0"], `${what}: core files`);
}

function assertEmptyRoot(pid: number, what: string): void {
  const names = [...Deno.readDirSync(`/proc/${pid}/root`)].map((e) => e.name);
  assertEquals(names, [], `${what}: the root directory`);
}

function assertNoEnvironment(pid: number, what: string): void {
  assert(!read(`/proc/${pid}/environ`).includes(SECRET), `${what} has the caller's environment`);
}

interface Descriptor {
  readonly number: string;
  readonly target: string;
  readonly flags: number;
}

function descriptors(pid: number): Descriptor[] {
  const out: Descriptor[] = [];
  for (const { name } of Deno.readDirSync(`/proc/${pid}/fd`)) {
    const target = Deno.readLinkSync(`/proc/${pid}/fd/${name}`);
    const info = read(`/proc/${pid}/fdinfo/${name}`);
    out.push({ number: name, target, flags: parseInt(field(info, "flags"), 8) });
  }
  return out;
}

/** Inode numbers of UNIX sockets without a name, or with that of a container's control socket, in the network namespaces of these processes. */
function knownSockets(...pids: (number | "self")[]): Set<string> {
  const out = new Set<string>();
  for (const pid of pids) {
    for (const line of read(`/proc/${pid}/net/unix`).split("\n").slice(1)) {
      const [, , , , , , inode, path] = line.trim().split(/\s+/);
      const isKnown = path === undefined || path.endsWith("/control.sock");
      if (inode !== undefined && isKnown) out.add(inode);
    }
  }
  return out;
}

/** Nothing that was open by accident: all is of a kind in the list, or `mayBe` allows it. */
function assertDescriptors(
  pid: number,
  stdio: ReadonlySet<string>,
  mayBe: (d: Descriptor) => boolean,
  what: string,
): void {
  const sockets = knownSockets("self", pid);
  for (const d of descriptors(pid)) {
    const socket = /^socket:\[(\d+)\]$/.exec(d.target)?.[1];
    const isFine = /^(\/dev)?\/null$/.test(d.target) ||
      /^anon_inode:\[(eventpoll|eventfd|pidfd|signalfd|timerfd)\]$/.test(d.target) ||
      /^\/memfd:dvisor-/.test(d.target) || stdio.has(d.target) ||
      (socket !== undefined && sockets.has(socket)) || mayBe(d);
    assert(isFine, `${what}: descriptor ${d.number} is ${d.target}, flags ${d.flags.toString(8)}`);
  }
}

/** A guest's file that was given to be read. */
function isReadOnlyFile(d: Descriptor): boolean {
  return d.target.startsWith("/") && (d.flags & O_ACCMODE) === O_RDONLY &&
    (d.flags & O_PATH) === 0 && !d.target.endsWith("/");
}

function isHeldPath(d: Descriptor): boolean {
  return d.target.startsWith("/") && (d.flags & O_PATH) !== 0;
}

function one(session: Session, role: SandboxProcess["role"]): number {
  const pids = session.processes().filter((p) => p.role === role).map((p) => p.pid);
  assert(pids.length > 0, `no ${role} among the processes`);
  assertEquals(role === "stub" ? 1 : pids.length, 1, role);
  return pids[0] ?? 0;
}

function ownPipes(): string[] {
  const fds = [...Deno.readDirSync("/proc/self/fd")].map((e) => `/proc/self/fd/${e.name}`);
  return fds.flatMap((path) => {
    try {
      const target = Deno.readLinkSync(path);
      return target.startsWith("pipe:") ? [target] : [];
    } catch {
      return []; // the one that listed them
    }
  });
}

/** Starts a sandbox that waits, shows its processes to `body`, and ends it. */
async function inSandbox(
  prefix: readonly string[],
  body: (session: Session, stdio: ReadonlySet<string>) => void,
): Promise<void> {
  const guest = ["sh", "-c", "echo ready; read line"];
  const session = await Session.start([
    ...prefix,
    "env",
    SECRET,
    ...doCommand("systrap"),
    ...guest,
  ]);
  try {
    // What the caller gave it are pipes whose other ends are here; the waiter lets go of them.
    body(session, new Set(ownPipes()));
  } finally {
    await session.destroy();
  }
}

const noBusybox = BUSYBOX === null ? "no static busybox on this machine" : null;
const noRoot = isRoot ? null : "not root";

Deno.test({
  ...named("root's sandbox: the Sentry has nothing, the Gofer what serving files takes", noRoot),
  fn: async () => {
    await inSandbox([], (session, stdio) => {
      const sentry = one(session, "sentry"), gofer = one(session, "gofer");
      const fresh = ["pid", "mnt", "ipc", "uts", "net"];
      assertNamespaces(sentry, fresh, "Sentry");
      assertNamespaces(gofer, fresh, "Gofer");
      const a = namespaces(sentry), b = namespaces(gofer);
      for (const kind of fresh) assertNotEquals(a[kind], b[kind], `the two share ${kind}`);

      assertThreads(sentry, NOBODY, [], "Sentry");
      assertThreads(gofer, 0, GOFER_CAPABILITIES, "Gofer");
      for (const [pid, what] of [[sentry, "Sentry"], [gofer, "Gofer"]] as const) {
        assertEmptyRoot(pid, what);
        assertLimits(pid, what);
        assertNoEnvironment(pid, what);
      }
      assertNotDumpable(sentry, NOBODY, "Sentry");
      assertDescriptors(sentry, stdio, isReadOnlyFile, "Sentry");
      assertDescriptors(gofer, stdio, isHeldPath, "Gofer");
    });
  },
});

Deno.test({
  ...named("root's sandbox: stubs, which run the guest, have even less", noRoot),
  fn: async () => {
    await inSandbox([], (session, stdio) => {
      const sentry = namespaces(one(session, "sentry"));
      for (const { pid, role } of session.processes()) {
        if (role !== "stub") continue;
        assertEquals(namespaces(pid), sentry);
        assertThreads(pid, NOBODY, [], `stub ${pid}`);
        assertLimits(pid, `stub ${pid}`);
        assertEmptyRoot(pid, `stub ${pid}`);
        assertNoEnvironment(pid, `stub ${pid}`);
        for (const d of descriptors(pid)) {
          assert(!stdio.has(d.target), `stub ${pid} holds the caller's ${d.target}`);
        }
        assertDescriptors(pid, new Set(), isReadOnlyFile, `stub ${pid}`);
      }
    });
  },
});

const noUser = noRoot ?? (hasCommand("setpriv") ? null : "no setpriv on this machine");

Deno.test({
  ...named("an ordinary user's sandbox has no capability and lives in user namespaces", noUser),
  fn: async () => {
    const become = ["setpriv", `--reuid=${USER}`, `--regid=${USER}`, "--clear-groups"];
    await inSandbox(become, (session, stdio) => {
      const sentry = one(session, "sentry"), gofer = one(session, "gofer");
      assertNamespaces(sentry, ["user", "pid", "mnt", "ipc", "uts", "net"], "Sentry");
      assertThreads(sentry, USER, [], "Sentry");
      assertEmptyRoot(sentry, "Sentry");
      assertDescriptors(sentry, stdio, isReadOnlyFile, "Sentry");
      assertDescriptors(gofer, stdio, isHeldPath, "Gofer");
      for (const [pid, what] of [[sentry, "Sentry"], [gofer, "Gofer"]] as const) {
        assertNotDumpable(pid, USER, what);
        assertLimits(pid, what);
        assertNoEnvironment(pid, what);
      }
    });
  },
});

/** The pids of a container's Sentry and Gofer. */
function processesOfContainer(c: Lifecycle): { sentry: number; gofer: number } {
  const { sentry, gofer } = JSON.parse(read(`${c.root}/${c.id}/state.json`));
  return { sentry: sentry.pid, gofer: gofer.pid };
}

Deno.test({
  ...named("a container's processes are as a sandbox's of `do`", noRoot ?? noBusybox),
  fn: async () => {
    becomeSubreaper();
    const c = new Lifecycle("dvisor");
    // The Sentry keeps what the container may have of it: here, ports below 1024.
    const bind = ["CAP_CHOWN", "CAP_NET_BIND_SERVICE"];
    c.config.process["capabilities"] = { bounding: bind, effective: bind, permitted: bind };
    try {
      await c.running("sleep 60");
      const { sentry, gofer } = processesOfContainer(c);
      const proxy = namespaces(c.pid), fresh = ["pid", "mnt", "ipc", "uts", "net"];
      for (const pid of [c.pid, sentry, gofer]) assertNamespaces(pid, fresh, `process ${pid}`);
      for (const [kind, found] of Object.entries(namespaces(sentry))) {
        const isShared = kind === "net" || kind === "user";
        (isShared ? assertEquals : assertNotEquals)(found, proxy[kind], `Sentry: ${kind}`);
      }
      const net = [CAP_NET_BIND_SERVICE];
      assertThreads(sentry, NOBODY, net, "Sentry", net);
      assertThreads(gofer, 0, GOFER_CAPABILITIES, "Gofer");
      assertNotDumpable(sentry, NOBODY, "Sentry");
      const given = new Set(["out", "err"].map((name) => c.file(name)));
      given.add(`${c.root}/${c.id}/sandbox.log`);
      assertDescriptors(sentry, given, isReadOnlyFile, "Sentry");
      assertDescriptors(gofer, given, isHeldPath, "Gofer");
      for (const [pid, what] of [[sentry, "Sentry"], [gofer, "Gofer"]] as const) {
        assertEmptyRoot(pid, what);
        assertLimits(pid, what);
        const groups = read(`/proc/${pid}/cgroup`);
        assertEquals(groups, read(`/proc/${c.pid}/cgroup`), `${what}: control groups`);
      }
    } finally {
      await endAll([c]);
    }
  },
});
