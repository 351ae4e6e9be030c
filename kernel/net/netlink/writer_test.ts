import { assert, assertEquals } from "@std/assert";
import { NetlinkRequest, NetlinkWriter } from "./writer.ts";

Deno.test("an answer beyond the limit is overfull, and nothing is thrown", () => {
  const writer = new NetlinkWriter(), request = new NetlinkRequest();
  for (let i = 0; i < 300; i++) {
    writer.begin(request, 20, 0, 16);
    writer.nest(1)();
    writer.bytes(2, "x".repeat(65_000));
    writer.end();
  }
  assert(writer.isOverfull);
  assert(writer.length <= writer.u8.length);
  writer.reset();
  assertEquals([writer.isOverfull, writer.length], [false, 0]);
});
