import { assertEquals } from "@std/assert";
import { Fifo } from "../../core/fifo.ts";
import { RING_ENTRIES } from "../../core/quota.ts";
import { BufferGroup, type ProvidedBuffer } from "./buffers.ts";

Deno.test("used buffers are given up though the list never is empty", () => {
  const list = new Fifo<ProvidedBuffer>(), group = new BufferGroup(list, 0, 0);
  const before = RING_ENTRIES.used;
  list.push({ addr: 0, len: 1, id: 0 });
  for (let id = 1; id < 3000; id++) {
    list.push({ addr: id, len: 1, id });
    RING_ENTRIES.used++;
    group.advance();
    assertEquals([group.count, list.first?.id, RING_ENTRIES.used], [1, id, before]);
  }
});
