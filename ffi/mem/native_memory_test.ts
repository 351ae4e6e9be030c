/** Tests of the memory primitives: values, every length around their thresholds, and faults. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { MFD_CLOEXEC } from "../abi/fcntl.ts";
import {
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MAP_SHARED,
  PAGE_SIZE,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
} from "../abi/mman.ts";
import { check } from "../sys/errors.ts";
import { close, ftruncate, memfdCreate, mmap, mprotect, munmap } from "../sys/files.ts";
import { viewOf } from "../sys/native.ts";
import {
  cas32,
  compare,
  copy,
  copyFromBuffer,
  copyToBuffer,
  FAULT,
  fill,
  findZero,
  load16,
  load32,
  load64,
  load8,
  store16,
  store32,
  store64,
  store8,
  xadd32,
  xchg32,
} from "./native_memory.ts";

const RW = PROT_READ | PROT_WRITE;

/** Runs `body` with `pages` of zeroed memory, followed by one page that cannot be accessed. */
function withGuard(pages: number, body: (base: number, end: number) => void): void {
  const bytes = (pages + 1) * PAGE_SIZE;
  const base = check(mmap(0, bytes, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), "mmap");
  const end = base + pages * PAGE_SIZE;
  check(mprotect(end, PAGE_SIZE, PROT_NONE), "mprotect");
  try {
    body(base, end);
  } finally {
    munmap(base, bytes);
  }
}

/** Runs `body` with two mapped pages of a file that was truncated to one. */
function withTruncated(body: (base: number, end: number) => void): void {
  const fd = check(memfdCreate("truncated", MFD_CLOEXEC), "memfd_create");
  check(ftruncate(fd, 2 * PAGE_SIZE), "ftruncate");
  const base = check(mmap(0, 2 * PAGE_SIZE, RW, MAP_SHARED, fd, 0), "mmap");
  fill(base, 0x61, 2 * PAGE_SIZE);
  check(ftruncate(fd, PAGE_SIZE), "ftruncate");
  try {
    body(base, base + PAGE_SIZE);
  } finally {
    munmap(base, 2 * PAGE_SIZE);
    close(fd);
  }
}

Deno.test("copy() moves exactly its bytes at every length around its thresholds", () => {
  withGuard(4, (base) => {
    const bytes = new Uint8Array(viewOf(base, 4 * PAGE_SIZE));
    const src = base + 2 * PAGE_SIZE + 3;
    const lengths = Array.from({ length: 200 }, (_, i) => i).concat(1023, 1024, 1025, 4000);
    for (const n of lengths) {
      bytes.fill(0);
      for (let i = 0; i < n + 2; i++) bytes[src - base + i] = 1 + (i * 7) % 255;
      assertEquals(copy(base + 5, src, n), n);
      for (let i = 0; i < n; i++) {
        if (bytes[5 + i] !== bytes[src - base + i]) throw new Error(`length ${n}, byte ${i}`);
      }
      assertEquals([bytes[4], bytes[5 + n]], [0, 0], `outside of length ${n}`);
    }
    assertEquals(copy(base, src, -5), 0);
  });
});

Deno.test("copy() stops exactly where either side faults, at every length and distance", () => {
  withGuard(2, (base, end) => {
    for (const n of [1, 2, 3, 5, 8, 13, 16, 17, 31, 64, 65, 200, 1024, 3000]) {
      for (const room of [0, 1, 2, 7, 8, 15, 16, 17, 63, 64, 100, 2999]) {
        const expected = Math.min(n, room);
        fill(base, 0x40, 2 * PAGE_SIZE);
        assertEquals(copy(base, end - room, n), expected, `source, ${n} bytes of ${room}`);
        fill(base, 1, 3000);
        assertEquals(copy(end - room, base, n), expected, `destination, ${n} bytes of ${room}`);
        if (expected > 0) assertEquals(load8(end - room + expected - 1), 1);
      }
    }
  });
});

Deno.test("fill() writes exactly its bytes and stops at a fault", () => {
  withGuard(2, (base, end) => {
    for (const n of [0, 1, 7, 8, 9, 255, 256, 257, 5000]) {
      fill(base, 0, 2 * PAGE_SIZE);
      assertEquals(fill(base + 1, 0x1ab, n), n);
      assertEquals([load8(base), load8(base + 1 + n)], [0, 0]);
      if (n > 0) assertEquals([load8(base + 1), load8(base + n)], [0xab, 0xab]);
      for (const room of [0, 3, 8, 100, 300]) {
        assertEquals(fill(end - room, 9, n), Math.min(n, room), `${n} bytes of ${room}`);
      }
    }
  });
});

