/**
 * The posture of a container's host processes, as /proc shows it: of one that makes a sandbox, of
 * one that joins it, of one in a network that others have made, and of an ordinary user's.
 * Neighbours: `posture_test.ts` (of `do`), `posture.ts`.
 */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { CAP_NET_BIND_SERVICE } from "../../ffi/abi/capability.ts";
import { isRoot, named } from "../harness/machine.ts";
import { asUser, noOwnHost } from "../harness/own_host.ts";
import { eventually, processesOf } from "../harness/processes.ts";
import { BUSYBOX } from "../oci/bundle.ts";
import { becomeSubreaper, endAll, Lifecycle } from "../oci/lifecycle.ts";
import * as P from "./posture.ts";

const SOON_MS = 10_000;
const noContainer = !isRoot
  ? "not root"
  : BUSYBOX === null
  ? "no static busybox on this machine"
  : null;
const noUser = noContainer ?? noOwnHost();

/** Of a container's processes, and of those that run guests of its sandbox. */
interface Pids {
  readonly proxy: number;
  readonly sentry: number;
  readonly gofer: number;
  readonly stubs: readonly number[];
}

function pidsOf(c: Lifecycle): Pids {
  const { sentry, gofer } = JSON.parse(P.read(`${c.root}/${c.id}/state.json`));
  const stubs = processesOf(sentry.pid).filter(({ role }) => role === "stub");
  assert(stubs.length > 0, "no stubs");
  return {
    proxy: c.pid,
    sentry: sentry.pid,
    gofer: gofer.pid,
    stubs: stubs.map(({ pid }) => pid),
  };
}

/** Capabilities of a container; the Sentry keeps of them what host networking takes. */
function allow(c: Lifecycle, names: readonly string[]): void {
  c.config.process["capabilities"] = { bounding: names, effective: names, permitted: names };
}

/** Files that its processes were given. */
function given(c: Lifecycle): Set<string> {
  const names = ["out", "err"].map((name) => c.file(name));
  return new Set([...names, `${c.root}/${c.id}/sandbox.log`]);
}

function assertSentry(c: Lifecycle, uid: number, kept: readonly number[]): void {
  const { sentry } = pidsOf(c);
  P.assertThreads(sentry, uid, kept, "Sentry", kept);
  P.assertNotDumpable(sentry, uid, "Sentry");
  P.assertEmptyRoot(sentry, "Sentry");
  P.assertLimits(sentry, "Sentry");
  P.assertDescriptors(sentry, given(c), P.isReadOnlyFile, "Sentry");
}

function assertGofer(c: Lifecycle, uid: number, own: readonly string[] = P.FRESH): void {
  const { gofer, sentry } = pidsOf(c), kept = P.GOFER_CAPABILITIES;
  P.assertNamespaces(gofer, own, "Gofer");
  P.assertThreads(gofer, uid, kept, "Gofer");
  P.assertEmptyRoot(gofer, "Gofer");
  P.assertLimits(gofer, "Gofer");
  P.assertDescriptors(gofer, given(c), P.isHeldPath, "Gofer");
  const a = P.namespaces(gofer), b = P.namespaces(sentry);
  for (const kind of P.FRESH) assertNotEquals(a[kind], b[kind], `Gofer and Sentry share ${kind}`);
}

/** The proxy, whose pid clients know: it holds a socket, and nothing else. @param own namespaces */
function assertProxy(c: Lifecycle, uid: number, own: readonly string[]): void {
  const { proxy } = pidsOf(c);
  P.assertNamespaces(proxy, own, "proxy");
  P.assertThreads(proxy, uid, [], "proxy");
  P.assertLimits(proxy, "proxy");
  assertEquals(P.read(`/proc/${proxy}/environ`), "", "proxy: environment");
  P.assertDescriptors(proxy, new Set(), () => false, "proxy");
}

/** The zygote, what further containers' are copies of, and those that run guests. */
function assertStubs(c: Lifecycle, uid: number): void {
  const { sentry, stubs } = pidsOf(c), where = P.namespaces(sentry);
  for (const pid of stubs) {
    const what = `stub ${pid}`;
    assertEquals(P.namespaces(pid), where, what);
    P.assertThreads(pid, uid, [], what);
    P.assertLimits(pid, what);
    P.assertEmptyRoot(pid, what);
    assertEquals(P.read(`/proc/${pid}/environ`), "", `${what}: environment`);
    P.assertDescriptors(pid, new Set(), P.isReadOnlyFile, what);
  }
}

async function withContainer(c: Lifecycle, body: () => Promise<void> | void): Promise<void> {
  becomeSubreaper();
  try {
    await c.running("echo up; sleep 60");
    await c.until("up");
    await body();
  } finally {
    await endAll([c]);
  }
}

