/** Every message type reads back the written value, and no broken form of it does harm. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { CATALOGUE, messageName } from "./catalogue.ts";
import { HEADER_BYTES, MSIZE_MAX, TLCREATE, TWALK } from "./constants.ts";
import { DirEntries, DIRENTS_ATTR, DIRENTS_LIST, DIRENTS_PLAIN } from "./dirent.ts";
import { decode, encode, frameSize, type Message } from "./message.ts";
import { Tlcreate } from "./file.ts";
import { Twalk } from "./walk.ts";
import { byteStringOf, ProtocolError, Reader, Str, textOf, Writer } from "./wire.ts";

const GUARD = 64;

/** xorshift32: the same sequence for the same seed everywhere. */
function randomFrom(seed: number): (below: number) => number {
  let x = seed | 1;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

/** Fills every number, string and list of a message object. */
function fill(value: object, random: (below: number) => number): void {
  for (const [key, v] of Object.entries(value)) {
    if (key === "type" && "read" in value && !("pathLo" in value)) continue;
    if (v instanceof Str) v.set("x".repeat(random(20)) + "\xff");
    else if (typeof v === "number" && key !== "max") {
      Object.assign(value, { [key]: key === "count" ? 1 + random(15) : random(200) });
    } else if (Array.isArray(v)) { for (const e of v) fill(e, random); }
    else if (typeof v === "object" && v !== null) fill(v, random);
  }
  if ("slots" in value && Array.isArray(value.slots)) {
    for (const s of value.slots) if (s instanceof Str) s.set("name" + random(9));
  }
}

function encoded(m: Message, tag: number): Uint8Array {
  const w = new Writer(new Uint8Array(65536));
  const size = encode(w, tag, m);
  return w.u8.slice(0, size);
}

/** Puts a message in a buffer with guard bytes around it, which must not be read as its content. */
function readerOver(bytes: Uint8Array): Reader {
  const u8 = new Uint8Array(GUARD + bytes.length + GUARD).fill(0xa5);
  u8.set(bytes, GUARD);
  const dv = new DataView(u8.buffer);
  return new Reader().open(u8, dv, GUARD + HEADER_BYTES, GUARD + bytes.length);
}

function staysInside(value: object, r: Reader): void {
  for (const v of Object.values(value)) {
    if (v instanceof Str) {
      if (v.bytes === r.u8) {
        assert(v.off >= GUARD && v.off + v.len <= r.end, "string leaves message");
      }
    } else if (typeof v === "object" && v !== null && !(v instanceof Uint8Array)) {
      staysInside(v, r);
    }
  }
}

for (const entry of CATALOGUE) {
  Deno.test(`${entry.name} reads back the written value`, () => {
    const random = randomFrom(entry.type);
    for (let round = 0; round < 20; round++) {
      const m = entry.make();
      assertEquals(m.type, entry.type);
      fill(m, random);
      const bytes = encoded(m, round);
      const dv = new DataView(bytes.buffer);
      assertEquals(frameSize(dv, 0, bytes.length, MSIZE_MAX), bytes.length);
      assertEquals(dv.getUint8(4), entry.type);
      assertEquals(dv.getUint16(5, true), round);
      const back = entry.make();
      decode(readerOver(bytes), back);
      assertEquals(encoded(back, round), bytes);
    }
  });

  Deno.test(`${entry.name} broken is a ProtocolError or a message, nothing else`, () => {
    const seed = 7919 * entry.type + 1;
    const random = randomFrom(seed);
    const m = entry.make();
    fill(m, random);
    const good = encoded(m, 1);
    for (let cut = HEADER_BYTES; cut < good.length; cut++) {
      if (entry.name === "Tfsync" && cut === HEADER_BYTES + 4) continue; // the old form, valid
      assertThrows(() => decode(readerOver(good.slice(0, cut)), entry.make()), ProtocolError);
    }
    const longer = new Uint8Array(good.length + 1);
    longer.set(good);
    if (entry.name !== "Tfsync") {
      assertThrows(() => decode(readerOver(longer), entry.make()), ProtocolError);
    }
    const back = entry.make();
    for (let round = 0; round < 500; round++) {
      const bad = good.slice();
      for (let k = 0; k <= random(4); k++) {
        if (bad.length === HEADER_BYTES) break;
        bad[HEADER_BYTES + random(bad.length - HEADER_BYTES)] = random(256);
      }
      const r = readerOver(bad);
      try {
        decode(r, back);
      } catch (e) {
        assert(e instanceof ProtocolError, `seed ${seed}, round ${round}: ${e}`);
        continue;
      }
      staysInside(back, r);
    }
  });
}

Deno.test("frame sizes below a header and above msize are refused, short headers wait", () => {
  const u8 = new Uint8Array(16);
  const dv = new DataView(u8.buffer);
  for (const size of [0, 6, 4097, 0xffffffff]) {
    dv.setUint32(0, size, true);
    assertThrows(() => frameSize(dv, 0, 16, 4096), ProtocolError);
  }
  dv.setUint32(0, 4096, true);
  assertEquals(frameSize(dv, 0, 16, 4096), 4096);
  assertEquals(frameSize(dv, 0, 6, 4096), 0);
});

Deno.test("Twalk has the bytes that 9P says", () => {
  const m = new Twalk();
  m.fid = 1;
  m.newFid = 2;
  m.names.set(["usr", "é"].map(byteStringOf));
  // deno-fmt-ignore
  assertEquals(encoded(m, 3), new Uint8Array([
    26, 0, 0, 0, TWALK, 3, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 0,
    3, 0, 0x75, 0x73, 0x72, 2, 0, 0xc3, 0xa9,
  ]));
});

Deno.test("Tlcreate has the bytes that 9P says", () => {
  const m = new Tlcreate();
  m.fid = 9;
  m.name.set("a");
  m.flags = 0x241;
  m.mode = 0o644;
  m.gid = 5;
  // deno-fmt-ignore
  assertEquals(encoded(m, 0x102), new Uint8Array([
    26, 0, 0, 0, TLCREATE, 2, 1, 9, 0, 0, 0, 1, 0, 0x61, 0x41, 2, 0, 0, 0xa4, 1, 0, 0, 5, 0, 0, 0,
  ]));
});

Deno.test("64-bit values keep their sign and size", () => {
  const w = new Writer(new Uint8Array(128));
  const values = [0, 1, 2 ** 32, 2 ** 53 - 1, -1, -(2 ** 33) - 5];
  for (const v of values) w.putU64(v);
  const r = new Reader().open(w.u8, w.dv, 0, w.pos);
  for (const v of values) assertEquals(r.getI64(), v);
  r.open(w.u8, w.dv, 0, w.pos);
  assertEquals(r.getU64(), 0);
  r.pos = 32;
  assertEquals(r.getU64(), 2 ** 64);
});

Deno.test("byte strings carry any bytes and refuse text", () => {
  assertEquals(textOf(byteStringOf("naïve ☃")), "naïve ☃");
  const s = new Str();
  s.set("☃");
  const w = new Writer(new Uint8Array(16));
  assertThrows(() => w.putStr(s), ProtocolError);
  s.set("\x00\xff");
  w.reset();
  w.putStr(s);
  assertEquals([...w.u8.subarray(0, 4)], [2, 0, 0, 255]);
});

Deno.test("a writer never passes its limit", () => {
  const w = new Writer(new Uint8Array(32));
  const s = new Str();
  s.set("y".repeat(31));
  assertThrows(() => w.putStr(s), ProtocolError);
  s.set("y".repeat(70000));
  assertThrows(() => w.putStr(s), ProtocolError);
});

Deno.test("directory payloads with broken entries end in a ProtocolError", () => {
  const random = randomFrom(42);
  for (const kind of [DIRENTS_PLAIN, DIRENTS_ATTR, DIRENTS_LIST]) {
    for (let round = 0; round < 2000; round++) {
      const u8 = new Uint8Array(600);
      for (let i = 0; i < u8.length; i++) u8[i] = random(10) === 0 ? random(256) : 0;
      const data = new Str();
      data.setBytes(u8, 10, random(580));
      const entries = new DirEntries();
      entries.open(data, new DataView(u8.buffer), kind);
      try {
        while (entries.next()) {
          assert(entries.name.off + entries.name.len <= data.off + data.len);
        }
      } catch (e) {
        assert(e instanceof ProtocolError, `seed 42, round ${round}: ${e}`);
      }
    }
  }
});

Deno.test("a message's name is known by its type", () => {
  assertEquals(messageName(110), "Twalk");
  assertEquals(messageName(3), "type 3");
});
