import { assertEquals } from "@std/assert";
import { O_CREAT, O_RDWR } from "../../../ffi/abi/fcntl.ts";
import * as U from "../../../ffi/abi/io_uring.ts";
import { CallLab } from "../../testing/call_lab.ts";
import { sysOpen } from "../../syscalls/fs/open.ts";
import { sysEventfd2 } from "../../syscalls/io/eventfd.ts";
import { sysMmap } from "../../syscalls/mm/mmap.ts";
import { sysIoUringEnter } from "./enter.ts";
import { sysIoUringRegister } from "./register.ts";
import { sysIoUringSetup } from "./setup.ts";

const BAD = 8, IN = 0, DATA = 4096, P = U.IoUringParams.at, ANYWHERE = 0xffffffff;
type Row = readonly [args: readonly number[], expected: number | string];

interface Wanted {
  readonly flags?: number;
  readonly cq?: number;
  readonly cpu?: number;
  readonly wq?: number;
  readonly reserved?: number;
}

class RingLab extends CallLab {
  setup(
    entries: number,
    { flags = 0, cq = 0, cpu = 0, wq = 0, reserved = 0 }: Wanted = {},
  ): number | string {
    this.poke(IN, new Uint8Array(U.IoUringParams.size));
    const at = this.words(32, IN, 0, cq, flags, cpu, 0, 0, wq, reserved);
    return this.call(sysIoUringSetup, entries, at);
  }
  ring(flags = 0): number {
    return Number(this.setup(8, { flags }));
  }
  register(...args: number[]): number | string {
    return this.call(sysIoUringRegister, ...args);
  }
  /** Registrations with one ring: opcode, argument, count, and the result. */
  all(fd: number, rows: readonly Row[]): void {
    for (const [args, expected] of rows) {
      assertEquals(this.register(fd, ...args), expected, args.join(" "));
    }
  }
  file(): number {
    return Number(this.call(sysOpen, "/f", O_CREAT | O_RDWR, 0o600));
  }
}

Deno.test("io_uring_setup: the pointer, flags that go together, sizes, the shared ring", () => {
  const lab = new RingLab(), file = lab.file();
  assertEquals(lab.call(sysIoUringSetup, 0, BAD), "EFAULT");
  assertEquals(lab.setup(0, { reserved: 1 }), "EINVAL");
  assertEquals([lab.setup(0), lab.setup(32769)], ["EINVAL", "EINVAL"]);
  const alone = [1 << 30, 4, 2 | 0x100, 0x200, 0x2000, 0x8000];
  for (const flags of alone) assertEquals(lab.setup(8, { flags }), "EINVAL", flags.toString(16));
  for (const cq of [0, 4, 1 << 17]) assertEquals(lab.setup(8, { flags: 8, cq }), "EINVAL");
  assertEquals(lab.setup(8, { flags: 6, cpu: 4096 }), "EINVAL");
  assertEquals(lab.setup(8, { flags: 0x20, wq: 99 }), "ENXIO");
  assertEquals(lab.setup(8, { flags: 0x20, wq: file }), "EINVAL");
  assertEquals(Number(lab.setup(5)) > file, true);
  assertEquals(lab.readWords(32, IN, 2), [8, 16], "powers of two");
});

Deno.test("io_uring_enter: flags, descriptors, disabled rings, arguments", () => {
  const lab = new RingLab(), fd = lab.ring(), file = lab.file(), disabled = lab.ring(0x40);
  const { IORING_ENTER_GETEVENTS: GET, IORING_ENTER_EXT_ARG: EXT } = U;
  const rows: Row[] = [
    [[99, 0, 0, 1 << 20, 0, 0], "EINVAL"],
    [[99, 0, 0, 0, 0, 0], "EBADF"],
    [[file, 0, 0, 0, 0, 0], "EOPNOTSUPP"],
    [[disabled, 0, 0, 0, 0, 0], "EBADFD"],
    [[fd, 0, 0, GET | EXT, BAD, 23], "EINVAL"],
    [[fd, 0, 0, GET | EXT, BAD, 24], "EFAULT"],
    [[fd, 1, 0, 0, 0, 0], 0],
    [[fd, 0, 0, GET, 0, 0], 0],
  ];
  for (const [args, expected] of rows) {
    assertEquals(lab.call(sysIoUringEnter, ...args), expected, args.join(" "));
  }
  assertEquals(lab.call(sysIoUringEnter, fd, 0, 1, GET, 0, 0), "-4096", "it waits for one");
});

