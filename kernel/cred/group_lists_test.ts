/** Test of group_lists.ts. */

import { assert, assertEquals } from "@std/assert";
import { Account } from "../core/account.ts";
import { DeferredWork } from "../core/deferred_work.ts";
import { GROUP_LIST_BYTES } from "../core/quota.ts";
import { inGroup, NO_CAPS, userCredentials } from "./credentials.ts";
import { GroupLists } from "./group_lists.ts";

/** Makes `length` groups, all different from those of another `first`. */
function groups(first: number, length: number): number[] {
  return Array.from({ length }, (_, i) => first + i);
}

Deno.test("equal long lists are one list, and each list is charged once", () => {
  const account = new Account(null, 1), lists = new GroupLists();
  const first = lists.sharedList(groups(1, 1000), account);
  assertEquals(first, groups(1, 1000));
  assert(lists.sharedList(groups(1, 1000), account) === first);
  const { bytes } = account;
  assert(bytes >= 8000 && bytes < 9000, `${bytes}`);
  assert(lists.sharedList(groups(2, 1000), account) !== first);
  assertEquals(account.bytes, 2 * bytes);
  lists.sharedList(groups(3, 32), account);
  assertEquals(account.bytes, 2 * bytes, "short lists are not kept");
  account.bytesMax = account.bytes + 100;
  assertEquals(lists.sharedList(groups(4, 1000), account), null);
  assert(lists.sharedList(groups(1, 1000), account) === first, "what is there needs no room");
  const deferred = new DeferredWork(), many = 5000;
  account.bytesMax = Infinity;
  for (let i = 0; i < many; i++) assert(lists.sharedList(groups(5 + i, 33), account) !== null);
  lists.release(deferred);
  assert(account.bytes > 0 && !deferred.isEmpty, "not all in one turn");
  while (!deferred.isEmpty) deferred.step();
  assertEquals([account.bytes, GROUP_LIST_BYTES.countOf(account)], [0, 0]);
});

Deno.test("few lists with one hash are kept", () => {
  const lists = new GroupLists(), account = new Account(null, 1), factor = 0x01000193;
  // The last group cancels the difference of the one before it.
  const head = groups(1, 40);
  let start = 0x811c9dc5;
  for (const gid of head) start = Math.imul(start ^ gid, factor);
  const same = (a: number) => (Math.imul(start ^ a, factor) ^ Math.imul(start, factor)) >>> 0;
  const kept = groups(0, 20).map((a) => lists.sharedList([...head, a, same(a)], account) !== null);
  assertEquals(kept.filter((is) => is).length, 8);
});

Deno.test("a long list is searched to its ends, in whatever order it came", () => {
  const odd = groups(0, 100).map((i) => 2 * i + 1).reverse();
  const cred = userCredentials(5, 6, odd, NO_CAPS);
  for (const gid of [6, 1, 3, 99, 199]) assertEquals(inGroup(cred, gid), true, `${gid}`);
  for (const gid of [0, 2, 98, 200, 201, 2 ** 32 - 2]) {
    assertEquals(inGroup(cred, gid), false, `${gid}`);
  }
});
