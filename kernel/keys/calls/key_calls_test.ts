import { assertEquals } from "@std/assert";
import * as K from "../../../ffi/abi/keyctl.ts";
import { CallLab } from "../../testing/call_lab.ts";
import { sysAddKey } from "./add_key.ts";
import { sysKeyctl } from "./keyctl.ts";
import { sysRequestKey } from "./request_key.ts";

const BAD = 8, OUT = 4096, NONE = 999_999, THREAD = -1 >>> 0, MINUS = -1 >>> 0;
type Argument = number | string;

class KeyLab extends CallLab {
  add(type: Argument, name: Argument, data: Argument, len: number, ring: number): number | string {
    return this.call(sysAddKey, type, name, data, len, ring);
  }
  ctl(...args: Argument[]): number | string {
    return this.call(sysKeyctl, ...args);
  }
  /** A key of type user in the thread's keyring. */
  key(name: string, data = "one"): number {
    return Number(this.add("user", name, data, data.length, THREAD));
  }
  ring(): number {
    return Number(this.add("keyring", "ring", 0, 0, THREAD));
  }
  /** Contents as KEYCTL_READ tells them. */
  read(key: number): number | string {
    const n = this.ctl(K.KEYCTL_READ, key, this.memory + OUT, 96);
    return typeof n === "string" ? n : this.textAt(OUT, n);
  }
}

Deno.test("add_key: length, type, description, contents, keyring, combinations", () => {
  const lab = new KeyLab(),
    wrong: [Argument, Argument, Argument, number, number, string][] = [
      [BAD, "a", "x", 1 << 20, THREAD, "EINVAL"],
      [BAD, "a", "x", 1, THREAD, "EFAULT"],
      ["", "a", "x", 1, THREAD, "EINVAL"],
      [".x", "a", "x", 1, THREAD, "EPERM"],
      ["t".repeat(32), "a", "x", 1, THREAD, "EINVAL"],
      ["user", BAD, "x", 1, THREAD, "EFAULT"],
      ["user", "d".repeat(4096), "x", 1, THREAD, "EINVAL"],
      ["keyring", ".a", 0, 0, THREAD, "EPERM"],
      ["user", "a", BAD, 1, THREAD, "EFAULT"],
      ["none", "a", "x", 1, -99 >>> 0, "EINVAL"],
      ["none", "a", "x", 1, THREAD, "ENODEV"],
      ["user", "a", "x", 1, NONE, "ENOKEY"],
      ["user", "", "x", 1, THREAD, "EINVAL"],
      ["user", "a", 0, 0, THREAD, "EINVAL"],
      ["keyring", "a", "x", 1, THREAD, "EINVAL"],
      ["logon", "a", "x", 1, THREAD, "EINVAL"],
    ];
  for (const [type, name, data, len, ring, error] of wrong) {
    assertEquals(lab.add(type, name, data, len, ring), error, `${type} ${name}`);
  }
  const key = lab.key("a");
  assertEquals([lab.key("a", "three"), lab.read(key)], [key, "three"], "brought up to date");
  assertEquals(lab.add("user", "b", "x", 1, key), "ENOTDIR");
});

