/**
 * The rights of a running sandbox's host processes, as /proc shows them: Sentry, Gofer and stubs.
 * Each line of SECURITY.md about their isolation has its assertion here. Neighbours:
 * `container_posture_test.ts`, `trace_test.ts` (their calls), `gofer/main_test.ts` (the Gofer
 * alone).
 */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { doCommand } from "../harness/dvisor.ts";
import { isRoot, named } from "../harness/machine.ts";
import { asUser, noOwnHost } from "../harness/own_host.ts";
import type { SandboxProcess } from "../harness/processes.ts";
import { Session } from "../harness/session.ts";
import * as P from "./posture.ts";

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

/**
 * Starts a sandbox that waits, shows its processes to `body`, and ends it.
 *
 * @param user runs it; null: this process's
 */
async function inSandbox(
  user: number | null,
  body: (session: Session, stdio: ReadonlySet<string>) => void,
): Promise<void> {
  const guest = ["sh", "-c", "echo ready; read line"];
  const command = ["env", P.SECRET, ...doCommand("systrap"), ...guest];
  const session = await Session.start(user === null ? command : asUser(user, command));
  try {
    // What the caller gave it are pipes whose other ends are here; the waiter lets go of them.
    body(session, new Set(ownPipes()));
  } finally {
    await session.destroy();
  }
}

const noRoot = isRoot ? null : "not root";

Deno.test({
  ...named("root's sandbox: the Sentry has nothing, the Gofer what serving files takes", noRoot),
  fn: async () => {
    await inSandbox(null, (session, stdio) => {
      const sentry = one(session, "sentry"), gofer = one(session, "gofer");
      P.assertNamespaces(sentry, P.FRESH, "Sentry");
      P.assertNamespaces(gofer, P.FRESH, "Gofer");
      const a = P.namespaces(sentry), b = P.namespaces(gofer);
      for (const kind of P.FRESH) assertNotEquals(a[kind], b[kind], `the two share ${kind}`);

      P.assertThreads(sentry, P.NOBODY, [], "Sentry");
      P.assertThreads(gofer, 0, P.GOFER_CAPABILITIES, "Gofer");
      for (const [pid, what] of [[sentry, "Sentry"], [gofer, "Gofer"]] as const) {
        P.assertEmptyRoot(pid, what);
        P.assertLimits(pid, what);
        P.assertNoEnvironment(pid, what);
      }
      P.assertNotDumpable(sentry, P.NOBODY, "Sentry");
      P.assertDescriptors(sentry, stdio, P.isReadOnlyFile, "Sentry");
      P.assertDescriptors(gofer, stdio, P.isHeldPath, "Gofer");
    });
  },
});

Deno.test({
  ...named("root's sandbox: stubs, which run the guest, have even less", noRoot),
  fn: async () => {
    await inSandbox(null, (session, stdio) => {
      const sentry = P.namespaces(one(session, "sentry"));
      for (const { pid, role } of session.processes()) {
        if (role !== "stub") continue;
        assertEquals(P.namespaces(pid), sentry);
        P.assertThreads(pid, P.NOBODY, [], `stub ${pid}`);
        P.assertLimits(pid, `stub ${pid}`);
        P.assertEmptyRoot(pid, `stub ${pid}`);
        P.assertNoEnvironment(pid, `stub ${pid}`);
        for (const d of P.descriptors(pid)) {
          assert(!stdio.has(d.target), `stub ${pid} holds the caller's ${d.target}`);
        }
        P.assertDescriptors(pid, new Set(), P.isReadOnlyFile, `stub ${pid}`);
      }
    });
  },
});

const noUser = noRoot ?? noOwnHost();

Deno.test({
  ...named("an ordinary user's sandbox has no capability and lives in user namespaces", noUser),
  fn: async () => {
    await inSandbox(P.USER, (session, stdio) => {
      const sentry = one(session, "sentry"), gofer = one(session, "gofer");
      P.assertNamespaces(sentry, P.FRESH, "Sentry");
      P.assertThreads(sentry, P.USER, [], "Sentry");
      P.assertEmptyRoot(sentry, "Sentry");
      for (const { pid, role } of session.processes()) {
        if (role === "stub") P.assertThreads(pid, P.USER, [], `stub ${pid}`);
      }
      P.assertDescriptors(sentry, stdio, P.isReadOnlyFile, "Sentry");
      P.assertDescriptors(gofer, stdio, P.isHeldPath, "Gofer");
      for (const [pid, what] of [[sentry, "Sentry"], [gofer, "Gofer"]] as const) {
        P.assertNotDumpable(pid, P.USER, what);
        P.assertLimits(pid, what);
        P.assertNoEnvironment(pid, what);
      }
    });
  },
});