Deno.test("buffers of any size take part in copies, and their bounds are checked", () => {
  withGuard(1, (base, end) => {
    fill(base, 0x61, PAGE_SIZE);
    for (const size of [4, 64, 65, 1000]) {
      const buffer = new Uint8Array(size);
      assertEquals(copyToBuffer(buffer, 1, base, size - 2), size - 2);
      assertEquals([buffer[0], buffer[1], buffer[size - 2], buffer[size - 1]], [0, 0x61, 0x61, 0]);
      buffer.fill(0x62);
      assertEquals(copyFromBuffer(base + 1, buffer, 1, 3), 3);
      assertEquals([load8(base), load32(base + 1)], [0x61, 0x61626262]);
      fill(base, 0x61, 8);
      assertEquals(copyToBuffer(buffer, 0, end - 2, 4), 2);
      assertEquals(copyFromBuffer(end - 1, buffer, 0, 4), 1);
      fill(base, 0x61, PAGE_SIZE);
    }
    const part = new Uint8Array(new Uint8Array(32).buffer, 8, 8);
    copyToBuffer(part, 4, base, 4);
    assertEquals(part, new Uint8Array([0, 0, 0, 0, 0x61, 0x61, 0x61, 0x61]));
    const shared = new Uint8Array(new SharedArrayBuffer(16));
    assertEquals(copyToBuffer(shared, 8, base, 8), 8);
    assertEquals([shared[7], shared[8]], [0, 0x61]);
    for (const [offset, len] of [[0, 9], [8, 1], [-1, 2], [9, 0], [0, -1], [NaN, 1]] as const) {
      assertThrows(() => copyToBuffer(part, offset, base, len), RangeError);
      assertThrows(() => copyFromBuffer(base, part, offset, len), RangeError);
    }
  });
});

Deno.test("scalars keep all their bits, aligned or not", () => {
  withGuard(1, (base) => {
    assertEquals(store64(base, 0x1234_5678_9abc), 0);
    assertEquals([load8(base + 1), load16(base + 1), load32(base + 1)], [
      0x9a,
      0x789a,
      0x3456_789a,
    ]);
    assertEquals(load64(base), 0x1234_5678_9abc);
    assertEquals([store64(base, -1), load64(base)], [0, 2 ** 64]);
    assertEquals([store64(base, -(2 ** 63)), load64(base)], [0, 2 ** 63]);
    assertEquals([store64(base, -2048), load64(base)], [0, 2 ** 64 - 2048]);
    assertEquals([store32(base, 0xffff_fffe), load32(base)], [0, 0xffff_fffe]);
    assertEquals([store16(base, 0x1_8001), load16(base), load8(base + 2)], [0, 0x8001, 0xff]);
    assertEquals([store8(base, -1), load8(base)], [0, 0xff]);
  });
});

Deno.test("atomics return the previous unsigned word", () => {
  withGuard(1, (base) => {
    store32(base, 0xffff_ffff);
    assertEquals([cas32(base, 0, 5), load32(base)], [0xffff_ffff, 0xffff_ffff]);
    assertEquals([cas32(base, 0xffff_ffff, 5), load32(base)], [0xffff_ffff, 5]);
    assertEquals([xadd32(base, -6), load32(base)], [5, 0xffff_ffff]);
    assertEquals([xchg32(base, 0x8000_0000), load32(base)], [0xffff_ffff, 0x8000_0000]);
  });
});

