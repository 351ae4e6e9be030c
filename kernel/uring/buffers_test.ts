import { assertEquals } from "@std/assert";
import { Account } from "../core/account.ts";
import { RING_ENTRIES } from "../core/quota.ts";
import { BufferList } from "./buffers.ts";

Deno.test("used buffers are released though the list is never empty", () => {
  const group = new BufferList(new Account(null, 1)),
    count = () => RING_ENTRIES.countOf(group.account);
  const before = count();
  group.add({ addr: 0, len: 1, id: 0 });
  for (let id = 1; id < 3000; id++) {
    group.add({ addr: id, len: 1, id });
    RING_ENTRIES.add(1, group.account);
    group.drop();
    const first = group.peek(), seen = typeof first === "number" ? first : first.id;
    assertEquals([group.count, seen, count()], [1, id, before]);
  }
});
