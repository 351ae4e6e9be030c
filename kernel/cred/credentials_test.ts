/** Tests of change_ids.ts, exec_credentials.ts and cap_set.ts. */

import { assertEquals } from "@std/assert";
import {
  CAP_CHOWN,
  CAP_KILL,
  CAP_NET_RAW,
  CAP_SETUID,
  SECBIT_KEEP_CAPS,
  SECBIT_NO_SETUID_FIXUP,
  SECBIT_NOROOT,
} from "../../ffi/abi/capability.ts";
import { EINVAL, EPERM } from "../../ffi/abi/errno.ts";
import { intersection, isSubset, singleCap, union } from "./cap_set.ts";
import {
  KEEP_ID,
  setfsuid,
  setgid,
  setgroups,
  setresgid,
  setresuid,
  setreuid,
  setuid,
} from "./change_ids.ts";
import {
  ALL_CAPS,
  type Credentials,
  hasBit,
  hasCap,
  NO_CAPS,
  rootCredentials,
  userCredentials,
} from "./credentials.ts";
import { execCredentials, type ExecResult, type Executable } from "./exec_credentials.ts";

const root = rootCredentials();
const user = userCredentials(1000, 100, [100, 20], NO_CAPS);

function ok(r: Credentials | number): Credentials {
  if (typeof r === "number") throw new Error(`errno ${-r}`);
  return r;
}

function ids(c: Credentials): number[] {
  return [c.uid, c.euid, c.suid, c.fsuid];
}

Deno.test("root that becomes a user loses its capabilities, unless it keeps them", () => {
  const plain = ok(setuid(root, 5));
  assertEquals(ids(plain), [5, 5, 5, 5]);
  assertEquals([plain.permitted, plain.effective], [NO_CAPS, NO_CAPS]);
  const kept = ok(setuid({ ...root, securebits: SECBIT_KEEP_CAPS }, 5));
  assertEquals([kept.permitted, kept.effective], [ALL_CAPS, NO_CAPS]);
  const unfixed = ok(setuid({ ...root, securebits: SECBIT_NO_SETUID_FIXUP }, 5));
  assertEquals(unfixed.effective, ALL_CAPS);
});

Deno.test("effective capabilities change with the effective id", () => {
  const away = ok(setresuid(root, KEEP_ID, 5, KEEP_ID));
  assertEquals([ids(away), away.effective, away.permitted], [[0, 5, 0, 5], NO_CAPS, ALL_CAPS]);
  const back = ok(setresuid(away, KEEP_ID, 0, KEEP_ID));
  assertEquals(back.effective, ALL_CAPS);
});

Deno.test("a user may only move among its ids", () => {
  const mixed = { ...user, uid: 1, euid: 2, suid: 3, fsuid: 2 };
  assertEquals(setuid(mixed, 2), -EPERM);
  assertEquals(ids(ok(setuid(mixed, 3))), [1, 3, 3, 3]);
  assertEquals(setuid(mixed, KEEP_ID), -EINVAL);
  assertEquals(ids(ok(setreuid(mixed, 2, 1))), [2, 1, 1, 1]);
  assertEquals(setreuid(mixed, 3, KEEP_ID), -EPERM);
  assertEquals(ids(ok(setreuid(mixed, KEEP_ID, 3))), [1, 3, 3, 3]);
  assertEquals(ids(ok(setresuid(mixed, 3, 1, 2))), [3, 1, 2, 1]);
  assertEquals(setresuid(mixed, 4, KEEP_ID, KEEP_ID), -EPERM);
  assertEquals(setgid(user, 5), -EPERM);
  assertEquals(setresgid(user, 5, KEEP_ID, KEEP_ID), -EPERM);
  assertEquals(setgroups(user, []), -EPERM);
  assertEquals(ok(setgroups(root, [3, 7, 9])).groups, [3, 7, 9]);
});

Deno.test("the file system id governs the file capabilities alone", () => {
  const away = setfsuid(root, 5);
  assertEquals([away.fsuid, away.euid], [5, 0]);
  assertEquals([hasCap(away, CAP_CHOWN), hasCap(away, CAP_KILL)], [false, true]);
  assertEquals(setfsuid(away, 0).effective, ALL_CAPS);
  assertEquals(setfsuid(user, 5), user);
});

Deno.test("no sequence of changes gives an unprivileged user a foreign id or a capability", () => {
  let seed = 99;
  const random = (n: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % n;
  };
  const pick = (): number => [0, 1, 2, 3, 1000, KEEP_ID][random(6)]!;
  let cred: Credentials = { ...user, uid: 1, euid: 2, suid: 3, fsuid: 2 };
  for (let i = 0; i < 5000; i++) {
    const calls = [
      setuid(cred, pick()),
      setreuid(cred, pick(), pick()),
      setresuid(cred, pick(), pick(), pick()),
      setfsuid(cred, pick()),
    ];
    const next = calls[random(4)]!;
    if (typeof next !== "number") cred = next;
    for (const id of ids(cred)) assertEquals([1, 2, 3].includes(id), true);
    assertEquals([cred.effective, cred.permitted], [NO_CAPS, NO_CAPS]);
  }
});