/** A request in the first place, and its completion: user data and result. */
function submit(
  lab: RingLab,
  fd: number,
  opcode: number,
  file: number,
  addr: number,
  len: number,
): number[] {
  const { mm } = lab.task, word = (at: number) => lab.readWords(32, IN + at, 1)[0] ?? 0;
  const tail = word(P.sqOff + U.SqOffsets.at.tail), cqes = word(P.cqOff + U.CqOffsets.at.cqes);
  const rings = Number(lab.call(sysMmap, 0, 4096, 3, 1, fd, 0));
  const sqes = Number(lab.call(sysMmap, 0, 4096, 3, 1, fd, U.IORING_OFF_SQES));
  const at = U.IoUringSqe.at;
  mm.store32(sqes, opcode);
  mm.store32(sqes + at.fd, file);
  mm.store64(sqes + at.addr, addr);
  mm.store32(sqes + at.len, len);
  mm.store64(sqes + at.userData, 77);
  mm.store32(rings + tail, 1);
  assertEquals(lab.call(sysIoUringEnter, fd, 1, 1, U.IORING_ENTER_GETEVENTS, 0, 0), 1);
  return [mm.load64(rings + cqes), mm.load32(rings + cqes + 8) | 0];
}

Deno.test("requests complete with the result of their call", () => {
  for (
    const [opcode, addr, len, result] of [
      [U.IORING_OP_NOP, 0, 0, 0],
      [U.IORING_OP_WRITE, DATA, 5, 5],
      [U.IORING_OP_WRITE, BAD, 5, -14],
      [255, 0, 0, -22],
    ] as const
  ) {
    const lab = new RingLab(), file = lab.file(), fd = lab.ring();
    const at = addr === DATA ? lab.memory + DATA : addr;
    assertEquals(submit(lab, fd, opcode, file, at, len), [77, result], `opcode ${opcode}`);
  }
});

Deno.test("buffers and files are registered once, and as a whole", () => {
  const lab = new RingLab(), fd = lab.ring(), file = lab.file();
  assertEquals([lab.register(99, 0, 0, 0), lab.register(file, 0, 0, 0)], ["EBADF", "EOPNOTSUPP"]);
  const none = lab.words(64, 256, 0, 5), empty = lab.words(64, 272, lab.memory, 0);
  const good = lab.words(64, 288, lab.memory, 100);
  lab.all(fd, [
    [[99, 0, 0], "EINVAL"],
    [[0, 0, 1], "EFAULT"],
    [[0, BAD, 1], "EFAULT"],
    [[0, BAD, 0], "EINVAL"],
    [[0, BAD, 20_000], "EINVAL"],
    [[1, BAD, 0], "EINVAL"],
    [[1, 0, 0], "ENXIO"],
    [[0, none, 1], "EFAULT"],
    [[0, empty, 1], "EFAULT"],
    [[0, good, 1], 0],
    [[0, good, 1], "EBUSY"],
    [[1, 0, 0], 0],
    [[1, 0, 0], "ENXIO"],
    [[2, 0, 1], "EFAULT"],
    [[2, BAD, 1], "EFAULT"],
    [[3, 0, 1], "EINVAL"],
    [[3, 0, 0], "ENXIO"],
    [[2, lab.words(32, 304, 99), 1], "EBADF"],
    [[2, lab.words(32, 308, fd), 1], "EBADF"],
    [[2, lab.words(32, 312, file, -1), 2], 0],
    [[2, lab.words(32, 320, file), 1], "EBUSY"],
    [[3, 0, 0], 0],
  ]);
});

Deno.test("an eventfd, credentials, the probe, workers", () => {
  const lab = new RingLab(), fd = lab.ring(), event = Number(lab.call(sysEventfd2, 0, 0));
  const target = lab.words(32, 256, event);
  lab.all(fd, [
    [[4, BAD, 2], "EINVAL"],
    [[4, BAD, 1], "EFAULT"],
    [[4, lab.words(32, 260, 99), 1], "EBADF"],
    [[4, lab.words(32, 264, lab.file()), 1], "EINVAL"],
    [[4, target, 1], 0],
    [[4, target, 1], "EBUSY"],
    [[5, BAD, 0], "EINVAL"],
    [[5, 0, 0], 0],
    [[5, 0, 0], "ENXIO"],
    [[8, BAD, 257], "EINVAL"],
    [[8, BAD, 1], "EFAULT"],
    [[8, lab.words(32, 512, 1, 0, 0, 0, 0, 0), 1], "EINVAL"],
    [[9, BAD, 0], "EINVAL"],
    [[9, 0, 1], "EINVAL"],
    [[9, 0, 0], 1],
    [[10, BAD, 1], "EINVAL"],
    [[10, 0, 2], "EINVAL"],
    [[10, 0, 1], 0],
    [[10, 0, 1], "EINVAL"],
    [[17, 0, 8], "EINVAL"],
    [[17, BAD, 0], "EINVAL"],
    [[17, BAD, 8], "EFAULT"],
    [[19, 0, 2], "EINVAL"],
    [[19, BAD, 1], "EINVAL"],
    [[19, BAD, 2], "EFAULT"],
    [[19, lab.words(32, 600, -0x80000000, 0), 2], "EINVAL"],
  ]);
});

