import { assert, assertEquals } from "@std/assert";
import * as M from "../../ffi/abi/mman.ts";
import { PROT_READ, PROT_WRITE } from "../../platform/platform.ts";
import { HostFileBacking, MemoryLab } from "../testing/memory_lab.ts";
import { mapsText, smapsText } from "./maps_text.ts";

const PAGE = 4096, RW = PROT_READ | PROT_WRITE;

Deno.test("maps looks as Linux prints it", () => {
  const lab = new MemoryLab(), mm = lab.newManager();
  const file = new HostFileBacking(lab, new Uint8Array(3 * PAGE));
  const fixed = M.MAP_PRIVATE | M.MAP_FIXED;
  mm.mmap(0x400000, 2 * PAGE, PROT_READ, fixed, file, PAGE);
  mm.mmap(0x7f0000000000, PAGE, RW, fixed | M.MAP_ANONYMOUS, null, 0);
  mm.mmap(0x7f0000002000, PAGE, RW, M.MAP_SHARED | M.MAP_FIXED | M.MAP_ANONYMOUS, null, 0);
  const lines = mapsText(mm).split("\n");
  const ino = file.inode.ino;
  assertEquals(
    lines[0],
    `00400000-00402000 r--p 00001000 00:08 ${ino} `.padEnd(73) + "/test/host-file",
  );
  assertEquals(lines[1], "7f0000000000-7f0000001000 rw-p 00000000 00:00 0 ");
  assert(lines[2]!.endsWith("/dev/zero (deleted)"));
  assertEquals(lines.length, 4);
  // The shape of every line of the host's own file.
  const shape =
    /^[0-9a-f]{8,}-[0-9a-f]{8,} [r-][w-][x-][sp] [0-9a-f]{8,} [0-9a-f]{2,}:[0-9a-f]{2,} \d+ *.*$/;
  for (const line of lines.slice(0, 3)) assert(shape.test(line), line);
  assert(smapsText(mm).includes("Rss:                   4 kB\n"));
  mm.destroy();
  file.close();
  lab.close();
});

Deno.test("many mappings stay cheap to place, and holes are found again", () => {
  const lab = new MemoryLab(), mm = lab.newManager();
  const flags = M.MAP_PRIVATE | M.MAP_ANONYMOUS | M.MAP_NORESERVE, at: number[] = [];
  for (let i = 0; i < 20_000; i++) {
    at.push(mm.mmap(0, PAGE, i & 1 ? RW : PROT_READ, flags, null, 0));
  }
  assertEquals(mm.vmas.length, 20_000);
  for (let i = 1; i < at.length; i++) assertEquals(at[i], at[i - 1]! - PAGE);
  mm.munmap(at[700]!, PAGE);
  mm.munmap(at[5000]!, 3 * PAGE);
  assertEquals(mm.mmap(0, 3 * PAGE, RW, flags, null, 0), at[5000]);
  assertEquals(mm.mmap(0, PAGE, RW, flags, null, 0), at[700]);
  assertEquals(mm.mmap(0, PAGE, RW, flags, null, 0), at[19_999]! - PAGE);
  mm.destroy();
  lab.close();
});

Deno.test("a mapping goes to the highest hole that is large enough", () => {
  const lab = new MemoryLab(), mm = lab.newManager();
  const flags = M.MAP_PRIVATE | M.MAP_ANONYMOUS | M.MAP_NORESERVE;
  let seed = 99;
  const random = (n: number): number => {
    seed = Math.imul(seed, 1664525) + 1013904223 >>> 0;
    return Math.floor(seed / 2 ** 32 * n);
  };
  const highest = (len: number): number => {
    let end = mm.mmapBase;
    for (let i = mm.vmas.length - 1; i >= 0; i--) {
      if (end - mm.vmas.at(i).end >= len) return end - len;
      end = mm.vmas.at(i).start;
    }
    return end - len;
  };
  for (let step = 0; step < 5000; step++) {
    const len = (1 + random(step % 7 === 0 ? 60 : 6)) * PAGE;
    if (random(5) < 3) {
      const wanted = highest(len);
      assertEquals(mm.mmap(0, len, random(2) ? RW : PROT_READ, flags, null, 0), wanted);
    } else {
      mm.munmap(mm.mmapBase - random(2000) * PAGE - len, len);
    }
  }
  mm.destroy();
  lab.close();
});
