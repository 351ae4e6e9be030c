/**
 * Tests of patch.ts, patch_cache.ts and call_site.ts: which sites are patched, and which bytes the
 * guest and debuggers see.
 */
import { TEST_ACCOUNT } from "../core/account_testing.ts";
import { assert, assertEquals } from "@std/assert";
import { PAGE_SIZE, PROT_EXEC, PROT_READ, PROT_WRITE } from "../../ffi/abi/mman.ts";
import * as M from "../../ffi/abi/mman.ts";
import { RDI } from "../../platform/platform.ts";
import { GuestSimulator } from "../testing/fake_platform.ts";
import { FakeContext } from "../testing/call_lab.ts";
import { FrameFileBacking, HostFileBacking, MemoryLab } from "../testing/memory_lab.ts";
import type { Backing } from "./backing.ts";
import { UserCursor } from "./cursor.ts";
import { MemoryManager } from "./memory_manager.ts";
import { patchSite } from "./patch.ts";

const RX = PROT_READ | PROT_EXEC, ADDR = 0x10000000000;
const TABLE = 0x60060010;

/** Code with `mov eax, nr; syscall` at each offset. */
function code(sites: [number, number][], bytes: number = 4 * PAGE_SIZE): Uint8Array<ArrayBuffer> {
  const image = new Uint8Array(bytes).fill(0x90), dv = new DataView(image.buffer);
  for (const [at, nr] of sites) {
    image[at] = 0xb8;
    dv.setUint32(at + 1, nr, true);
    dv.setUint16(at + 5, 0x050f, true);
  }
  return image;
}

function bytesAt(guest: GuestSimulator, addr: number, n: number): number[] {
  return Array.from({ length: n }, (_, i) => guest.read(addr + i));
}

const SITE = [0xb8, 39, 0, 0, 0, 0x0f, 0x05];
const JUMP = [0xff, 0x24, 0x25, 0x10, 0x00, 0x06, 0x60];

function map(mm: MemoryManager, file: Backing, addr: number = ADDR): void {
  const flags = M.MAP_PRIVATE | M.MAP_FIXED;
  assertEquals(mm.mmap(addr, 4 * PAGE_SIZE, RX, flags, file, 0), addr);
}

function forBoth(test: (lab: MemoryLab, make: (b: Uint8Array<ArrayBuffer>) => Backing) => void) {
  for (const isHost of [true, false]) {
    const lab = new MemoryLab();
    lab.platform.thunkAddress = TABLE;
    test(lab, (b) => isHost ? new HostFileBacking(lab, b) : new FrameFileBacking(lab, b));
    lab.close();
  }
}

Deno.test("a site becomes a jump for the guest and keeps its bytes for other readers", () => {
  forBoth((lab, make) => {
    const mm = lab.newManager(), guest = new GuestSimulator(mm);
    map(mm, make(code([[PAGE_SIZE + 100, 39], [PAGE_SIZE + 300, 39]])));
    const site = ADDR + PAGE_SIZE + 100;
    assertEquals(bytesAt(guest, site, 7), SITE);
    assertEquals(patchSite(mm, site + 7, 39), true);
    assertEquals(bytesAt(guest, site, 7), JUMP);
    assertEquals(bytesAt(guest, site + 200, 7), SITE);
    assertEquals(guest.execute(site), 0);
    const seen = new Uint8Array(7);
    assertEquals(mm.readForced(seen, 0, site, 7), 7);
    assertEquals([...seen], SITE);
    assertEquals(mm.copyIn(seen, 0, site, 7), 0);
    assertEquals([...seen], SITE);
    assertEquals(patchSite(mm, site + 207, 39), true);
    assertEquals(bytesAt(guest, site, 7), JUMP);
    assertEquals(bytesAt(guest, site + 200, 7), JUMP);
    assertEquals(lab.sites.pages.size, 1);
    // A thread that executed the old page makes the call by signal again.
    assertEquals(patchSite(mm, site + 7, 39), true);
    mm.setPatching(false);
    assertEquals(bytesAt(guest, site, 7), SITE);
    assertEquals(patchSite(mm, site + 7, 39), false);
    mm.destroy();
  });
});

