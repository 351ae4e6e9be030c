/** Tests of bytes.ts: flat strings and their memory. */

import { assert, assertEquals } from "@std/assert";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { bytesToString, flatString } from "./bytes.ts";

setFlagsFromString("--expose-gc");
const gc: unknown = runInNewContext("gc");

function heapBytes(): number {
  if (typeof gc === "function") gc();
  return Deno.memoryUsage().heapUsed;
}

Deno.test("a flat string is the same string", () => {
  const all = Uint8Array.from({ length: 10_000 }, (_, i) => i * 7 & 255);
  for (const n of [0, 1, 31, 32, 255, 4095, 4096, 4097, 10_000]) {
    const s = bytesToString(all, 0, n);
    assertEquals(flatString(s), s);
  }
});

Deno.test("a flat string that is kept takes little more than its characters", () => {
  const kept: string[] = [], u8 = new Uint8Array(4000).fill(120), before = heapBytes();
  for (let i = 0; i < 1000; i++) kept.push(flatString(bytesToString(u8, 0, u8.length)));
  assert((heapBytes() - before) / kept.length < 5000);
});
