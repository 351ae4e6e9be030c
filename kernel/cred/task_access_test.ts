/** Tests of task_access.ts: which tasks may inspect and trace which others. */

import { assertEquals } from "@std/assert";
import { CAP_PERFMON, CAP_SYS_PTRACE } from "../../ffi/abi/capability.ts";
import { singleCap } from "./cap_set.ts";
import { type Credentials, NO_CAPS, rootCredentials, userCredentials } from "./credentials.ts";
import {
  BY_FS_IDS,
  BY_REAL_IDS,
  type GuardedMemory,
  isPerformanceMonitor,
  mayAccess,
  mayTraceChild,
  mayUseMemory,
} from "./task_access.ts";
import { credentialsIn } from "./user_credentials.ts";
import { INITIAL_USER_NAMESPACE, UserNamespace } from "./user_namespace.ts";

const user = userCredentials(1000, 1000, [], NO_CAPS);
const other = userCredentials(2000, 1000, [], NO_CAPS);
const tracing = singleCap(CAP_SYS_PTRACE);
const open: GuardedMemory = { isDumpable: true, ownerNs: INITIAL_USER_NAMESPACE };
const secret: GuardedMemory = { isDumpable: false, ownerNs: INITIAL_USER_NAMESPACE };

function may(caller: Credentials, target: Credentials, memory: GuardedMemory | null): boolean[] {
  return [BY_FS_IDS, BY_REAL_IDS].map((by) =>
    mayAccess(caller, by as typeof BY_FS_IDS | typeof BY_REAL_IDS, target, memory)
  );
}
const BOTH = [true, true], NEITHER = [false, false];

Deno.test("a user may inspect its processes unless they are undumpable or privileged", () => {
  assertEquals(may(user, user, open), BOTH);
  assertEquals(may(user, user, null), BOTH);
  assertEquals(may(user, user, secret), NEITHER);
  assertEquals(may(user, other, open), NEITHER);
  assertEquals(may(user, { ...user, permitted: tracing }, open), NEITHER);
  for (const id of ["uid", "euid", "suid", "gid", "egid", "sgid"] as const) {
    assertEquals(may(user, { ...user, [id]: 0 }, open), NEITHER, id);
  }
});

Deno.test("/proc checks effective ids and capabilities, calls real and permitted ones", () => {
  const isReal = { ...user, euid: 2000, fsuid: 2000 }, isInUse = { ...user, uid: 2000 };
  assertEquals(may(isReal, user, open), [false, true]);
  assertEquals(may(isInUse, user, open), [true, false]);
  const holder = { ...user, permitted: tracing };
  assertEquals(may(holder, { ...user, permitted: tracing }, open), [false, true]);
});

Deno.test("CAP_SYS_PTRACE counts where the target is, and where its secret memory belongs", () => {
  const ns = new UserNamespace(INITIAL_USER_NAMESPACE, 1000, 1000, false);
  const inside = credentialsIn(user, ns), plain = { ...inside, permitted: NO_CAPS };
  const fromOutside: GuardedMemory = { isDumpable: false, ownerNs: INITIAL_USER_NAMESPACE };
  const ofNs: GuardedMemory = { isDumpable: false, ownerNs: ns };
  assertEquals(may({ ...other, effective: tracing }, user, secret), BOTH);
  assertEquals(may(inside, plain, open), BOTH);
  assertEquals(may(inside, plain, ofNs), BOTH);
  assertEquals(may(inside, plain, fromOutside), NEITHER);
  // The maker of a namespace has all capabilities in it; the namespace has none over its maker.
  assertEquals(may(user, plain, ofNs), BOTH);
  assertEquals(may(user, plain, fromOutside), NEITHER);
  assertEquals(may(inside, user, open), NEITHER);
  assertEquals(may(rootCredentials(), plain, fromOutside), BOTH);
});

Deno.test("CAP_PERFMON of the initial namespace reads memory where a file shows it", () => {
  const monitor = { ...other, effective: singleCap(CAP_PERFMON) };
  const ns = new UserNamespace(INITIAL_USER_NAMESPACE, 1000, 1000, false);
  assertEquals([user, monitor, credentialsIn(user, ns)].map(isPerformanceMonitor), [
    false,
    true,
    false,
  ]);
});

Deno.test("a parent traces a child that can do no more than it", () => {
  assertEquals(mayTraceChild(user, user), true);
  assertEquals(mayTraceChild(user, other), true);
  assertEquals(mayTraceChild(user, rootCredentials()), false);
  assertEquals(mayTraceChild(rootCredentials(), user), true);
  const ns = new UserNamespace(INITIAL_USER_NAMESPACE, 1000, 1000, false);
  assertEquals(mayTraceChild(user, credentialsIn(user, ns)), true);
  assertEquals(mayTraceChild(credentialsIn(user, ns), user), false);
});

Deno.test("a tracer uses secret memory with the capability that it had when it attached", () => {
  assertEquals([mayUseMemory(user, open), mayUseMemory(user, secret)], [true, false]);
  assertEquals(mayUseMemory(rootCredentials(), secret), true);
});
