/** Scenes of memory, userfaultfd, io_uring and asynchronous I/O. */

import { type ActingGuest, ints, join } from "./acting_guest.ts";
import type { Scenes } from "./scene.ts";

const MAP_SHARED = 1, MAP_PRIVATE = 2, MAP_ANONYMOUS = 0x20, PROT_RW = 3, PAGE = 4096;
const UFFDIO_API = 0xc018aa3f, UFFDIO_REGISTER = 0xc020aa00, UFFDIO_COPY = 0xc028aa03;
const SIGCHLD = 17, ACCESS_WRITE = 2;
const IORING_OP_READ = 22, IORING_OP_POLL_ADD = 6, IORING_OP_TIMEOUT = 11, IORING_OP_NOP = 0;

function map(guest: ActingGuest, bytes: number, flags: number): number {
  return guest.must("mmap", 0, bytes, PROT_RW, flags | MAP_ANONYMOUS, -1, 0);
}

/** Rings of io_uring. */
class Rings {
  /** @param rings where they are mapped @param at offsets, as the kernel has told them */
  constructor(
    readonly fd: number,
    private readonly rings: number,
    private readonly sqes: number,
    private readonly at: readonly number[],
  ) {}

  static of(guest: ActingGuest, flags: number = 0): Rings {
    const params = guest.put(join(ints(4, 0, 0, flags, 0, 50), new Uint8Array(100)));
    const fd = guest.must("io_uring_setup", 8, params);
    const rings = guest.must("mmap", 0, 2 * PAGE, PROT_RW, MAP_SHARED, fd, 0);
    const sqes = guest.must("mmap", 0, PAGE, PROT_RW, MAP_SHARED, fd, 0x10000000);
    const at = Array.from({ length: 20 }, (_, i) => guest.word(params + 40 + 4 * i));
    return new Rings(fd, rings, sqes, at);
  }

  /** Puts an entry, which is not submitted yet. */
  put(guest: ActingGuest, entry: Uint8Array<ArrayBuffer>): void {
    const tail = guest.word(this.rings + this.at[1]!), slot = tail & 7;
    guest.store(this.sqes + 64 * slot, join(entry, new Uint8Array(64 - entry.length)));
    guest.store(this.rings + this.at[6]! + 4 * slot, ints(4, slot));
    guest.store(this.rings + this.at[1]!, ints(4, tail + 1));
  }

  /** All answers so far, and the heads and tails of both rings. */
  look(guest: ActingGuest): string {
    const [head = 0, tail = 0, , , , cqes = 0] = this.at.slice(10);
    const words = [this.at[0]!, this.at[1]!, head, tail].map((at) => guest.word(this.rings + at));
    return `${words}: ${guest.bytes(this.rings + cqes, 16 * words[3]!)}`;
  }
}

function entry(
  op: number,
  fd: number,
  addr: number,
  length: number,
  data: number,
  flags: number = 0,
) {
  return join(
    ints(1, op, flags, 0, 0),
    ints(4, fd),
    ints(8, 0, addr),
    ints(4, length, 0),
    ints(8, data),
  );
}

