// Long replies: the buffer grows at any attribute, and a reader gets messages before the end.

import { assert, assertEquals } from "@std/assert";
import { Nlmsghdr } from "../../../ffi/abi/netlink.ts";
import { NetlinkRequest, NetlinkWriter } from "./writer.ts";

const request = new NetlinkRequest();

Deno.test("numbers are written where the buffer grows for them", () => {
  const out = new NetlinkWriter(), places: [number, number][] = [];
  for (let i = 0; i < 20_000; i++) {
    if (i % 3 === 0) out.u32(1, i);
    else if (i % 3 === 1) out.u16(1, i);
    else out.u8Value(1, i & 255);
    places.push([out.length - 4, i % 3 === 2 ? i & 255 : i]);
  }
  for (const [at, value] of places) assertEquals(out.dv.getUint32(at, true), value);
});

Deno.test("a dump goes to its reader in pieces of whole messages", () => {
  const out = new NetlinkWriter(), pieces: number[] = [];
  let messages = 0;
  out.reader = {
    takeAnswer: ({ dv, length }) => {
      pieces.push(length);
      for (let at = 0; at < length; messages++) at += dv.getUint32(at + Nlmsghdr.at.len, true);
    },
  };
  for (let i = 0; i < 100_000; i++) {
    out.begin(request, 16, 0, 16);
    out.bytes(1, "x".repeat(200));
    out.end();
  }
  out.reader.takeAnswer(out);
  assertEquals(messages, 100_000);
  assert(Math.max(...pieces) < 128 << 10 && out.u8.length < 256 << 10);
});

Deno.test("an answer beyond the limit is overfull, and nothing is thrown", () => {
  const writer = new NetlinkWriter();
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
