/**
 * Tests of the limit of a memory's extents in its page map, and of the account that they are
 * charged to.
 */

import { assert, assertEquals } from "@std/assert";
import { ENOMEM } from "../../ffi/abi/errno.ts";
import { PAGE_SIZE, PROT_READ, PROT_WRITE } from "../../ffi/abi/mman.ts";
import * as M from "../../ffi/abi/mman.ts";
import { SIGKILL } from "../../ffi/abi/signal.ts";
import { ACCESS_WRITE } from "../../platform/platform.ts";
import { Account } from "../core/account.ts";
import { PAGE_EXTENTS } from "../core/quota.ts";
import { MemoryLab } from "../testing/memory_lab.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { PAGE_POISONED, PageMap } from "./pages.ts";
import { poisonPage } from "../userfault/userfault_pages.ts";

const BASE = 0x100000000000, BYTES = 2 ** 30;

/** Runs `body` with an account that may have `places` for extents. */
function withRoom(places: number, body: (account: Account) => void): void {
  const account = new Account(null, 1);
  account.bytesMax = places * PAGE_EXTENTS.bytesEach;
  body(account);
}

function withMemory(places: number, body: (mm: MemoryManager, account: Account) => void): void {
  withRoom(places, (account) => {
    const lab = new MemoryLab(), mm = lab.newManager(account);
    const flags = M.MAP_PRIVATE | M.MAP_ANONYMOUS | M.MAP_NORESERVE | M.MAP_FIXED;
    assertEquals(mm.mmap(BASE, BYTES, PROT_READ | PROT_WRITE, flags, null, 0), BASE);
    body(mm, account);
    mm.destroy();
    assertEquals(account.bytes, 0);
    lab.close();
  });
}

/** Poisons every second page; returns how many there are when no more fit. */
function poison(mm: MemoryManager): number {
  for (let n = 0;; n++) {
    const r = poisonPage(mm, BASE / PAGE_SIZE + 2 * n);
    if (r === 0) continue;
    assertEquals(r, -ENOMEM);
    return n;
  }
}

Deno.test("extents are charged by capacity, until their object ends", () => {
  withRoom(1 << 20, (account) => {
    const map = new PageMap(account), made = 10_000;
    for (let i = 0; i < made; i++) map.insert(2 * i, 1, -1, -1, PAGE_POISONED);
    const { bytesEach } = PAGE_EXTENTS, bytes = account.bytes;
    assert(bytes >= made * bytesEach && bytes <= 2 * made * bytesEach, `${bytes} bytes`);
    map.remove(100, made - 100);
    assertEquals(map.length, 200);
    assert(account.bytes <= 512 * bytesEach, `${account.bytes} bytes`);
    for (let i = 0; i < 100; i++) {
      assertEquals([map.start(i), map.start(100 + i)], [2 * i, 2 * (made - 100 + i)]);
    }
    map.remove(0, 200);
    assertEquals([map.length, account.bytes], [0, 0]);
  });
});

Deno.test("a call that needs more extents than there may be fails with ENOMEM", () => {
  withMemory(2000, (mm, account) => {
    const count = poison(mm);
    assert(count > 500 && count <= 2000, `${count} extents`);
    assert(account.bytes <= account.bytesMax);
    assert(!mm.pages.mayCopy(account), "a fork would take as many again");
    assertEquals(mm.madvise(BASE, PAGE_SIZE, M.MADV_DONTNEED), -ENOMEM);
    assertEquals(mm.munmap(BASE, BYTES), 0);
    assertEquals(account.bytes, 0);
  });
});

Deno.test("a fault that needs more extents than there may be ends the process", () => {
  withMemory(2000, (mm) => {
    const at = BASE + BYTES / 2;
    assertEquals(mm.handleFault(at, ACCESS_WRITE), 0);
    poison(mm);
    assertEquals(mm.handleFault(at + BYTES / 4, ACCESS_WRITE), SIGKILL);
  });
});
