import { TEST_ACCOUNT } from "../core/account_testing.ts";
import { assert, assertEquals } from "@std/assert";
import { EDEADLK, EDQUOT, EPERM } from "../../ffi/abi/errno.ts";
import { KEY_BYTES, KEYS, type Quota } from "../core/quota.ts";
import { TimerQueue } from "../time/timer.ts";
import type { Key } from "./key.ts";
import { KeyStore, ringRights } from "./key_store.ts";
import { KEYRING, keyTypeOf } from "./key_types.ts";

function countOf(quota: Quota): number {
  return quota.countOf(TEST_ACCOUNT);
}

class Lab {
  sec = 1000;
  private last = 0;
  readonly timers: TimerQueue = new TimerQueue();
  readonly settings: Map<string, string> = new Map([
    ["kernel/keys/maxkeys", "20"],
    ["kernel/keys/maxbytes", "200"],
    ["kernel/keys/gc_delay", "5"],
  ]);
  readonly store: KeyStore = new KeyStore(
    { get: (path: string) => this.settings.get(path) ?? "" },
    {
      monotonicNs: () => this.sec * 1e9,
      realtimeSec: () => this.sec,
      random: (buf: Uint8Array<ArrayBuffer>) =>
        new DataView(buf.buffer).setUint32(0, 256 + this.last++, true),
    },
    this.timers,
  );

  make(description: string, bytes: number = 0, type: string = "user"): Key {
    const key = this.store.make({
      account: TEST_ACCOUNT,
      type: keyTypeOf(bytes > 0 ? type : "keyring") ?? KEYRING,
      description,
      uid: 7,
      gid: 7,
      perm: ringRights(0),
      quota: "in",
    });
    if (typeof key === "number") throw new Error(`${description}: ${key}`);
    assertEquals(this.store.fill(key, new Uint8Array(bytes)), 0);
    return key;
  }
}

Deno.test("all charges are released, however deep a keyring is", () => {
  const before = [countOf(KEYS), countOf(KEY_BYTES)], lab = new Lab(), { store } = lab;
  lab.settings.set("kernel/keys/maxkeys", "100000");
  lab.settings.set("kernel/keys/maxbytes", "1000000");
  const top = lab.make("top");
  top.pins++;
  let ring = top;
  // Downwards nothing bounds the depth: the check looks below what is linked.
  for (let i = 0; i < 250; i++) {
    const inner = lab.make(`r${i}`);
    assertEquals(store.link(ring, inner), 0);
    assertEquals(store.link(ring, lab.make(`k${i}`, 10)), 0);
    ring = inner;
  }
  assertEquals(store.link(ring, ring), -EDEADLK);
  store.unpin(top);
  assertEquals([countOf(KEYS), countOf(KEY_BYTES), store.keys.size, store.users.size], [
    ...before,
    0,
    0,
  ]);
});

Deno.test("a user's quota holds for new keys, links, contents and other owners", () => {
  const lab = new Lab(), { store } = lab;
  const ring = lab.make("ring"), key = lab.make("a", 100);
  ring.pins++;
  assertEquals(store.link(ring, key), 0);
  const { quotaBytes } = key.user;
  assertEquals(quotaBytes, 5 + 4 + 2 + 100);
  assertEquals(store.fill(key, new Uint8Array(190)), -EDQUOT);
  assertEquals(key.user.quotaBytes, quotaBytes);
  assertEquals(store.changeOwner(key, 8), 0);
  assertEquals([key.user.quotaBytes, store.userOf(7).quotaBytes], [102, 9]);
  lab.settings.set("kernel/keys/maxbytes", "50");
  assertEquals(store.changeOwner(key, 9), -EDQUOT);
  assertEquals(store.users.has(9), false);
  store.unpin(ring);
  assertEquals(store.users.size, 0);
});

Deno.test("a key is charged for its memory in the Sentry, not for the quota of its type", () => {
  const lab = new Lab(), before = countOf(KEY_BYTES);
  const key = lab.make("big", 100000, "big_key");
  assertEquals(key.user.quotaBytes, 4 + 16);
  assertEquals(countOf(KEY_BYTES) - before, 4 + 100000);
  lab.store.release(key);
  assertEquals(countOf(KEY_BYTES), before);
});

Deno.test("expired keys leave their keyrings after a while", () => {
  const lab = new Lab(), { store, timers } = lab;
  const ring = lab.make("ring"), key = lab.make("a", 3), other = lab.make("b", 3);
  ring.pins++;
  store.link(ring, key);
  store.link(ring, other);
  store.expireAt(other, lab.sec + 100);
  store.expireAt(key, lab.sec + 10);
  assertEquals(timers.nextDeadlineNs, (lab.sec + 15) * 1e9);
  lab.sec += 15;
  timers.expire(lab.sec * 1e9);
  assertEquals([key.serial, ring.links!.size, store.keys.size], [0, 1, 2]);
  assertEquals(timers.nextDeadlineNs, (lab.sec + 90) * 1e9);
  store.unpin(ring);
});

Deno.test("a displaced key is removed, and a restricted keyring takes no link", () => {
  const lab = new Lab(), { store } = lab;
  const ring = lab.make("ring"), first = lab.make("inner"), second = lab.make("inner");
  ring.pins++;
  store.link(ring, first);
  assertEquals(store.link(ring, second), 0);
  assertEquals([first.serial, [...ring.rings!]], [0, [second]]);
  ring.isRestricted = true;
  assertEquals(store.link(ring, lab.make("c", 1)), -EPERM);
  assert(store.unlink(ring, second) === 0);
  assertEquals(ring.contentBytes, 0);
  store.unpin(ring);
});