Deno.test("keys are read, described and brought up to date", () => {
  const lab = new KeyLab(),
    key = lab.key("a"),
    logon = Number(lab.add("logon", "p:x", "x", 1, THREAD));
  const out = lab.memory + OUT;
  assertEquals(lab.ctl(K.KEYCTL_READ, key, out, 2), 3, "its size; nothing was stored");
  assertEquals(lab.readWords(32, OUT, 1), [0]);
  assertEquals(lab.ctl(K.KEYCTL_READ, key, BAD, 9), "EFAULT");
  assertEquals([lab.read(logon), lab.read(NONE)], ["EOPNOTSUPP", "ENOKEY"]);
  assertEquals(lab.ctl(K.KEYCTL_UPDATE, key, BAD, 4097), "EINVAL");
  assertEquals(lab.ctl(K.KEYCTL_UPDATE, NONE, BAD, 3), "EFAULT");
  assertEquals(lab.ctl(K.KEYCTL_UPDATE, NONE, "new", 3), "ENOKEY");
  assertEquals(lab.ctl(K.KEYCTL_UPDATE, key, 0, 0), "EINVAL");
  assertEquals([lab.ctl(K.KEYCTL_UPDATE, key, "new", 3), lab.read(key)], [0, "new"]);
  assertEquals(lab.ctl(K.KEYCTL_SETPERM, NONE, 0xc0000000), "EINVAL");
  assertEquals(lab.ctl(K.KEYCTL_SETPERM, NONE, 0), "ENOKEY");
  assertEquals(lab.ctl(K.KEYCTL_SETPERM, key, 0x3f3f0000), 0);
  assertEquals(lab.ctl(K.KEYCTL_DESCRIBE, NONE, out, 99), "ENOKEY");
  assertEquals(lab.ctl(K.KEYCTL_DESCRIBE, key, BAD, 99), "EFAULT");
  assertEquals(lab.ctl(K.KEYCTL_DESCRIBE, key, out, 3), 20);
  assertEquals(lab.ctl(K.KEYCTL_DESCRIBE, key, out, 99), 20);
  assertEquals(lab.textAt(OUT, 20), "user;0;0;3f3f0000;a\0");
  assertEquals(lab.ctl(K.KEYCTL_CHOWN, NONE, MINUS, MINUS), 0, "nothing to change");
  assertEquals(lab.ctl(K.KEYCTL_CHOWN, NONE, 1, MINUS), "ENOKEY");
  assertEquals(lab.ctl(K.KEYCTL_CHOWN, key, 1, MINUS), 0);
  lab.ctl(K.KEYCTL_DESCRIBE, key, out, 99);
  assertEquals(lab.textAt(OUT, 20), "user;1;0;3f3f0000;a\0");
  assertEquals(lab.ctl(K.KEYCTL_GET_SECURITY, logon, out, 9), 1);
  assertEquals(lab.ctl(K.KEYCTL_GET_SECURITY, NONE, out, 9), "ENOKEY");
});

Deno.test("keyrings: links, unlinks, loops, keys that are no keyring", () => {
  const lab = new KeyLab(), key = lab.key("a"), ring = lab.ring(), out = lab.memory + OUT;
  assertEquals(lab.ctl(K.KEYCTL_LINK, key, key), "ENOTDIR");
  assertEquals(lab.ctl(K.KEYCTL_LINK, NONE, ring), "ENOKEY");
  assertEquals(lab.ctl(K.KEYCTL_LINK, ring, ring), "EDEADLK");
  assertEquals(lab.ctl(K.KEYCTL_LINK, key, ring), 0);
  assertEquals(lab.ctl(K.KEYCTL_READ, ring, out, 96), 4);
  assertEquals(lab.readWords(32, OUT, 1), [key]);
  assertEquals(lab.ctl(K.KEYCTL_UNLINK, key, ring), 0);
  assertEquals(lab.ctl(K.KEYCTL_UNLINK, key, ring), "ENOENT");
  assertEquals(lab.ctl(K.KEYCTL_UNLINK, key, key), "ENOTDIR");
  lab.ctl(K.KEYCTL_LINK, key, ring);
  assertEquals([lab.ctl(K.KEYCTL_CLEAR, key), lab.ctl(K.KEYCTL_CLEAR, ring)], ["ENOTDIR", 0]);
  assertEquals(lab.ctl(K.KEYCTL_READ, ring, out, 96), 0);
});