export const MEMORY_SCENES: Scenes = {
  "memory that a fork shares, written on both sides": (guest) => {
    const at = map(guest, 8 * PAGE, MAP_PRIVATE), shared = map(guest, 2 * PAGE, MAP_SHARED);
    guest.store(at, new Uint8Array(3 * PAGE).fill(1));
    const child = guest.fork();
    child.store(at, ints(4, 2));
    guest.store(at + PAGE, ints(4, 3));
    guest.store(shared, ints(4, 4));
    return (world) => {
      const g = guest.in(world), c = child.in(world), seen = [g.word(at), c.word(at)];
      c.store(at + 2 * PAGE, ints(4, 5));
      c.store(shared + PAGE, ints(4, 6));
      seen.push(g.word(at + PAGE), c.word(at + PAGE), g.word(at + 2 * PAGE), c.word(shared));
      return [...seen, g.word(shared + PAGE), g.word(at + 7 * PAGE)];
    };
  },

  "areas with other rights, locked, grown, moved and dropped": (guest) => {
    const at = map(guest, 16 * PAGE, MAP_PRIVATE), wiped = guest.fork();
    guest.store(at, new Uint8Array(16 * PAGE).fill(9));
    guest.must("mprotect", at + 4 * PAGE, 2 * PAGE, 1);
    guest.must("mlock", at, PAGE);
    guest.must("madvise", at + 8 * PAGE, PAGE, 4);
    guest.must("munmap", at + 10 * PAGE, PAGE);
    const moved = guest.must("mremap", at + 12 * PAGE, PAGE, 4 * PAGE, 1);
    const brk = guest.must("brk", 0);
    guest.must("brk", brk + 5 * PAGE);
    guest.store(brk, ints(4, 8));
    wiped.must("madvise", at, PAGE, 18);
    return (world) => {
      const g = guest.in(world), residency = g.room(16), forked = wiped.in(world).fork();
      const seen: unknown[] = [g.word(at + 8 * PAGE), g.word(moved), g.word(moved + PAGE)];
      seen.push(g.word(brk), g.call("brk", brk), g.call("mincore", at, 8 * PAGE, residency));
      seen.push(g.bytes(residency, 8), forked.word(at), g.readFile("/proc/self/maps"));
      return [...seen, g.call("pwrite64", 1, at + 4 * PAGE, 1, 0), g.call("munlockall")];
    };
  },

  "secret memory": (guest) => {
    const fd = guest.must("memfd_secret", 0);
    guest.must("ftruncate", fd, PAGE);
    const at = guest.must("mmap", 0, PAGE, PROT_RW, MAP_SHARED, fd, 0);
    guest.touch(at, ACCESS_WRITE);
    return (world) => [guest.in(world).state, guest.in(world).call("munmap", at, PAGE)];
  },

  "a fault that waits for a handler": (guest) => {
    const fd = guest.must("userfaultfd", 1), at = map(guest, 4 * PAGE, MAP_PRIVATE);
    const thread = guest.thread();
    guest.must("ioctl", fd, UFFDIO_API, ints(8, 0xaa, 0, 0));
    guest.must("ioctl", fd, UFFDIO_REGISTER, ints(8, at, 4 * PAGE, 1, 0));
    thread.touch(at + PAGE, ACCESS_WRITE);
    return (world) => {
      const g = guest.in(world), t = thread.in(world), page = g.room(PAGE + PAGE);
      const seen: unknown[] = [t.result, g.read(fd, 64)], from = Math.ceil(page / PAGE) * PAGE;
      g.store(from, ints(4, 77));
      seen.push(g.call("ioctl", fd, UFFDIO_COPY, ints(8, at + PAGE, from, PAGE, 0, 0)));
      return [...seen, t.state, g.word(at + PAGE), t.call("getpid")];
    };
  },

  "requests of io_uring in flight": (guest) => {
    const rings = Rings.of(guest), [r, w] = guest.pair("pipe2"), [r2, w2] = guest.pair("pipe2");
    const buffer = guest.room(64), time = guest.put(ints(8, 2, 0));
    rings.put(guest, entry(IORING_OP_POLL_ADD, r, 0, 0, 101));
    rings.put(guest, entry(IORING_OP_READ, r2, buffer, 8, 102));
    rings.put(guest, entry(IORING_OP_TIMEOUT, -1, time, 1, 103));
    rings.put(guest, entry(IORING_OP_READ, r2, buffer + 16, 8, 104, 4));
    rings.put(guest, entry(IORING_OP_NOP, -1, 0, 0, 105));
    guest.must("io_uring_enter", rings.fd, 5, 0, 0, 0, 0);
    const waiter = guest.thread();
    waiter.waits("io_uring_enter", rings.fd, 0, 4, 1, 0, 0);
    return (world) => {
      const g = guest.in(world), seen: unknown[] = [rings.look(g)];
      seen.push(g.call("write", w, "x", 1), rings.look(g), g.call("write", w2, "abc", 3));
      seen.push(rings.look(g), g.bytes(buffer, 32));
      world.pass(3_000_000_000);
      seen.push(rings.look(g), waiter.in(world).result, g.call("write", w2, "de", 2));
      return [...seen, rings.look(g), g.bytes(buffer, 32), waiter.in(world).result];
    };
  },

  "an io_uring with registered files and buffers": (guest) => {
    const rings = Rings.of(guest), [r, w] = guest.pair("pipe2"), at = map(guest, PAGE, MAP_PRIVATE);
    const event = guest.must("eventfd2", 0, 0o4000);
    guest.must("io_uring_register", rings.fd, 2, ints(4, r, -1), 2);
    guest.must("io_uring_register", rings.fd, 0, ints(8, at, PAGE), 1);
    guest.must("io_uring_register", rings.fd, 4, ints(4, event), 1);
    guest.must("write", w, "registered", 10);
    rings.put(guest, entry(4, 0, at, 4, 201, 1));
    return (world) => {
      const g = guest.in(world);
      const seen: unknown[] = [g.call("io_uring_enter", rings.fd, 1, 1, 1, 0, 0), rings.look(g)];
      return [...seen, g.bytes(at, 8), g.read(event, 8), g.read(r, 16)];
    };
  },

  "an io_uring whose entries a worker of the kernel takes": (guest) => {
    const rings = Rings.of(guest, 2);
    rings.put(guest, entry(IORING_OP_NOP, -1, 0, 0, 301));
    return (world) => {
      const g = guest.in(world), seen = [g.call("io_uring_enter", rings.fd, 1, 0, 2, 0, 0)];
      world.pass();
      return [...seen, rings.look(g)];
    };
  },

  "asynchronous I/O that waits": (guest) => {
    const context = guest.room(8), [r, w] = guest.pair("pipe2");
    guest.must("io_setup", 8, context);
    const id = guest.word(context), high = guest.word(context + 4);
    const ctx = high * 2 ** 32 + (id >>> 0);
    const block = guest.put(
      join(ints(8, 55), ints(4, 0, 0), ints(2, 5, 0), ints(4, r), ints(8, 1), new Uint8Array(32)),
    );
    guest.must("io_submit", ctx, 1, ints(8, block));
    const waiter = guest.thread();
    waiter.waits("io_getevents", ctx, 1, 1, waiter.room(64), 0);
    return (world) => {
      const seen = [guest.in(world).call("write", w, "x", 1), waiter.in(world).result];
      return [...seen, guest.in(world).call("io_destroy", ctx)];
    };
  },

  "a child that shares memory and files": (guest) => {
    const child = guest.fork(0x100 | 0x200 | 0x400 | SIGCHLD), at = map(child, PAGE, MAP_PRIVATE);
    child.store(at, ints(4, 1));
    const fd = child.must("eventfd2", 5, 0);
    return (world) => {
      const g = guest.in(world), seen: unknown[] = [g.word(at), g.read(fd, 8)];
      seen.push(g.call("chdir", "/tmp"), child.in(world).readFile("/proc/self/stat").length > 0);
      return [...seen, child.in(world).call("getcwd", child.in(world).room(64), 64)];
    };
  },
};
