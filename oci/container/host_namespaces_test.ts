import { assertEquals, assertThrows } from "@std/assert";
import { CLONE_NEWNET, CLONE_NEWPID, CLONE_NEWUSER } from "../../ffi/abi/sched.ts";
import type { NamespaceEntry } from "../spec/linux_section.ts";
import type { ContainerRecord } from "../state/record.ts";
import { recordOf } from "../state/record_testing.ts";
import { UserError } from "../user_error.ts";
import {
  findSandbox,
  namespaceInode,
  openNamespaces,
  sharedNamespaces,
} from "./host_namespaces.ts";

function record(id: string, namespaces: Record<string, number>): ContainerRecord {
  return recordOf(id, { status: "running", namespaces });
}

const none = new Map<string, string>();
const ownPid = namespaceInode("/proc/self/ns/pid"), ownIpc = namespaceInode("/proc/self/ns/ipc");

function joining(type: NamespaceEntry["type"], name: string): NamespaceEntry[] {
  return [{ type: "mount", path: null }, { type, path: `/proc/self/ns/${name}` }];
}

Deno.test("new namespaces are flags; the one of users is entered first", () => {
  const made = openNamespaces([{ type: "pid", path: null }, { type: "network", path: null }]);
  assertEquals([made.created, made.entered.length], [CLONE_NEWPID + CLONE_NEWNET, 0]);
  const entered = openNamespaces([
    { type: "network", path: "/proc/self/ns/net" },
    { type: "user", path: "/proc/self/ns/user" },
  ]);
  assertEquals(entered.entered.map((ns) => ns.flag), [CLONE_NEWUSER, CLONE_NEWNET]);
  entered.close();
});

Deno.test("a path that cannot be used is named", () => {
  const entries: NamespaceEntry[] = [{ type: "mount", path: null }, {
    type: "ipc",
    path: "/no/such",
  }];
  assertThrows(() => openNamespaces(entries), UserError, "config.json: linux.namespaces[1].path");
});

Deno.test("annotations name the sandbox, for each client in its way", () => {
  const records = [record("s", {}), record("other", {})];
  const named = (...pairs: [string, string][]) =>
    findSandbox(new Map(pairs), [], () => records)?.id ?? null;
  const cri = "io.kubernetes.cri", crio = "io.kubernetes.cri-o";
  assertEquals(named([`${cri}.container-type`, "container"], [`${cri}.sandbox-id`, "s"]), "s");
  assertEquals(named([`${cri}.container-type`, "sandbox"], [`${cri}.sandbox-id`, "s"]), null);
  assertEquals(named([`${crio}.ContainerType`, "container"], [`${crio}.SandboxID`, "s"]), "s");
  assertEquals(named([`${crio}.SandboxID`, "s"]), "s");
  assertEquals(named([`${crio}.SandboxID`, "gone"]), null);
});

Deno.test("only a PID or IPC namespace of another container leads to its sandbox", () => {
  const records = [record("a", { pid: 1, ipc: 2 }), record("b", { pid: ownPid, ipc: ownIpc })];
  const of = (entries: NamespaceEntry[]) => findSandbox(none, entries, () => records)?.id ?? null;
  assertEquals(of(joining("pid", "pid")), "b");
  assertEquals(of(joining("ipc", "ipc")), "b");
  assertEquals(of(joining("network", "net")), null);
  assertEquals(of([{ type: "pid", path: null }]), null);
});

Deno.test("sharing in a sandbox is decided for each namespace", () => {
  const members = [record("a", { pid: 1, ipc: ownIpc }), record("b", { pid: ownPid, ipc: 3 })];
  const entries = [...joining("pid", "pid"), ...joining("ipc", "ipc")];
  assertEquals(sharedNamespaces(entries, members), { pid: "b", ipc: "a", uts: null, time: null });
});
