import { assert, assertEquals } from "@std/assert";
import { RING_ENTRIES } from "../../core/quota.ts";
import { BufferGroup } from "./buffers.ts";

Deno.test("used buffers are given up though the list never is empty", () => {
  const list = [{ addr: 0, len: 1, id: 0 }], group = new BufferGroup(list, 0, 0);
  const before = RING_ENTRIES.used;
  for (let id = 1; id < 10_000; id++) {
    list.push({ addr: id, len: 1, id });
    RING_ENTRIES.used++;
    group.advance();
    assert(list.length < 2000);
    assertEquals([group.count, RING_ENTRIES.used], [1, before]);
  }
  assertEquals(list.at(-1)?.id, 9999);
});