const plainFile: Executable = { uid: 0, gid: 0, mode: 0o755, isNosuid: false, capabilities: null };

function exec(cred: Credentials, file: Partial<Executable>, isShared = false): ExecResult {
  const r = execCredentials(cred, { ...plainFile, ...file }, isShared);
  if (typeof r === "number") throw new Error(`errno ${-r}`);
  return r;
}

Deno.test("exec: root has all of its bounding set, a user nothing", () => {
  const bounded = { ...root, bounding: singleCap(CAP_KILL) };
  assertEquals(exec(bounded, {}).cred.permitted, singleCap(CAP_KILL));
  assertEquals(exec(user, {}).cred.permitted, NO_CAPS);
  assertEquals(exec(user, {}).isSecure, false);
  assertEquals(exec({ ...root, securebits: SECBIT_NOROOT }, {}).cred.permitted, NO_CAPS);
});

Deno.test("exec: set-user-ID-root gives all, not on nosuid, not with no_new_privs", () => {
  const setuidRoot = { mode: 0o4755 };
  const gained = exec(user, setuidRoot);
  assertEquals([gained.cred.uid, gained.cred.euid, gained.cred.suid], [1000, 0, 0]);
  assertEquals([gained.cred.effective, gained.isSecure], [ALL_CAPS, true]);
  for (
    const refused of [
      exec(user, { ...setuidRoot, isNosuid: true }),
      exec({ ...user, noNewPrivs: true }, setuidRoot),
      exec(user, setuidRoot, true),
    ]
  ) {
    assertEquals([refused.cred.euid, refused.cred.permitted], [1000, NO_CAPS]);
  }
});

Deno.test("exec: set-group-ID counts with group execution only", () => {
  assertEquals(exec(user, { mode: 0o2755, gid: 7 }).cred.egid, 7);
  assertEquals(exec(user, { mode: 0o2745, gid: 7 }).cred.egid, 100);
});

function fileCaps(magic: number, permitted: number, inheritable: number): Uint8Array<ArrayBuffer> {
  const dv = new DataView(new ArrayBuffer(20));
  dv.setUint32(0, magic, true);
  dv.setUint32(4, permitted, true);
  dv.setUint32(8, inheritable, true);
  return new Uint8Array(dv.buffer);
}

Deno.test("exec: file capabilities, and EPERM for those outside of the bounding set", () => {
  const raw = 1 << CAP_NET_RAW;
  const effective = exec(user, { capabilities: fileCaps(0x2000001, raw, 0) });
  assertEquals(effective.cred.effective, singleCap(CAP_NET_RAW));
  assertEquals(effective.isSecure, true);
  const permitted = exec(user, { capabilities: fileCaps(0x2000000, raw, 0) });
  assertEquals([permitted.cred.permitted, permitted.cred.effective], [
    singleCap(CAP_NET_RAW),
    NO_CAPS,
  ]);
  const bounded = { ...user, bounding: singleCap(CAP_KILL) };
  const file = { ...plainFile, capabilities: fileCaps(0x2000001, raw, 0) };
  assertEquals(execCredentials(bounded, file, false), -EPERM);
  const inherited = exec(
    { ...user, inheritable: singleCap(CAP_NET_RAW) },
    { capabilities: fileCaps(0x2000001, 0, raw) },
  );
  assertEquals(inherited.cred.permitted, singleCap(CAP_NET_RAW));
  assertEquals(exec(user, { capabilities: new Uint8Array(7) }).cred.permitted, NO_CAPS);
});

Deno.test("exec: ambient capabilities stay, unless the file gives its own", () => {
  const kill = singleCap(CAP_KILL);
  const cred = { ...user, permitted: kill, inheritable: kill, ambient: kill };
  const kept = exec(cred, {});
  assertEquals([kept.cred.effective, kept.isSecure], [kill, false]);
  const raw = exec(cred, { capabilities: fileCaps(0x2000000, 1 << CAP_NET_RAW, 0) });
  assertEquals(raw.cred.ambient, NO_CAPS);
});

Deno.test("capability sets are exact in both words", () => {
  assertEquals(hasBit(singleCap(CAP_SETUID), CAP_SETUID), true);
  assertEquals(singleCap(40), { lo: 0, hi: 256 });
  assertEquals(union(singleCap(31), singleCap(32)), { lo: 0x80000000, hi: 1 });
  assertEquals(intersection(ALL_CAPS, singleCap(31)), singleCap(31));
  assertEquals(isSubset(singleCap(40), { lo: 0xffffffff, hi: 0xff }), false);
});
