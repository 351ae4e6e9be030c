/** Payloads of Rscan: broken ones are refused before any of their entries is used. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { SCAN_ATTRS, SCAN_ROOT } from "./constants.ts";
import { checkScan, SCAN_BLOCK_BYTES, ScanBlocks } from "./scan.ts";
import { ProtocolError, Str, Writer } from "./wire.ts";
import { Attr } from "./attr.ts";

const attr = new Attr();
const text = new Str();

function putBlock(w: Writer, parent: number, index: number, names: string[], withAttrs: boolean) {
  const start = w.reserve(20);
  attr.write(w);
  for (const name of names) {
    if (withAttrs) attr.write(w);
    else {
      w.putU8(4);
      w.putU64(77);
    }
    text.set(name);
    w.putStr(text);
    text.set("target");
    if (withAttrs) w.putStr(text);
  }
  w.dv.setUint32(start, w.pos - start, true);
  w.dv.setUint32(start + 4, parent, true);
  w.dv.setUint32(start + 8, index, true);
  w.dv.setUint32(start + 12, withAttrs ? SCAN_ATTRS : 0, true);
  w.dv.setUint32(start + 16, names.length, true);
}

function payload(): Uint8Array<ArrayBuffer> {
  const w = new Writer(new Uint8Array(65536));
  putBlock(w, SCAN_ROOT, 1, ["a", "bb", "ccc"], false);
  putBlock(w, 0, 2, ["d"], true);
  putBlock(w, 1, 0, [], false);
  return new Uint8Array(w.u8.subarray(0, w.pos));
}

function check(bytes: Uint8Array, paths = 2): void {
  checkScan(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.length), paths);
}

Deno.test("a payload is read back as it was written", () => {
  const bytes = payload();
  check(bytes);
  const b = new ScanBlocks().open(bytes, new DataView(bytes.buffer), 0, bytes.length);
  const seen: string[] = [];
  while (b.nextBlock()) {
    seen.push(`${b.number}: ${b.parent >>> 0},${b.index}`);
    while (b.nextEntry()) {
      seen.push(`${b.entry} ${b.name.toByteString()} ${b.target.toByteString()}`);
    }
  }
  assertEquals(seen[0], `0: ${SCAN_ROOT},1`);
  assertEquals(seen[3], "2 ccc ");
  assertEquals(seen[5], "0 d target");
  assertEquals(seen.length, 7);
  check(new Uint8Array(0));
});

Deno.test("blocks that are empty, or refer to themselves or to later blocks, are refused", () => {
  for (const [parent, index, paths] of [[SCAN_ROOT, 2, 2], [0, 0, 2], [1, 0, 2], [5, 0, 2]]) {
    const w = new Writer(new Uint8Array(4096));
    putBlock(w, parent!, index!, ["x"], false);
    assertThrows(() => check(w.u8.slice(0, w.pos), paths), ProtocolError);
  }
  assertThrows(() => check(payload(), 1), ProtocolError);
});

Deno.test("sizes, counts and strings that do not fit are refused wherever changed", () => {
  const good = payload();
  const ends = new Set<number>();
  const b = new ScanBlocks().open(good, new DataView(good.buffer), 0, good.length);
  while (b.nextBlock()) ends.add(b.at);
  for (let cut = 1; cut < good.length; cut++) {
    if (!ends.has(cut)) assertThrows(() => check(good.slice(0, cut)), ProtocolError, "", `${cut}`);
  }
  for (const at of [0, 16, SCAN_BLOCK_BYTES + 9]) {
    for (const value of [0, 1, 200, 255]) {
      const bad = good.slice();
      if (bad[at] === value) continue;
      bad[at] = value;
      assertThrows(() => check(bad), ProtocolError, "", `${value} at ${at}`);
    }
  }
});

Deno.test("random payloads are refused or can be read to their end, nothing else", () => {
  let x = 4711, accepted = 0;
  const random = (below: number): number => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
  for (let round = 0; round < 20_000; round++) {
    const bad = payload();
    for (let k = random(4); k >= 0; k--) bad[random(bad.length)] = random(256);
    const view = new DataView(bad.buffer);
    try {
      checkScan(bad, view, 2);
    } catch (e) {
      assert(e instanceof ProtocolError, `round ${round}: ${e}`);
      continue;
    }
    accepted++;
    const blocks = new ScanBlocks().open(bad, view, 0, bad.length);
    while (blocks.nextBlock()) {
      while (blocks.nextEntry()) {
        assert(blocks.name.off + blocks.name.len <= blocks.end && blocks.attrAt < blocks.end);
      }
    }
  }
  assert(accepted > 1000, `${accepted}`);
});
