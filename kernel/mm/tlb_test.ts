/** Tests of tlb.ts: a TLB that is reused shows nothing of the memory that had it before. */

import { assert, assertEquals } from "@std/assert";
import { EFAULT } from "../../ffi/abi/errno.ts";
import { PAGE_SIZE, PROT_READ, PROT_WRITE } from "../../ffi/abi/mman.ts";
import * as M from "../../ffi/abi/mman.ts";
import { ACCESS_READ, ACCESS_WRITE } from "../../platform/platform.ts";
import { MemoryLab } from "../testing/memory_lab.ts";
import { TLB_SLOTS, TlbPool } from "./tlb.ts";

const ADDR = 0x10000000000;

Deno.test("an address space sees nothing of the one whose TLB it reuses", () => {
  const lab = new MemoryLab(), flags = M.MAP_PRIVATE | M.MAP_ANONYMOUS | M.MAP_FIXED;
  const one = lab.newManager();
  assertEquals(one.mmap(ADDR, PAGE_SIZE, PROT_READ | PROT_WRITE, flags, null, 0), ADDR);
  assertEquals(one.store32(ADDR, 7), 0);
  assertEquals(one.load32(ADDR), 7);
  one.destroy();
  const two = lab.newManager();
  for (const mm of [one, two]) {
    assertEquals(mm.translate(ADDR, ACCESS_READ), -1);
    assertEquals(mm.translate(ADDR, ACCESS_WRITE), -1);
    assertEquals(mm.copyIn(new Uint8Array(4), 0, ADDR, 4), -EFAULT);
  }
  assertEquals(two.mmap(ADDR, PAGE_SIZE, PROT_READ | PROT_WRITE, flags, null, 0), ADDR);
  assertEquals(two.load32(ADDR), 0);
  assert(one.translate(ADDR, ACCESS_READ) < 0);
  two.destroy();
  lab.close();
});

Deno.test("a reused TLB is empty", () => {
  const pool = new TlbPool(), tlb = pool.take();
  pool.give(tlb);
  tlb.readTag[1] = 1;
  tlb.writeTag[2] = 2;
  const again = pool.take();
  assert(again === tlb);
  const none = new Float64Array(TLB_SLOTS).fill(NaN);
  assertEquals([again.readTag, again.writeTag], [none, none]);
  for (let n = 0; n < 1000; n++) pool.give(tlb);
  pool.clear();
  assert(pool.take() !== tlb);
});