Deno.test({
  ...named("a container's processes have only what they need", noContainer),
  fn: async () => {
    const c = new Lifecycle("dvisor");
    allow(c, ["CAP_CHOWN", "CAP_NET_BIND_SERVICE"]);
    await withContainer(c, () => {
      const { sentry, gofer, proxy } = pidsOf(c);
      P.assertNamespaces(sentry, P.FRESH, "Sentry");
      const a = P.namespaces(sentry), b = P.namespaces(proxy);
      for (const kind of P.FRESH) {
        // What the Sentry keeps counts in that network alone.
        const compare = kind === "net" ? assertEquals : assertNotEquals;
        compare(a[kind], b[kind], `Sentry and proxy: ${kind}`);
      }
      assertSentry(c, P.NOBODY, [CAP_NET_BIND_SERVICE]);
      assertEquals(P.read(`/proc/${sentry}/uid_map`), "", "Sentry: ids");
      assertGofer(c, 0);
      assertProxy(c, 0, P.FRESH.filter((kind) => kind !== "user"));
      assertStubs(c, P.NOBODY);
      const groups = P.read(`/proc/${proxy}/cgroup`);
      for (const pid of [sentry, gofer]) assertEquals(P.read(`/proc/${pid}/cgroup`), groups);
    });
  },
});

Deno.test({
  ...named(
    "a container that joins a sandbox has a Gofer and stubs of its own, as confined",
    noContainer,
  ),
  fn: async () => {
    const c = new Lifecycle("dvisor"), member = new Lifecycle("dvisor", c.root);
    member.config["annotations"] = {
      "io.kubernetes.cri.container-type": "container",
      "io.kubernetes.cri.sandbox-id": c.id,
    };
    await withContainer(c, () =>
      withContainer(member, () => {
        const own = pidsOf(member), first = pidsOf(c);
        assertEquals(own.sentry, first.sentry);
        assertGofer(member, 0);
        const a = P.namespaces(own.gofer), b = P.namespaces(first.gofer);
        for (const kind of P.FRESH) assertNotEquals(a[kind], b[kind], `Gofers share ${kind}`);
        assertProxy(member, 0, P.FRESH.filter((kind) => kind !== "user"));
        assertStubs(member, P.NOBODY);
        const files = new Set([...given(c), ...given(member)]);
        P.assertDescriptors(own.sentry, files, P.isReadOnlyFile, "Sentry");
      }));
  },
});

Deno.test({
  ...named(
    "in a network that others have made capabilities cost the Sentry its own users",
    noContainer,
  ),
  fn: async () => {
    const other = new Deno.Command("unshare", { args: ["-n", "sleep", "60"] }).spawn();
    try {
      const path = `/proc/${other.pid}/ns/net`, host = P.namespaces("self");
      const isThere = () => Deno.readLinkSync(path) !== host["net"];
      assert(await eventually(isThere, SOON_MS), "no other network");
      for (const names of [["CAP_CHOWN"], ["CAP_NET_BIND_SERVICE"]]) {
        const c = new Lifecycle("dvisor"),
          kept = names[0] === "CAP_CHOWN" ? [] : [
            CAP_NET_BIND_SERVICE,
          ];
        allow(c, names);
        c.config.linux["namespaces"] = [
          ...["pid", "ipc", "uts", "mount"].map((type) => ({ type })),
          { type: "network", path },
        ];
        await withContainer(c, () => {
          const { sentry } = pidsOf(c), found = P.namespaces(sentry);
          assertEquals(found["net"], Deno.readLinkSync(path));
          (kept.length === 0 ? assertNotEquals : assertEquals)(found["user"], host["user"]);
          assertSentry(c, P.NOBODY, kept);
          assertGofer(c, 0);
          assertStubs(c, P.NOBODY);
        });
      }
    } finally {
      other.kill("SIGKILL");
      await other.status;
    }
  },
});

/** A container that an ordinary user makes. */
class Rootless extends Lifecycle {
  constructor() {
    super("dvisor");
    const ids = [{ containerID: 0, hostID: P.USER, size: 1 }];
    this.config.linux = {
      namespaces: ["user", "pid", "network", "ipc", "uts", "mount"].map((type) => ({ type })),
      uidMappings: ids,
      gidMappings: ids,
    };
    // Its group may not be one of those that are mapped.
    const { mounts } = this.config;
    const kept = mounts.filter((mount) => !JSON.stringify(mount).includes("/dev/pts"));
    mounts.splice(0, mounts.length, ...kept);
  }

  override argv(...args: string[]): string[] {
    return asUser(P.USER, super.argv(...args));
  }

  override create(...options: string[]) {
    const { dir } = this.bundle;
    for (const file of ["out", "err", "pid"]) Deno.writeTextFileSync(`${dir}/${file}`, "");
    new Deno.Command("chown", { args: ["-R", `${P.USER}:${P.USER}`, dir] }).outputSync();
    return super.create(...options);
  }
}

Deno.test({
  ...named("an ordinary user's container has no capability, and users of its own", noUser),
  fn: async () => {
    const c = new Rootless();
    await withContainer(c, () => {
      const { sentry, gofer, proxy } = pidsOf(c);
      P.assertNamespaces(sentry, P.FRESH, "Sentry");
      assertSentry(c, P.USER, []);
      // Without privilege, no PID namespace is made for a process in another user namespace.
      assertGofer(c, P.USER, P.FRESH.filter((kind) => kind !== "pid"));
      assertProxy(c, P.USER, P.FRESH);
      assertStubs(c, P.USER);
      assertEquals(P.namespaces(gofer)["user"], P.namespaces(proxy)["user"]);
    });
  },
});
