/** Tests of the limit of a memory's areas, and of the account that they are charged to. */

import { TEST_ACCOUNT } from "../core/account_testing.ts";
import { assert, assertEquals } from "@std/assert";
import { EAGAIN, ENOMEM } from "../../ffi/abi/errno.ts";
import { PAGE_SIZE, PROT_READ, PROT_WRITE } from "../../ffi/abi/mman.ts";
import * as M from "../../ffi/abi/mman.ts";
import { Account } from "../core/account.ts";
import { AREAS } from "../core/quota.ts";
import { MemoryLab } from "../testing/memory_lab.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { MAX_AREAS } from "./vma.ts";

const BASE = 0x100000000000, RW = PROT_READ | PROT_WRITE;
const FLAGS = M.MAP_PRIVATE | M.MAP_ANONYMOUS | M.MAP_NORESERVE | M.MAP_FIXED;

/** Makes areas of one page each; returns their number when no more can be made. */
function fill(mm: MemoryManager): number {
  assertEquals(mm.mmap(BASE, 2 ** 30, RW, FLAGS, null, 0), BASE);
  for (let i = 1;; i += 2) {
    const r = mm.mprotect(BASE + i * PAGE_SIZE, PAGE_SIZE, PROT_READ);
    if (r === 0) continue;
    assertEquals(r, -ENOMEM);
    mm.mprotect(BASE + 2 ** 30 - PAGE_SIZE, PAGE_SIZE, PROT_READ); // merges: room for one area
    return mm.vmas.length;
  }
}

Deno.test("no call makes more areas than vm.max_map_count", () => {
  const areas = () => AREAS.countOf(TEST_ACCOUNT);
  const lab = new MemoryLab(), used = areas(), mm = lab.newManager();
  mm.limits.mayLockAll = true;
  const count = fill(mm), middle = BASE + 2 ** 29;
  assertEquals(count, MAX_AREAS);
  assertEquals(mm.mlock(middle, PAGE_SIZE, 0, true), -ENOMEM);
  assertEquals(mm.madvise(middle, PAGE_SIZE, M.MADV_DONTFORK), -EAGAIN);
  assertEquals(mm.mseal(middle, PAGE_SIZE), -ENOMEM);
  assertEquals(mm.munmap(middle, PAGE_SIZE), -ENOMEM);
  assertEquals(mm.vmas.length, count);
  assert(areas() - used >= count - 64, "they are charged");
  assertEquals(mm.munmap(BASE, 2 ** 29), 0);
  assert(areas() - used < 1000, "given back");
  mm.destroy();
  assertEquals(areas(), used);
  lab.close();
});

Deno.test("areas are charged to the account that the memory was made for", () => {
  const lab = new MemoryLab(), account = new Account(null, 1);
  account.bytesMax = 1000 * AREAS.bytesEach;
  try {
    const mm = lab.newManager(account), count = fill(mm);
    assert(count > 900 && count < 1100, `${count} areas`);
    assert(!mm.vmas.mayCopy(account), "a fork would take as many again");
    mm.destroy();
    assertEquals(account.bytes, 0);
  } finally {
    lab.close();
  }
});