Deno.test("many bytes around patched pages are those of the file, and the read ends", () => {
  forBoth((lab, make) => {
    const mm = lab.newManager(),
      image = code([[100, 39], [PAGE_SIZE + 100, 39], [3 * PAGE_SIZE + 100, 39]]);
    map(mm, make(image));
    for (const page of [0, 1, 3]) patchSite(mm, ADDR + page * PAGE_SIZE + 107, 39);
    const cursor = new UserCursor(mm), seen = new Uint8Array(4 * PAGE_SIZE);
    for (
      const start of [0, 50, 200, PAGE_SIZE - 1, PAGE_SIZE, PAGE_SIZE + 200, 2 * PAGE_SIZE + 1]
    ) {
      const wanted = image.slice(start);
      assertEquals(mm.copyIn(seen, 0, ADDR + start, wanted.length), 0);
      assertEquals(seen.slice(0, wanted.length), wanted);
      // Asks for more bytes than are mapped.
      assertEquals(cursor.set(ADDR + start, 4 * PAGE_SIZE), 0);
      assertEquals(cursor.takeBytes(seen, 0, 4 * PAGE_SIZE), wanted.length);
      assertEquals(seen.slice(0, wanted.length), wanted);
    }
    mm.put();
  });
});

Deno.test("the next process gets patched pages at once, also a child", () => {
  forBoth((lab, make) => {
    const one = lab.newManager(), file = make(code([[100, 39]]));
    map(one, file);
    patchSite(one, ADDR + 107, 39);
    const child = one.fork(TEST_ACCOUNT);
    assert(child instanceof MemoryManager);
    one.destroy();
    assertEquals(bytesAt(new GuestSimulator(child), ADDR + 100, 7), JUMP);
    child.destroy();
    const two = lab.newManager(), guest = new GuestSimulator(two);
    map(two, file);
    assertEquals(bytesAt(guest, ADDR + 100, 7), JUMP);
    // At another address the return address would be wrong.
    map(two, file, ADDR + 64 * PAGE_SIZE);
    assertEquals(bytesAt(guest, ADDR + 64 * PAGE_SIZE + 100, 7), SITE);
    assertEquals(
      two.mremap(ADDR, 4 * PAGE_SIZE, 4 * PAGE_SIZE, 3, ADDR + 32 * PAGE_SIZE),
      ADDR + 32 * PAGE_SIZE,
    );
    assertEquals(bytesAt(guest, ADDR + 32 * PAGE_SIZE + 100, 7), SITE);
    two.destroy();
  });
});

Deno.test("a file that changed is not given old code", () => {
  forBoth((lab, make) => {
    const one = lab.newManager(), file = make(code([[100, 39], [200, 40]]));
    map(one, file);
    assert(patchSite(one, ADDR + 107, 39));
    const writer = lab.newManager();
    const w = writer.mmap(0, PAGE_SIZE, PROT_READ | PROT_WRITE, M.MAP_SHARED, file, 0);
    writer.store8(w + 500, 0xcc);
    const two = lab.newManager(), guest = new GuestSimulator(two);
    map(two, file);
    assertEquals(bytesAt(guest, ADDR + 100, 7), SITE);
    assertEquals(guest.read(ADDR + 500), 0xcc);
    assertEquals(lab.sites.pages.size, 0);
    for (const mm of [one, two, writer]) mm.destroy();
  });
});

