/** Tests of permission.ts: which credentials may read, write, chown and remove files. */

import { assertEquals } from "@std/assert";
import {
  CAP_CHOWN,
  CAP_DAC_OVERRIDE,
  CAP_DAC_READ_SEARCH,
  CAP_FOWNER,
  CAP_FSETID,
} from "../../ffi/abi/capability.ts";
import { type Credentials, NO_CAPS, rootCredentials, userCredentials } from "./credentials.ts";
import {
  checkAccess,
  MAY_EXEC,
  MAY_READ,
  MAY_WRITE,
  mayChangeGid,
  mayChangeUid,
  mayKeepSetgid,
  modeAfterWrite,
  ownsOrCapable,
  realCredentials,
  stickyAllows,
  withoutSetid,
} from "./permission.ts";

const DIR = 0o40000, FILE = 0o100000;

function user(uid: number, gid: number, groups: number[] = [], ...caps: number[]): Credentials {
  const lo = caps.reduce((bits, cap) => bits | (1 << cap), 0) >>> 0;
  return userCredentials(uid, gid, groups, { lo, hi: 0 });
}

function may(mode: number, mask: number, cred: Credentials): boolean {
  return checkAccess({ mode, uid: 10, gid: 20 }, mask, cred) === 0;
}

Deno.test("exactly one triplet counts: owner, else group, else others", () => {
  const owner = user(10, 20), member = user(11, 99, [5, 20]), other = user(12, 21);
  for (
    const [mode, o, m, x] of [
      [0o400, true, false, false],
      [0o040, false, true, false],
      [0o004, false, false, true],
      [0o044, false, true, true],
      [0o444, true, true, true],
    ] as const
  ) {
    const got = [owner, member, other].map((c) => may(FILE | mode, MAY_READ, c));
    assertEquals([mode, ...got], [mode, o, m, x]);
  }
  assertEquals(may(FILE | 0o754, MAY_READ | MAY_WRITE, owner), true);
  assertEquals(may(FILE | 0o754, MAY_READ | MAY_WRITE, member), false);
  assertEquals(may(FILE | 0o757, 0, other), true);
});

Deno.test("the file-system ids count, not the effective ones", () => {
  const cred = { ...user(1, 1), fsuid: 10 };
  assertEquals(may(FILE | 0o600, MAY_WRITE, cred), true);
  assertEquals(may(FILE | 0o600, MAY_WRITE, { ...user(10, 20), fsuid: 1, fsgid: 1 }), false);
});

Deno.test("capabilities: CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH allow access", () => {
  const override = user(1, 1, [], CAP_DAC_OVERRIDE), search = user(1, 1, [], CAP_DAC_READ_SEARCH);
  for (
    const [mode, mask, o, s] of [
      [FILE, MAY_READ, true, true],
      [FILE, MAY_WRITE, true, false],
      [FILE, MAY_READ | MAY_WRITE, true, false],
      [FILE, MAY_EXEC, false, false],
      [FILE | 0o100, MAY_EXEC, true, false],
      [DIR, MAY_EXEC, true, true],
      [DIR, MAY_READ | MAY_EXEC, true, true],
      [DIR, MAY_WRITE | MAY_EXEC, true, false],
    ] as const
  ) {
    const got = [may(mode, mask, override), may(mode, mask, search)];
    assertEquals([mode, mask, ...got], [mode, mask, o, s]);
  }
  assertEquals(may(FILE, MAY_EXEC, rootCredentials()), false);
});

Deno.test("ownership: chown, chmod, sticky directories", () => {
  const file = { mode: FILE | 0o644, uid: 10, gid: 20 }, owner = user(10, 20, [30]);
  assertEquals([mayChangeUid(file, 10, owner), mayChangeUid(file, 11, owner)], [true, false]);
  assertEquals([20, 30, 31].map((g) => mayChangeGid(file, g, owner)), [true, true, false]);
  assertEquals(mayChangeGid(file, 20, user(11, 20)), false);
  const chowner = user(1, 1, [], CAP_CHOWN);
  assertEquals([mayChangeUid(file, 5, chowner), mayChangeGid(file, 5, chowner)], [true, true]);
  assertEquals(
    [ownsOrCapable(file, user(1, 20)), ownsOrCapable(file, user(1, 1, [], CAP_FOWNER))],
    [
      false,
      true,
    ],
  );
  const tmp = { mode: DIR | 0o1777, uid: 0, gid: 0 }, plain = { ...tmp, mode: DIR | 0o777 };
  const stranger = user(11, 11);
  assertEquals([stickyAllows(tmp, file, stranger), stickyAllows(plain, file, stranger)], [
    false,
    true,
  ]);
  assertEquals(
    [stickyAllows(tmp, file, owner), stickyAllows({ ...tmp, uid: 11 }, file, stranger)],
    [
      true,
      true,
    ],
  );
});

Deno.test("set-ID bits: a write by others drops them", () => {
  const stranger = user(1, 1), member = user(1, 20), keeper = user(1, 1, [], CAP_FSETID);
  const of = (mode: number) => ({ mode: FILE | mode, uid: 10, gid: 20 });
  for (
    const [mode, s, m] of [
      [0o6755, 0o755, 0o755],
      [0o2745, 0o745, 0o2745],
      [0o4755, 0o755, 0o755],
      [0o1777, 0o1777, 0o1777],
    ] as const
  ) {
    assertEquals(modeAfterWrite(of(mode), stranger), FILE | s);
    assertEquals(modeAfterWrite(of(mode), member), FILE | m);
    assertEquals(modeAfterWrite(of(mode), keeper), FILE | mode);
    assertEquals(withoutSetid(of(mode), member), FILE | m);
  }
  assertEquals(
    [mayKeepSetgid(of(0), member), mayKeepSetgid(of(0), stranger), mayKeepSetgid(of(0), keeper)],
    [
      true,
      false,
      true,
    ],
  );
});

Deno.test("access(2) judges by the real ids, with root's capabilities or none", () => {
  const setuid = { ...rootCredentials(), uid: 1000, gid: 1000 };
  const judged = realCredentials(setuid);
  assertEquals([judged.fsuid, judged.fsgid, judged.effective], [1000, 1000, NO_CAPS]);
  const dropped = { ...user(0, 0), permitted: rootCredentials().permitted, fsuid: 1000 };
  assertEquals(realCredentials(dropped).effective, dropped.permitted);
  assertEquals(realCredentials({ ...setuid, securebits: 4 }).effective, setuid.effective);
});
