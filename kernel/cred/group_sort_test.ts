import { assert, assertEquals } from "@std/assert";
import { Account } from "../core/account.ts";
import { GroupLists } from "./group_lists.ts";
import { GROUPS_A_TURN, GroupSort } from "./group_sort.ts";

/** Different numbers in no order, the largest ids among them, and two of each. */
function shuffled(count: number): number[] {
  return Array.from({ length: count }, (_, i) => Math.imul(i >>> 1, 0x9e3779b1) >>> 0);
}

Deno.test("groups are sorted in bounded slices, and hashed as a list is", () => {
  const groups = shuffled(65_536), sort = new GroupSort(groups.length);
  for (let at = 0; at < groups.length; at += GROUPS_A_TURN) {
    sort.add(Uint32Array.from(groups.slice(at, at + GROUPS_A_TURN)));
  }
  let turns = 1;
  for (; !sort.merge(); turns++) assertEquals(sort.groups.length, turns * GROUPS_A_TURN);
  assertEquals(turns, groups.length / GROUPS_A_TURN);
  assertEquals(sort.groups, groups.toSorted((a, b) => a - b));
  const lists = new GroupLists(), account = new Account(null, 1);
  const list = lists.sharedList([...sort.groups], account);
  assert(lists.sharedList(sort.groups, account, sort.hash) === list);
});

Deno.test("few groups are one piece, and none is none", () => {
  const few = new GroupSort(3), none = new GroupSort(0);
  few.add(Uint32Array.of(7, 2 ** 32 - 2, 7));
  assertEquals([few.merge(), few.groups], [true, [7, 7, 2 ** 32 - 2]]);
  assertEquals([none.merge(), none.groups], [true, []]);
});