Deno.test("writing to patched code starts from the original", () => {
  forBoth((lab, make) => {
    const mm = lab.newManager(), guest = new GuestSimulator(mm);
    map(mm, make(code([[100, 39], [PAGE_SIZE + 100, 39]])));
    assert(patchSite(mm, ADDR + 107, 39));
    assert(patchSite(mm, ADDR + PAGE_SIZE + 107, 39));
    // A debugger sets a breakpoint.
    assertEquals(mm.writeForced(ADDR + 500, new Uint8Array([0xcc]), 0, 1), 1);
    assertEquals(bytesAt(guest, ADDR + 100, 7), SITE);
    assertEquals(guest.read(ADDR + 500), 0xcc);
    assertEquals(patchSite(mm, ADDR + 107, 39), false);
    // The program makes its code writable.
    assertEquals(mm.mprotect(ADDR, 4 * PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
    assertEquals(bytesAt(guest, ADDR + PAGE_SIZE + 100, 7), SITE);
    assertEquals(guest.write(ADDR + PAGE_SIZE + 101, 40), 0);
    assertEquals(guest.read(ADDR + PAGE_SIZE + 101), 40);
    assertEquals(patchSite(mm, ADDR + PAGE_SIZE + 107, 40), false);
    assertEquals(mm.mprotect(ADDR, 4 * PAGE_SIZE, RX), 0);
    assertEquals(patchSite(mm, ADDR + PAGE_SIZE + 107, 40), false);
    mm.destroy();
  });
});

Deno.test("only call sites of private read-only file mappings are patched", () => {
  forBoth((lab, make) => {
    const mm = lab.newManager(), across = PAGE_SIZE - 3;
    const file = make(code([[100, 39], [across, 39]]));
    map(mm, file);
    const used = lab.ctx.frames.usedBytes;
    assertEquals(patchSite(mm, ADDR + 108, 39), false);
    assertEquals(patchSite(mm, ADDR + 107, 40), false);
    assertEquals(patchSite(mm, ADDR + across + 7, 39), false);
    assertEquals(patchSite(mm, ADDR + 4 * PAGE_SIZE + 3, 39), false);
    assertEquals(patchSite(mm, 3, 39), false);
    assertEquals(patchSite(mm, 2 ** 47 + 5, 39), false);
    const anon = mm.mmap(0, PAGE_SIZE, RX, M.MAP_PRIVATE | M.MAP_ANONYMOUS, null, 0);
    mm.writeForced(anon, new Uint8Array(SITE), 0, 7);
    assertEquals(patchSite(mm, anon + 7, 39), false);
    const shared = mm.mmap(0, PAGE_SIZE, RX, M.MAP_SHARED, file, 0);
    assertEquals(patchSite(mm, shared + 107, 39), false);
    mm.munmap(anon, PAGE_SIZE);
    mm.munmap(shared, PAGE_SIZE);
    assert(lab.ctx.frames.usedBytes <= used);
    lab.platform.thunkAddress = 0;
    assertEquals(patchSite(mm, ADDR + 107, 39), false);
    mm.destroy();
  });
});

Deno.test("the call site of Go's runtime becomes a jump and an invalid opcode", () => {
  const go = [0x49, 0x89, 0xf2, 0x48, 0x89, 0xfa, 0x48, 0x89, 0xce, 0x48, 0x89, 0xdf, 0x0f, 0x05];
  const behind = [0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff];
  forBoth((lab, make) => {
    const image = code([[500, 39]]);
    image.set([...go, ...behind], 100);
    image.set([0x90, ...go.slice(1), ...behind], 200);
    image.set([...go, 0x90], 300);
    const mm = lab.newManager(), guest = new GuestSimulator(mm), ctx = new FakeContext(mm.space);
    map(mm, make(image));
    assertEquals(patchSite(mm, ADDR + 114, 0, null), false, "without registers");
    mm.refusedSites = null;
    assertEquals(patchSite(mm, ADDR + 114, 0, ctx), true);
    assertEquals(bytesAt(guest, ADDR + 100, 6), go.slice(0, 6));
    assertEquals(bytesAt(guest, ADDR + 106, 8), [...JUMP, 0x06]);
    for (const at of [214, 314]) assertEquals(patchSite(mm, ADDR + at, 0, ctx), false);
    assertEquals(patchSite(mm, ADDR + 507, 39, ctx), true);
    assertEquals(bytesAt(guest, ADDR + 106, 8), [...JUMP, 0x06]);
    const seen = new Uint8Array(8);
    assertEquals(mm.readForced(seen, 0, ADDR + 106, 8), 8);
    assertEquals([...seen], go.slice(6));
    mm.destroy();
  });
});

Deno.test("pages that were not mapped between two rests are released", () => {
  forBoth((lab, make) => {
    const { frames } = lab.ctx, patches = lab.sites.pages, file = make(code([[100, 39]]));
    const rests = (sizes: number[]) => {
      for (const size of sizes) {
        patches.age();
        assertEquals(patches.size, size);
      }
    };
    const one = lab.newManager();
    map(one, file);
    assert(patchSite(one, ADDR + 107, 39));
    rests([1, 1, 1]);
    one.destroy();
    const two = lab.newManager();
    map(two, file);
    assertEquals(bytesAt(new GuestSimulator(two), ADDR + 100, 7), JUMP);
    two.destroy();
    const used = frames.usedBytes;
    rests([1, 0, 0]);
    assertEquals(used - frames.usedBytes, PAGE_SIZE);
  });
});

Deno.test("the cache is bounded", () => {
  const lab = new MemoryLab();
  lab.platform.thunkAddress = TABLE;
  const pages = 2200, sites: [number, number][] = [];
  for (let i = 0; i < pages; i++) sites.push([i * PAGE_SIZE + 8, 1]);
  const file = new HostFileBacking(lab, code(sites, pages * PAGE_SIZE));
  const mm = lab.newManager();
  mm.mmap(ADDR, pages * PAGE_SIZE, RX, M.MAP_PRIVATE | M.MAP_FIXED, file, 0);
  for (let i = 0; i < pages; i++) assert(patchSite(mm, ADDR + i * PAGE_SIZE + 15, 1));
  assertEquals(lab.sites.pages.size, 2048);
  mm.destroy();
  assertEquals(lab.ctx.frames.usedBytes, 2049 * PAGE_SIZE);
  file.close();
  lab.close();
});

Deno.test("a program that may end soon is patched after some calls", () => {
  forBoth((lab, make) => {
    const mm = lab.newManager();
    mm.unpatchedCalls = 2;
    map(mm, make(code([[100, 39]])));
    assertEquals(patchSite(mm, ADDR + 107, 39), false);
    const child = mm.fork(TEST_ACCOUNT);
    assert(child instanceof MemoryManager);
    for (const one of [mm, child]) {
      assertEquals([1, 2].map(() => patchSite(one, ADDR + 107, 39)), [false, true]);
      one.destroy();
    }
  });
});

Deno.test("constants at a call site are call numbers, or one byte", () => {
  forBoth((lab, make) => {
    const numbers = [511, 512, 0x40000027, -1], image = code(numbers.map((nr, i) => [i * 16, nr]));
    const constants = [0x7f, 0xff, 0x100, -0x80, -0x81, 0x909090];
    constants.forEach((value, i) => {
      image.set([0xbf, 0, 0, 0, 0, 0x0f, 0x05], 256 + i * 16); // mov edi
      new DataView(image.buffer).setInt32(257 + i * 16, value, true);
    });
    const mm = lab.newManager(), ctx = new FakeContext(mm.space);
    map(mm, make(image));
    const isPatched = numbers.map((nr, i) => patchSite(mm, ADDR + i * 16 + 7, nr, ctx));
    assertEquals(isPatched, [true, false, false, false]);
    const areConstants = constants.map((value, i) => {
      ctx.regs.setInt32(RDI, value, true);
      return patchSite(mm, ADDR + 256 + i * 16 + 7, 39, ctx);
    });
    assertEquals(areConstants, [true, true, false, true, false, false]);
    mm.destroy();
  });
});