Deno.test("findZero() and compare() agree with a simple search", () => {
  withGuard(1, (base, end) => {
    for (let start = 0; start < 9; start++) {
      for (let zero = 0; zero < 30; zero++) {
        fill(base, 0x80 + zero, 64);
        store8(base + start + zero, 0);
        for (const max of [0, 1, 7, 8, 9, 20, 40]) {
          assertEquals(findZero(base + start, max), Math.min(zero, max), `${start} ${zero} ${max}`);
        }
        fill(base + 100, 0x80 + zero, 64);
        const differs = compare(base + start, base + 100 + start, 31);
        assertEquals([differs, compare(base + start, base + 100 + start, zero)], [1, 0]);
      }
    }
    fill(base, 1, PAGE_SIZE);
    assertEquals([findZero(end - 13, 13), findZero(end - 13, 14)], [13, FAULT]);
    store8(end - 1, 0);
    assertEquals(findZero(end - 13, 1000), 12);
    store8(end - 1, 1);
    assertEquals([compare(end - 13, base, 13), compare(end - 13, base, 14)], [0, FAULT]);
    store8(base + 3, 2);
    assertEquals(compare(end - 13, base, 1000), 1);
  });
});

Deno.test("every primitive survives a file that was truncated beneath it", () => {
  withTruncated((base, end) => {
    assertEquals(copy(base, end - 100, 200), 100);
    assertEquals(copy(end - 100, base, 4000), 100);
    assertEquals(copy(end, base, 16), 0);
    assertEquals(copyToBuffer(new Uint8Array(300), 0, end - 10, 300), 10);
    assertEquals(copyFromBuffer(end - 10, new Uint8Array(300), 0, 300), 10);
    fill(base, 0x61, PAGE_SIZE);
    assertEquals(fill(end - 100, 0x61, 200), 100);
    assertEquals(fill(end - 100, 0x61, 4000), 100);
    assertEquals(findZero(end - 20, 100), FAULT);
    assertEquals(compare(base, end - 20, 100), FAULT);
    assertEquals([load8(end), load16(end - 1), load32(end - 1), load64(end - 7)], [-1, -1, -1, -1]);
    assertEquals([store8(end, 1), store16(end, 1), store32(end, 1), store64(end, 1)], [
      -1,
      -1,
      -1,
      -1,
    ]);
    assertEquals([cas32(end, 0, 1), xadd32(end, 1), xchg32(end, 1)], [-1, -1, -1]);
  });
});

Deno.test("addresses that no memory can have are faults, not the end", () => {
  for (const address of [0, 1, 4095, 2 ** 47, 2 ** 52, 2 ** 62, -1, -4096, 2 ** 64, NaN]) {
    assertEquals(load32(address), FAULT);
    assertEquals(store32(address, 1), FAULT);
    assertEquals(copy(address, address, 100), 0);
    assertEquals(findZero(address, 100), FAULT);
  }
});

/** Runs a Deno program that may end by a signal: its status and standard error. */
async function runProgram(source: string): Promise<Deno.CommandOutput> {
  const here = new URL(".", import.meta.url).href;
  const program = source.replaceAll("@/", here);
  const url = `data:application/typescript,${encodeURIComponent(program)}`;
  const args = ["run", "-A", "--no-check", "--quiet", url];
  return await new Deno.Command(Deno.execPath(), { args, stdin: "null" }).output();
}

Deno.test("a fault outside of the primitives still ends the process by its signal", async () => {
  const wild = await runProgram(`
    import { viewOf } from "@/../sys/native.ts";
    new Uint8Array(viewOf(16, 16))[0] = 1;
  `);
  assertEquals(wild.signal, "SIGSEGV", new TextDecoder().decode(wild.stderr));
  const sent = await runProgram(`
    import "@/native_memory.ts";
    Deno.kill(Deno.pid, "SIGBUS");
    setTimeout(() => {}, 5000);
  `);
  assertEquals(sent.signal, "SIGBUS", new TextDecoder().decode(sent.stderr));
});

Deno.test("the primitives work beside a worker, and after it is gone", async () => {
  const out = await runProgram(`
    import { load32 } from "@/native_memory.ts";
    const source = 'import { load32 } from "@/native_memory.ts"; postMessage(load32(16));';
    const url = "data:application/typescript," + encodeURIComponent(source);
    const worker = new Worker(url, { type: "module" });
    worker.onmessage = async (event) => {
      console.log(event.data, load32(32));
      worker.terminate();
      // The worker's thread closes its libraries some time from now; faults must be survived all
      // along.
      for (let i = 0; i < 20; i++) {
        await new Promise((done) => setTimeout(done, 10));
        if (load32(48) !== -1) console.log("no fault");
      }
      console.log("done");
    };
  `);
  assert(out.success, new TextDecoder().decode(out.stderr));
  assertEquals(new TextDecoder().decode(out.stdout), "-1 -1\ndone\n");
});
