import { assertEquals } from "@std/assert";
import { relaysOf, RelayTable } from "./relay_table.ts";

Deno.test("the connection without traffic for longest is the one that makes room", () => {
  const table = new RelayTable<{ lastNs: number }>(3);
  assertEquals([table.idlest, table.isFull], [null, false]);
  const relays = [5, 3, 4].map((lastNs) => ({ lastNs }));
  for (const relay of relays) table.add(relay);
  assertEquals([table.idlest, table.isFull], [relays[1], true]);
  relays[1]!.lastNs = 9;
  assertEquals(table.idlest, relays[2]);
  table.remove(relays[2]!);
  assertEquals([table.idlest, table.isFull], [relays[0], false]);
});

Deno.test("ports share a quarter of the descriptors, of which a connection needs two", () => {
  assertEquals([relaysOf(1, 1 << 20), relaysOf(1, 1024), relaysOf(2, 1024)], [1024, 128, 64]);
  assertEquals(relaysOf(1000, 256), 1);
});