Deno.test("KEYCTL_SEARCH, KEYCTL_MOVE and KEYCTL_RESTRICT_KEYRING", () => {
  const lab = new KeyLab(), key = lab.key("a"), ring = lab.ring(), { KEYCTL_SEARCH } = K;
  assertEquals(lab.ctl(KEYCTL_SEARCH, NONE, BAD, "a", 0), "EFAULT");
  assertEquals(lab.ctl(KEYCTL_SEARCH, NONE, ".x", "a", 0), "EPERM");
  assertEquals(lab.ctl(KEYCTL_SEARCH, NONE, "user", BAD, 0), "EFAULT");
  assertEquals(lab.ctl(KEYCTL_SEARCH, NONE, "user", "a", 0), "ENOKEY");
  assertEquals(lab.ctl(KEYCTL_SEARCH, THREAD, "user", "zz", 0), "ENOKEY");
  assertEquals(lab.ctl(KEYCTL_SEARCH, THREAD, "none", "a", 0), "ENOKEY");
  assertEquals(lab.ctl(KEYCTL_SEARCH, key, "user", "a", 0), "ENOTDIR");
  assertEquals(lab.ctl(KEYCTL_SEARCH, THREAD, "user", "a", ring), key, "and linked there");
  assertEquals(lab.ctl(K.KEYCTL_MOVE, NONE, THREAD, ring, 2), "EINVAL");
  assertEquals(lab.ctl(K.KEYCTL_MOVE, NONE, THREAD, ring, 0), "ENOKEY");
  assertEquals(lab.ctl(K.KEYCTL_MOVE, key, THREAD, ring, K.KEYCTL_MOVE_EXCL), "EEXIST");
  assertEquals(lab.ctl(K.KEYCTL_MOVE, key, THREAD, ring, 0), 0);
  assertEquals(lab.ctl(K.KEYCTL_UNLINK, key, THREAD), "ENOENT");
  assertEquals(lab.ctl(K.KEYCTL_RESTRICT_KEYRING, NONE, 0, 0), "ENOKEY");
  assertEquals(lab.ctl(K.KEYCTL_RESTRICT_KEYRING, ring, "user", 0), "EINVAL");
  assertEquals(lab.ctl(K.KEYCTL_RESTRICT_KEYRING, ring, 0, "x"), "EINVAL");
  assertEquals(lab.ctl(K.KEYCTL_RESTRICT_KEYRING, ring, "user", "x"), "ENOENT");
  assertEquals(lab.ctl(K.KEYCTL_RESTRICT_KEYRING, key, 0, 0), "ENOTDIR");
  assertEquals(lab.ctl(K.KEYCTL_RESTRICT_KEYRING, ring, 0, 0), 0);
  assertEquals(lab.ctl(K.KEYCTL_RESTRICT_KEYRING, ring, 0, 0), "EEXIST");
  assertEquals(lab.ctl(K.KEYCTL_LINK, lab.key("b"), ring), "EPERM");
});

Deno.test("keys end: revoked, invalidated, out of time", () => {
  const lab = new KeyLab(), key = lab.key("a"), other = lab.key("b"), old = lab.key("c");
  assertEquals([lab.ctl(K.KEYCTL_REVOKE, NONE), lab.ctl(K.KEYCTL_REVOKE, key)], ["ENOKEY", 0]);
  assertEquals([lab.read(key), lab.ctl(K.KEYCTL_REVOKE, key)], ["EKEYREVOKED", "EKEYREVOKED"]);
  assertEquals(lab.ctl(K.KEYCTL_UPDATE, key, "x", 1), "EKEYREVOKED");
  assertEquals(lab.ctl(K.KEYCTL_INVALIDATE, other), 0);
  assertEquals(lab.ctl(K.KEYCTL_SEARCH, THREAD, "user", "b", 0), "ENOKEY");
  assertEquals(lab.ctl(K.KEYCTL_SET_TIMEOUT, NONE, 1), "ENOKEY");
  assertEquals([lab.ctl(K.KEYCTL_SET_TIMEOUT, old, 5), lab.read(old)], [0, "one"]);
  lab.kernel.host.nowNs += 6e9;
  assertEquals(lab.read(old), "EKEYEXPIRED");
});