Deno.test("restrictions are for a disabled ring, and hold once it is enabled", () => {
  const lab = new RingLab(), fd = lab.ring(), disabled = lab.ring(0x40);
  const restriction = (opcode: number, value: number) =>
    lab.words(32, 256 + 16 * opcode, opcode | value << 16, 0, 0, 0);
  lab.all(fd, [[[11, BAD, 1], "EBADFD"], [[12, 0, 0], "EBADFD"]]);
  lab.all(disabled, [
    [[11, 0, 1], "EINVAL"],
    [[11, BAD, 1], "EFAULT"],
    [[11, restriction(9, 0), 1], "EINVAL"],
    [[11, restriction(0, 12), 1], 0],
    [[11, restriction(1, 0), 1], "EBUSY"],
    [[12, BAD, 0], "EINVAL"],
    [[12, 0, 0], 0],
    [[12, 0, 0], "EBADFD"],
    [[9, 0, 0], "EACCES"],
  ]);
});

Deno.test("rings by number: reserved fields, slots, the ring of a slot", () => {
  const lab = new RingLab(), fd = lab.ring(), file = lab.file();
  const { IORING_ENTER_REGISTERED_RING: BY_NUMBER } = U;
  const update = (offset: number, reserved: number, data: number) => {
    lab.words(32, 256, offset, reserved, data, 0);
    return lab.memory + 256;
  };
  const enter = (at: number) => lab.call(sysIoUringEnter, at, 0, 0, BY_NUMBER, 0, 0);
  lab.all(fd, [[[20, BAD, 0], "EINVAL"], [[20, BAD, 17], "EINVAL"], [[20, BAD, 1], "EFAULT"]]);
  for (
    const [offset, reserved, data, expected] of [
      [ANYWHERE, 1, fd, "EINVAL"],
      [16, 0, fd, "EINVAL"],
      [ANYWHERE, 0, file, "EOPNOTSUPP"],
      [3, 0, fd, 1],
      [3, 0, fd, "EBUSY"],
    ] as const
  ) {
    assertEquals(lab.register(fd, 20, update(offset, reserved, data), 1), expected);
  }
  assertEquals([enter(3), enter(2), enter(16)], [0, "EBADF", "EINVAL"]);
  assertEquals(lab.register(fd, 21, update(3, 0, 5), 1), "EINVAL");
  assertEquals([lab.register(fd, 21, update(3, 0, 0), 1), enter(3)], [1, "EBADF"]);
});

Deno.test("rings of buffers: alignment, sizes, groups", () => {
  const lab = new RingLab(), fd = lab.ring(), page = lab.memory + DATA;
  const group = (addr: number, entries: number, id: number, flags = 0) => {
    lab.poke(256, new Uint8Array(40));
    lab.words(64, 256, addr);
    return lab.words(32, 264, entries, id | flags << 16) - 8;
  };
  lab.all(fd, [[[22, 0, 1], "EINVAL"], [[22, BAD, 2], "EINVAL"], [[22, BAD, 1], "EFAULT"]]);
  assertEquals(lab.register(fd, 22, group(page, 8, 1, 4), 1), "EINVAL");
  assertEquals(lab.register(fd, 22, group(0, 8, 1), 1), "EFAULT");
  assertEquals(lab.register(fd, 22, group(page + 8, 8, 1), 1), "EINVAL");
  for (const entries of [7, 0, 65536]) {
    assertEquals(lab.register(fd, 22, group(page, entries, 1), 1), "EINVAL");
  }
  assertEquals(
    lab.register(fd, 22, group(page, 8, 1, 1), 1),
    "EINVAL",
    "an address and IOU_PBUF_RING_MMAP",
  );
  assertEquals(lab.register(fd, 22, group(page, 8, 1), 1), 0);
  assertEquals(lab.register(fd, 22, group(page, 8, 1), 1), "EEXIST");
  assertEquals(lab.register(fd, 23, group(0, 0, 1, 1), 1), "EINVAL");
  assertEquals(lab.register(fd, 23, group(0, 0, 2), 1), "ENOENT");
  assertEquals(lab.register(fd, 23, group(0, 0, 1), 1), 0);
  assertEquals(lab.register(fd, 23, group(0, 0, 1), 1), "ENOENT");
});
