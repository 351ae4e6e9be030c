import { assert, assertEquals, assertMatch } from "@std/assert";
import { AT_FDCWD, O_RDWR } from "../../../ffi/abi/fcntl.ts";
import { MAP_ANONYMOUS, MAP_PRIVATE, MAP_SHARED, PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { stringToBytes } from "../../core/bytes.ts";
import { HostFileBacking, MemoryLab } from "../../testing/memory_lab.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { openAt } from "../../vfs/open.ts";
import { BufferCursor, errno, mustOpen, readBytes } from "../../vfs/vfs_testing.ts";
import { ProcLab } from "./proc_testing.ts";

const BASE = 0x10000000;

function put(lab: MemoryLab, addr: number, text: string): ReturnType<MemoryLab["newManager"]> {
  const mm = lab.newManager();
  mm.mmap(addr, 4 * PAGE_SIZE, 3, MAP_PRIVATE | MAP_ANONYMOUS | 0x10, null, 0);
  mm.copyOut(addr, stringToBytes(text), 0, text.length);
  return mm;
}

Deno.test("maps shows areas as proc_pid_maps(5) has them", () => {
  const memory = new MemoryLab(), lab = new ProcLab();
  const mm = put(memory, BASE, "x"), FIXED = 0x10;
  const file = new HostFileBacking(memory, new Uint8Array(3 * PAGE_SIZE));
  mm.mmap(BASE + 0x100000, 2 * PAGE_SIZE, 5, MAP_PRIVATE | FIXED, file, PAGE_SIZE);
  mm.mmap(BASE + 0x200000, PAGE_SIZE, 3, MAP_SHARED | MAP_ANONYMOUS | FIXED, null, 0);
  mm.mmap(BASE + 0x300000, PAGE_SIZE, 0, MAP_PRIVATE | MAP_ANONYMOUS | FIXED, null, 0);
  lab.init.mm = mm;
  const lines = lab.text("/proc/self/maps").split("\n");
  assertEquals(lines[0], "10000000-10004000 rw-p 00000000 00:00 0 ");
  assertEquals(
    lines[1],
    `10100000-10102000 r-xp 00001000 00:08 ${file.inode.ino}`.padEnd(73) + file.describe(),
  );
  assertMatch(lines[2]!, /^10200000-10201000 rw-s 00000000 00:01 \d+ +\/dev\/zero \(deleted\)$/);
  assertEquals(lines[3], "10300000-10301000 ---p 00000000 00:00 0 ");
  memory.close();
});

Deno.test("resident pages are those that were touched", () => {
  const memory = new MemoryLab(), lab = new ProcLab();
  const mm = put(memory, BASE, "x");
  mm.copyOut(BASE + 2 * PAGE_SIZE, new Uint8Array(1), 0, 1);
  lab.init.mm = mm;
  assertEquals(lab.text("/proc/self/statm"), "4 2 0 0 0 4 0\n");
  const status = lab.text("/proc/self/status");
  assert(status.includes("\nVmSize:\t      16 kB\n"));
  assert(status.includes("\nVmRSS:\t       8 kB\nRssAnon:\t       8 kB\n"));
  const smaps = lab.text("/proc/self/smaps");
  assert(smaps.includes("\nSize:                 16 kB\n"));
  assert(smaps.includes("\nRss:                   8 kB\n"));
  assertMatch(smaps, /\nVmFlags: rd wr mr mw me ac \n$/);
  assertMatch(lab.text("/proc/self/smaps_rollup"), /^10000000-10004000 ---p .* \[rollup\]\nRss: /);
  memory.close();
});

Deno.test("cmdline follows setproctitle(3) and survives nonsense", () => {
  const memory = new MemoryLab(), lab = new ProcLab();
  const mm = put(memory, BASE, "prog\0arg\0A=1\0B=2\0");
  lab.init.mm = mm;
  const { program } = mm;
  assertEquals(lab.text("/proc/self/cmdline"), "");
  Object.assign(program, {
    argStart: BASE,
    argEnd: BASE + 9,
    envStart: BASE + 9,
    envEnd: BASE + 17,
  });
  assertEquals(lab.text("/proc/self/cmdline"), "prog\0arg\0");
  assertEquals(lab.text("/proc/self/environ"), "A=1\0B=2\0");
  mm.copyOut(BASE, stringToBytes("a title that is longer\0"), 0, 23);
  assertEquals(lab.text("/proc/self/cmdline"), "a title that is l");
  mm.copyOut(BASE, stringToBytes("short name\0"), 0, 11);
  assertEquals(lab.text("/proc/self/cmdline"), "short name\0");
  Object.assign(program, { argStart: BASE, argEnd: 2 ** 46 });
  assertEquals(lab.text("/proc/self/cmdline").length, 4 * PAGE_SIZE);
  Object.assign(program, { argStart: BASE + 2 ** 40, argEnd: BASE + 2 ** 40 + 5 });
  assertEquals(lab.text("/proc/self/cmdline"), "");
  memory.close();
});

Deno.test("mem reads and writes memory, and EIO where there is none", () => {
  const memory = new MemoryLab(), lab = new ProcLab();
  const mm = put(memory, BASE, "hello");
  lab.init.mm = mm;
  const file = mustOpen(lab.root, "/proc/self/mem", O_RDWR);
  const read = (at: number, len: number): string | number => {
    const io = new BufferCursor(new Uint8Array(len)), n = file.read(io, at);
    return n < 0 ? errno(n) : new TextDecoder().decode(io.buffer.subarray(0, n));
  };
  assertEquals(read(BASE, 5), "hello");
  assertEquals(file.write(new BufferCursor(stringToBytes("J")), BASE), 1);
  assertEquals(read(BASE, 5), "Jello");
  assertEquals(read(0, 5), "EIO");
  assertEquals(read(2 ** 52, 5), "EIO");
  // The last page, and the end behind it.
  assertEquals(
    file.read(new BufferCursor(new Uint8Array(PAGE_SIZE)), BASE + 4 * PAGE_SIZE - 10),
    10,
  );
  assertEquals(
    file.write(new BufferCursor(new Uint8Array(PAGE_SIZE)), BASE + 4 * PAGE_SIZE - 10),
    10,
  );
  assertEquals(file.write(new BufferCursor(new Uint8Array(PAGE_SIZE)), BASE + 4 * PAGE_SIZE), -5);
  mm.put();
  assertEquals(read(BASE, 5), "");
  file.drop();
  memory.close();
});

Deno.test("an open file about memory shows the memory of the time of its opening", () => {
  const memory = new MemoryLab(), lab = new ProcLab();
  const old = put(memory, BASE, "old"), young = put(memory, BASE * 2, "young");
  lab.init.mm = old;
  const maps = mustOpen(lab.root, "/proc/self/maps", 0);
  lab.init.mm = young;
  assertMatch(new TextDecoder().decode(readBytes(maps, 0, 99)), /^10000000-/);
  old.put();
  assertEquals(readBytes(maps, 0, 99).length, 0);
  assert(lab.text("/proc/self/maps").startsWith("20000000-"));
  lab.as(lab.init, 1000);
  young.isDumpable = false;
  // A process that is not dumpable: its user may not inspect it, the process itself may.
  assertEquals(typeof openAt(lab.root, AT_FDCWD, "/proc/self/maps", 0, 0), "object");
  maps.drop();
  memory.close();
});

Deno.test("maps returns some areas a read, and smaps_rollup takes several turns", () => {
  const memory = new MemoryLab(), lab = new ProcLab(), areas = 1200;
  const mm = put(memory, BASE, "x");
  for (let k = 0; k < areas; k++) {
    mm.mmap(
      BASE + (2 * k + 8) * PAGE_SIZE,
      PAGE_SIZE,
      3,
      MAP_PRIVATE | MAP_ANONYMOUS | 0x10,
      null,
      0,
    );
    mm.store8(BASE + (2 * k + 8) * PAGE_SIZE, 1);
  }
  lab.init.mm = mm;
  const maps = mustOpen(lab.root, "/proc/self/maps", 0);
  let text = "", reads = 0;
  for (let n = 1; n > 0; reads++) {
    const part = new Uint8Array(1 << 16);
    n = maps.read(new BufferCursor(part), text.length);
    text += new TextDecoder().decode(part.subarray(0, n));
    assert(n < 1 << 14);
  }
  assertEquals(text.split("\n").length, areas + 2);
  assert(reads > 2);
  // A reader at another offset skips the records before it.
  assertEquals(readBytes(maps, 0, 8).length, 8);
  assertEquals(readInTurns(maps, text.length - 20).slice(1), [text.slice(-20)]);
  const rollup = mustOpen(lab.root, "/proc/self/smaps_rollup", 0);
  const [turns, total] = readInTurns(rollup, 0);
  assert(Number(turns) > 0);
  assertMatch(String(total), /\nRss: +4804 kB\n/);
  maps.drop();
  rollup.drop();
  memory.close();
});

/** The number of extra turns that a read took, and its bytes. */
function readInTurns(file: OpenFile, offset: number): [number, string] {
  const bytes = new Uint8Array(4096);
  let n = 0, turns = 0;
  do n = file.read(new BufferCursor(bytes), offset); while (file.needsTurn && ++turns < 100);
  return [turns, new TextDecoder().decode(bytes.subarray(0, Math.max(0, n)))];
}