Deno.test("keyctl: operations, special keyrings, capabilities", () => {
  const lab = new KeyLab(), out = lab.memory + OUT;
  assertEquals(lab.ctl(99), "EOPNOTSUPP");
  assertEquals(lab.ctl(K.KEYCTL_GET_KEYRING_ID, -99 >>> 0, 0), "EINVAL");
  assertEquals(lab.ctl(K.KEYCTL_GET_KEYRING_ID, NONE, 0), "ENOKEY");
  assertEquals(lab.ctl(K.KEYCTL_GET_KEYRING_ID, THREAD, 0), "ENOKEY", "none was made");
  const ring = Number(lab.ctl(K.KEYCTL_GET_KEYRING_ID, THREAD, 1));
  assertEquals([ring > 0, lab.ctl(K.KEYCTL_GET_KEYRING_ID, THREAD, 0)], [true, ring]);
  assertEquals(lab.ctl(K.KEYCTL_JOIN_SESSION_KEYRING, BAD), "EFAULT");
  assertEquals(lab.ctl(K.KEYCTL_JOIN_SESSION_KEYRING, ".x"), "EPERM");
  assertEquals(lab.ctl(K.KEYCTL_CAPABILITIES, BAD, 2), "EFAULT");
  assertEquals(lab.ctl(K.KEYCTL_CAPABILITIES, 0, 0), 2);
  lab.words(32, OUT, -1, -1);
  assertEquals(lab.ctl(K.KEYCTL_CAPABILITIES, out, 4), 2);
  const [first = 0, second] = lab.readWords(32, OUT, 2);
  assertEquals([first >>> 16, second], [0, -1], "zeros behind what is known, no further");
  assertEquals(lab.ctl(K.KEYCTL_GET_PERSISTENT, MINUS, NONE), "ENOKEY");
});

Deno.test("request_key without a helper finds existing keys", () => {
  const lab = new KeyLab(), key = lab.key("a"), ring = lab.ring();
  const ask = (...args: Argument[]) => lab.call(sysRequestKey, ...args);
  assertEquals(ask(BAD, "a", 0, 0), "EFAULT");
  assertEquals(ask(".u", "a", 0, 0), "EPERM");
  assertEquals(ask("user", BAD, 0, 0), "EFAULT");
  assertEquals(ask("user", "a", BAD, 0), "EFAULT");
  assertEquals(ask("user", "a", 0, NONE), "ENOKEY");
  assertEquals([ask("none", "a", 0, 0), ask("user", "zz", 0, 0)], ["ENOKEY", "ENOKEY"]);
  assertEquals(ask("user", "a", 0, ring), key);
  assertEquals(lab.ctl(K.KEYCTL_UNLINK, key, ring), 0, "it was linked there");
});

Deno.test("instantiation is for the holder of the authority", () => {
  const lab = new KeyLab(), key = lab.key("a");
  assertEquals(lab.ctl(K.KEYCTL_INSTANTIATE, key, "x", 1 << 20, 0), "EINVAL");
  assertEquals(lab.ctl(K.KEYCTL_INSTANTIATE, key, "x", 1, 0), "EPERM");
  assertEquals(lab.ctl(K.KEYCTL_INSTANTIATE_IOV, key, BAD, 1025, 0), "EINVAL");
  assertEquals(lab.ctl(K.KEYCTL_INSTANTIATE_IOV, key, BAD, 1, 0), "EFAULT");
  assertEquals(lab.ctl(K.KEYCTL_NEGATE, key, 0, 0), "EPERM");
  for (const error of [0, 512, 99_999]) {
    assertEquals(lab.ctl(K.KEYCTL_REJECT, key, 0, error, 0), "EINVAL");
  }
  assertEquals(lab.ctl(K.KEYCTL_REJECT, key, 0, 5, 0), "EPERM");
  assertEquals(lab.ctl(K.KEYCTL_ASSUME_AUTHORITY, 0), 0);
  assertEquals(lab.ctl(K.KEYCTL_ASSUME_AUTHORITY, NONE), "ENOKEY");
  assertEquals(lab.ctl(K.KEYCTL_ASSUME_AUTHORITY, MINUS), "EINVAL");
  const set = (ring: number) => lab.ctl(K.KEYCTL_SET_REQKEY_KEYRING, ring);
  assertEquals([set(99), set(MINUS), set(1), set(MINUS), set(0)], ["EINVAL", 0, 0, 1, 1]);
});
