/**
 * Tests of layouts.ts and patched_sites.ts: which account patched pages and sites are charged to,
 * and when layouts are forgotten.
 */

import { assert, assertEquals } from "@std/assert";
import { MAP_FIXED, MAP_PRIVATE, PAGE_SIZE, PROT_EXEC, PROT_READ } from "../../ffi/abi/mman.ts";
import { Account } from "../core/account.ts";
import { PATCHED_PAGES, PATCHED_SITES, SITE_TABLES } from "../core/quota.ts";
import { HostFileBacking, MemoryLab } from "../testing/memory_lab.ts";
import { Layouts } from "./layouts.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { patchSite } from "./patch.ts";

const ADDR = 0x10000000000, SITES = 16, PAGES = 4;
const QUOTAS = [PATCHED_SITES, SITE_TABLES, PATCHED_PAGES];

/** `mov eax, 39; syscall`, 16 times a page. */
function code(): Uint8Array<ArrayBuffer> {
  const image = new Uint8Array(PAGES * PAGE_SIZE).fill(0x90);
  for (let i = 0; i < SITES * PAGES; i++) image.set([0xb8, 39, 0, 0, 0, 0x0f, 0x05], i * 256);
  return image;
}

class CodeLab extends MemoryLab {
  readonly file: HostFileBacking = new HostFileBacking(this, code());

  override close(): void {
    this.file.close();
    super.close();
  }
}

/** A process of a user, with the code mapped. */
function process(lab: CodeLab, layouts: Layouts, uid: number, account: Account): MemoryManager {
  const mm = lab.newManager();
  mm.sites?.drop();
  mm.sites = layouts.of(lab.ctx, uid, account).sites.hold();
  mm.mmap(ADDR, PAGES * PAGE_SIZE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, lab.file, 0);
  return mm;
}

/** Patches all sites; returns how many could be patched. */
function patchAll(mm: MemoryManager): number {
  let count = 0;
  for (let i = 0; i < SITES * PAGES; i++) if (patchSite(mm, ADDR + i * 256 + 7, 39)) count++;
  return count;
}

function used(account: Account): number[] {
  return QUOTAS.map((quota) => account.counts[quota.kind]!);
}

Deno.test("patched pages are charged to their user until no process has them", () => {
  const lab = new CodeLab(), layouts = new Layouts(), user = new Account(null, 1);
  lab.platform.thunkAddress = 0x60060010;
  const one = process(lab, layouts, 1, user), two = process(lab, layouts, 1, user);
  assertEquals(patchAll(one), SITES * PAGES);
  assertEquals(used(user), [SITES * PAGES, 1, PAGES]);
  layouts.close();
  one.destroy();
  assertEquals(used(user), [SITES * PAGES, 1, PAGES]);
  two.destroy();
  assertEquals([used(user), user.members, user.bytes], [[0, 0, 0], 0, 0]);
  lab.close();
});

Deno.test("a container that has used up its sites is slow, and its neighbour is not", () => {
  const lab = new CodeLab(), all = new Account(null, 1);
  lab.platform.thunkAddress = 0x60060010;
  // One account has room for a few sites, the other for all.
  const small = new Account(all, 20 / PATCHED_SITES.limit), large = new Account(all, 0.5);
  const mine = new Layouts(), others = new Layouts();
  const one = process(lab, mine, 1, new Account(small, 1));
  const two = process(lab, others, 1, new Account(large, 1));
  assertEquals(patchAll(one), 0, "not even a table");
  assertEquals(patchAll(two), SITES * PAGES);
  const three = process(lab, new Layouts(), 1, new Account(new Account(all, 1 / 1024), 1));
  assertEquals(patchAll(three), SITES * PAGES);
  for (const mm of [one, two, three]) mm.destroy();
  lab.close();
});

Deno.test("layouts of users whose programs ran long ago are forgotten", () => {
  const lab = new MemoryLab(), layouts = new Layouts(), account = new Account(null, 1);
  const of = (uid: number) => layouts.of(lab.ctx, uid, account);
  const before = lab.ctx.sites.size, first = of(1), second = of(2);
  assert(first.addresses.stackTop !== second.addresses.stackTop);
  for (let uid = 3; uid <= 16; uid++) of(uid);
  assertEquals([of(1), lab.ctx.sites.size - before], [first, 16]);
  of(17);
  assertEquals(of(1), first);
  assert(of(2) !== second, "the oldest");
  assertEquals(lab.ctx.sites.size - before, 16);
  layouts.close();
  assertEquals([lab.ctx.sites.size - before, account.members], [0, 0]);
  lab.close();
});
