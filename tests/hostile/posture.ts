/**
 * What /proc shows of a host process of a sandbox: its rights, namespaces and descriptors. Not a
 * test. Neighbours: posture_test.ts (of `do`), container_posture_test.ts.
 */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import {
  CAP_CHOWN,
  CAP_DAC_OVERRIDE,
  CAP_DAC_READ_SEARCH,
  CAP_FOWNER,
  CAP_FSETID,
  CAP_MKNOD,
  CAP_SETFCAP,
} from "../../ffi/abi/capability.ts";
import { O_ACCMODE, O_PATH, O_RDONLY } from "../../ffi/abi/fcntl.ts";

export const SECRET = "POSTURE_SECRET=of-the-host";
/** An ordinary user of this machine. */
export const USER = 1000;
const isCompiled = Deno.env.get("DVISOR_FROM_SOURCES") === undefined;
/** A uid that owns nothing: the Sentry's, where all users may read the file of its program. */
export const NOBODY = isCompiled ? 65534 : 0;

/** Kinds of namespaces that Sentry and Gofer have for themselves. */
export const FRESH = ["user", "pid", "mnt", "ipc", "uts", "net"];

export const GOFER_CAPABILITIES = [
  CAP_CHOWN,
  CAP_DAC_OVERRIDE,
  CAP_DAC_READ_SEARCH,
  CAP_FOWNER,
  CAP_FSETID,
  CAP_MKNOD,
  CAP_SETFCAP,
];

export function read(path: string): string {
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

export function namespaces(pid: number | "self"): Record<string, string> {
  const kinds = ["user", "pid", "mnt", "ipc", "uts", "net"];
  return Object.fromEntries(kinds.map((k) => [k, Deno.readLinkSync(`/proc/${pid}/ns/${k}`)]));
}

export function assertNamespaces(pid: number, own: readonly string[], what: string): void {
  const host = namespaces("self");
  for (const [kind, found] of Object.entries(namespaces(pid))) {
    const compare = own.includes(kind) ? assertNotEquals : assertEquals;
    compare(found, host[kind], `${what}: namespace ${kind}`);
  }
}

/** Every thread, since credentials and filters are a thread's own. */
export function assertThreads(
  pid: number,
  uid: number,
  kept: readonly number[],
  what: string,
  passed: readonly number[] = [],
): void {
  for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
    const status = read(`/proc/${pid}/task/${name}/status`);
    const where = `${what}, thread ${name}`;
    for (const set of ["CapEff", "CapPrm"]) {
      assertEquals(capabilities(status, set), kept, `${where}: ${set}`);
    }
    const bound = passed.length === 0 ? kept : [];
    assertEquals(capabilities(status, "CapBnd"), bound, `${where}: CapBnd`);
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

/** Files of /proc of a process that is not dumpable belong to root, whatever its uid. */
export function assertNotDumpable(pid: number, uid: number, what: string): void {
  if (uid !== 0) assertEquals(Deno.statSync(`/proc/${pid}/environ`).uid, 0, `${what}: dumpable`);
}

export function assertLimits(pid: number, what: string): void {
  const core = /^Max core file size +(\S+) +(\S+)/m.exec(read(`/proc/${pid}/limits`));
  assertEquals([core?.[1], core?.[2]], ["0", "0"], `${what}: core files`);
}

export function assertEmptyRoot(pid: number, what: string): void {
  const names = [...Deno.readDirSync(`/proc/${pid}/root`)].map((e) => e.name);
  assertEquals(names, [], `${what}: the root directory`);
}

export function assertNoEnvironment(pid: number, what: string): void {
  assert(!read(`/proc/${pid}/environ`).includes(SECRET), `${what} has the caller's environment`);
}

interface Descriptor {
  readonly number: string;
  readonly target: string;
  readonly flags: number;
}

export function descriptors(pid: number): Descriptor[] {
  const out: Descriptor[] = [];
  for (const { name } of Deno.readDirSync(`/proc/${pid}/fd`)) {
    const target = Deno.readLinkSync(`/proc/${pid}/fd/${name}`);
    const info = read(`/proc/${pid}/fdinfo/${name}`);
    out.push({ number: name, target, flags: parseInt(field(info, "flags"), 8) });
  }
  return out;
}

/**
 * Inode numbers of UNIX sockets without a name, or with that of a container's control socket, in
 * the network namespaces of these processes.
 */
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

/** No descriptor is open by accident: each is of a kind in the list, or `mayBe` allows it. */
export function assertDescriptors(
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
export function isReadOnlyFile(d: Descriptor): boolean {
  return d.target.startsWith("/") && (d.flags & O_ACCMODE) === O_RDONLY &&
    (d.flags & O_PATH) === 0 && !d.target.endsWith("/");
}

export function isHeldPath(d: Descriptor): boolean {
  return d.target.startsWith("/") && (d.flags & O_PATH) !== 0;
}
