import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { close } from "../../ffi/sys/files.ts";
import { isRoot, named } from "../../tests/harness/machine.ts";
import { makeUsers, sameIds, usersOf } from "./own_users.ts";

function inode(fd: number): number | null {
  return Deno.statSync(`/proc/self/fd/${fd}`).ino;
}

Deno.test({
  ...named(
    "user namespaces: made, not this process's, and owners of their network",
    isRoot ? null : "not root",
  ),
  fn: () => {
    const before = [...Deno.readDirSync("/proc/self/fd")].length;
    const all = makeUsers(sameIds()), none = makeUsers(null, true);
    assertEquals(all.network, -1);
    const own = Deno.statSync("/proc/self/ns/user").ino;
    assertNotEquals(inode(all.users), own);
    assertNotEquals(inode(all.users), inode(none.users));
    const owner = usersOf(none.network);
    assertEquals(inode(owner), inode(none.users));
    const ours = Deno.openSync("/proc/self/ns/net");
    for (const fd of [all.users, none.users, none.network, owner]) close(fd);
    ours.close();
    const left = [...Deno.readDirSync("/proc/self/fd")].length;
    assert(left <= before, `${left} descriptors, ${before} before`);
  },
});
