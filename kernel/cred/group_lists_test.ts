/** Test of group_lists.ts. */

import { assert, assertEquals } from "@std/assert";
import { Account } from "../core/account.ts";
import { GROUP_LIST_BYTES } from "../core/quota.ts";
import { GroupLists } from "./group_lists.ts";

/** Makes `length` groups, all different from those of another `first`. */
function groups(first: number, length: number): number[] {
  return Array.from({ length }, (_, i) => first + i);
}

Deno.test("equal long lists are one list, and each list is charged once", () => {
  const account = new Account(null, 1), lists = new GroupLists();
  try {
    const first = lists.keep(groups(1, 1000), account);
    assertEquals(first, groups(1, 1000));
    assert(lists.keep(groups(1, 1000), account) === first);
    const { bytes } = account;
    assert(bytes >= 8000 && bytes < 9000, `${bytes}`);
    assert(lists.keep(groups(2, 1000), account) !== first);
    assertEquals(account.bytes, 2 * bytes);
    lists.keep(groups(3, 32), account);
    assertEquals(account.bytes, 2 * bytes, "short lists are not kept");
    account.bytesMax = account.bytes + 100;
    assertEquals(lists.keep(groups(4, 1000), account), null);
    assert(lists.keep(groups(1, 1000), account) === first, "what is there needs no room");
  } finally {
    GROUP_LIST_BYTES.give(account.bytes, account);
  }
});
