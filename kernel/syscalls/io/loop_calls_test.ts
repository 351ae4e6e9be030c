import { assertEquals } from "@std/assert";
import * as F from "../../../ffi/abi/fcntl.ts";
import * as B from "../../../ffi/abi/fs.ts";
import * as L from "../../../ffi/abi/loop.ts";
import { makedev, S_IFBLK, S_IFCHR } from "../../../ffi/abi/stat.ts";
import { NO_CAPS } from "../../cred/credentials.ts";
import { MISC_MAJOR } from "../../fs/devfs/devices.ts";
import {
  LOOP_CONTROL_MINOR,
  LOOP_MAJOR,
  LoopDevices,
  registerLoopDevices,
} from "../../fs/devfs/loop.ts";
import { CallLab } from "../../testing/call_lab.ts";
import { sysMknod } from "../fs/names.ts";
import { sysOpen } from "../fs/open.ts";
import { sysClose, sysIoctl } from "./descriptors.ts";
import { sysPipe2 } from "./pipe.ts";
import { sysFtruncate } from "./storage.ts";

const BAD = 8, CONFIG = 1024, OUT = 4096, PIPE = 8192;
/** Flags, as LOOP_GET_STATUS64 returns them. */
const RO = L.LO_FLAGS_READ_ONLY, CLEAR = L.LO_FLAGS_AUTOCLEAR, PARTS = L.LO_FLAGS_PARTSCAN;

interface Info {
  readonly offset?: bigint;
  readonly limit?: bigint;
  readonly flags?: number;
  readonly encryption?: number;
  readonly key?: number;
  readonly name?: string;
}

/** A device, /loop0, and files of several sizes. */
class LoopLab extends CallLab {
  readonly control: number;
  /** Files of 5000, 4700 and 9000 bytes: 9, 9 and 17 sectors. */
  readonly a: number;
  readonly b: number;
  readonly d: number;
  readonly pipe: number;
  readonly out: number = this.memory + OUT;
  loop: number = -1;

  constructor() {
    super();
    registerLoopDevices(this.kernel.vfs.special, new LoopDevices());
    this.call(sysMknod, "/control", S_IFCHR | 0o600, makedev(MISC_MAJOR, LOOP_CONTROL_MINOR));
    this.call(sysMknod, "/loop0", S_IFBLK | 0o600, makedev(LOOP_MAJOR, 0));
    this.control = Number(this.call(sysOpen, "/control", F.O_RDWR, 0));
    [this.a = -1, this.b = -1, this.d = -1] = [5000, 4700, 9000].map((size) => {
      const fd = Number(this.call(sysOpen, `/f${size}`, F.O_CREAT | F.O_RDWR, 0o600));
      this.call(sysFtruncate, fd, size);
      return fd;
    });
    this.call(sysPipe2, this.memory + PIPE, 0);
    [this.pipe = -1] = this.readWords(32, PIPE, 1);
  }
  open(flags: number): void {
    this.loop = Number(this.call(sysOpen, "/loop0", flags, 0));
  }
  close(): void {
    this.call(sysClose, this.loop);
  }
  do(request: number, argument = 0): number | string {
    return this.call(sysIoctl, this.loop, request, argument);
  }
  manage(request: number, number = 0): number | string {
    return this.call(sysIoctl, this.control, request, number);
  }
  /** The address of a struct loop_info64, and 8 bytes before it that of a struct loop_config. */
  info(info: Info = {}): number {
    const { at, size } = L.LoopInfo64, dv = new DataView(new ArrayBuffer(size));
    dv.setBigUint64(at.offset, info.offset ?? 0n, true);
    dv.setBigUint64(at.sizelimit, info.limit ?? 0n, true);
    dv.setUint32(at.flags, info.flags ?? 0, true);
    dv.setUint32(at.encryptType, info.encryption ?? 0, true);
    dv.setUint32(at.encryptKeySize, info.key ?? 0, true);
    const bytes = new Uint8Array(dv.buffer);
    bytes.set(new TextEncoder().encode(info.name ?? ""), at.fileName);
    this.poke(CONFIG + L.LoopConfig.at.info, bytes);
    return this.memory + CONFIG + L.LoopConfig.at.info;
  }
  set(info: Info): number | string {
    return this.do(L.LOOP_SET_STATUS64, this.info(info));
  }
  configure(fd: number, blockSize: number, info: Info = {}): number | string {
    this.info(info);
    this.words(32, CONFIG, fd, blockSize);
    return this.do(L.LOOP_CONFIGURE, this.memory + CONFIG);
  }
  /** Offset, limit and flags of the device. */
  status(): (number | string)[] {
    const { at } = L.LoopInfo64, r = this.do(L.LOOP_GET_STATUS64, this.out);
    if (r !== 0) return [r];
    return [at.offset, at.sizelimit].map((i) => this.readWords(64, OUT + i, 1)[0]!)
      .concat(this.readWords(32, OUT + at.flags, 1));
  }
  size(): number {
    this.do(B.BLKGETSIZE64, this.out);
    return this.readWords(64, OUT, 1)[0]!;
  }
}

Deno.test("/dev/loop-control adds, removes and finds devices", () => {
  const lab = new LoopLab(), add = (n: number) => lab.manage(L.LOOP_CTL_ADD, n);
  const remove = (n: number) => lab.manage(L.LOOP_CTL_REMOVE, n);
  assertEquals([lab.manage(0x4c99), remove(-1), remove(9999)], ["ENOSYS", "EINVAL", "ENODEV"]);
  assertEquals([add(0), add(20), add(-1)], ["EEXIST", 20, 8]);
  assertEquals([remove(20), remove(20)], [0, "ENODEV"]);
  assertEquals(lab.manage(L.LOOP_CTL_GET_FREE), 0);
  lab.open(F.O_RDONLY);
  assertEquals(remove(0), "EBUSY");
  lab.do(L.LOOP_SET_FD, lab.a);
  assertEquals([lab.manage(L.LOOP_CTL_GET_FREE), remove(0)], [1, "EBUSY"]);
  for (let n = 9; n < 64; n++) assertEquals(add(-1), n);
  assertEquals(add(-1), "ENOSPC");
});

Deno.test("a device without a file has no status, size or block size", () => {
  const lab = new LoopLab();
  lab.open(F.O_RDONLY);
  assertEquals([lab.do(L.LOOP_CLR_FD), lab.status(), lab.set({})], ["ENXIO", ["ENXIO"], "ENXIO"]);
  assertEquals([lab.do(L.LOOP_SET_CAPACITY), lab.do(L.LOOP_SET_BLOCK_SIZE, 512)], [
    "ENXIO",
    "ENXIO",
  ]);
  assertEquals([lab.do(L.LOOP_CHANGE_FD, lab.a), lab.do(L.LOOP_CHANGE_FD, 99)], [
    "ENXIO",
    "EBADF",
  ]);
  assertEquals([lab.do(L.LOOP_SET_FD, 99), lab.do(L.LOOP_SET_FD, lab.pipe)], ["EBADF", "EINVAL"]);
  assertEquals([lab.size(), lab.do(B.BLKFLSBUF)], [0, 0]);
});

Deno.test("a device has the whole sectors of its file, from an offset and up to a limit", () => {
  const lab = new LoopLab();
  lab.open(F.O_RDONLY);
  assertEquals([lab.do(L.LOOP_SET_FD, lab.a), lab.size(), lab.status()], [0, 4608, [0, 0, RO]]);
  assertEquals([lab.do(L.LOOP_SET_FD, lab.b), lab.do(L.LOOP_SET_FD, 99)], ["EBUSY", "EBADF"]);
  lab.call(sysFtruncate, lab.a, 6000);
  assertEquals([lab.size(), lab.do(L.LOOP_SET_CAPACITY), lab.size()], [4608, 0, 5632]);
  assertEquals([lab.set({ offset: 512n, limit: 1024n }), lab.size()], [0, 1024]);
  assertEquals([lab.set({ offset: 1n << 32n }), lab.size()], [0, 0]);
});

Deno.test("LOOP_CHANGE_FD takes a file with as many sectors, on a device that is read-only", () => {
  const lab = new LoopLab(), change = (fd: number) => lab.do(L.LOOP_CHANGE_FD, fd);
  lab.open(F.O_RDONLY);
  lab.do(L.LOOP_SET_FD, lab.a);
  const file = lab.task.files.get(lab.a)!, { refs } = file;
  assertEquals([change(lab.d), change(lab.pipe), change(lab.b)], ["EINVAL", "EINVAL", 0]);
  assertEquals([file.refs, lab.size()], [refs - 1, 4608]);
  lab.set({ offset: 512n, limit: 1024n });
  assertEquals([change(lab.d), lab.size()], [0, 1024]);
  lab.do(L.LOOP_CLR_FD);
  lab.close();
  lab.open(F.O_RDWR);
  lab.do(L.LOOP_SET_FD, lab.a);
  assertEquals(change(lab.b), "EINVAL");
});

Deno.test("LOOP_SET_STATUS64 checks offsets and encryption, and sets some flags", () => {
  const lab = new LoopLab();
  lab.open(F.O_RDONLY);
  lab.do(L.LOOP_SET_FD, lab.a);
  assertEquals(lab.do(L.LOOP_SET_STATUS64, BAD), "EFAULT");
  assertEquals([lab.set({ encryption: 1 }), lab.set({ key: 33 })], ["EINVAL", "EINVAL"]);
  assertEquals([lab.set({ offset: 1n << 63n }), lab.set({ limit: 1n << 63n })], [
    "EOVERFLOW",
    "EOVERFLOW",
  ]);
  assertEquals(lab.set({ flags: CLEAR | PARTS | L.LO_FLAGS_DIRECT_IO, name: "name" }), 0);
  assertEquals(lab.status(), [0, 0, RO | CLEAR | PARTS]);
  assertEquals(lab.textAt(OUT + L.LoopInfo64.at.fileName, 5), "name\0");
  assertEquals([lab.set({}), lab.status()], [0, [0, 0, RO | PARTS]]);
  assertEquals([lab.do(L.LOOP_GET_STATUS64), lab.do(L.LOOP_GET_STATUS64, BAD)], [
    "EINVAL",
    "EFAULT",
  ]);
});

Deno.test("the old status has offsets of 32 bits", () => {
  const lab = new LoopLab(), { at, size } = L.LoopInfo, old = lab.out;
  lab.open(F.O_RDONLY);
  lab.do(L.LOOP_SET_FD, lab.a);
  lab.poke(OUT, new Uint8Array(size));
  lab.words(32, OUT + at.offset, 1024);
  lab.poke(OUT + at.name, new TextEncoder().encode("old"));
  assertEquals([lab.do(L.LOOP_SET_STATUS, old), lab.size()], [0, 3584]);
  assertEquals([lab.do(L.LOOP_GET_STATUS, old), lab.readWords(32, OUT + at.offset, 1)], [
    0,
    [1024],
  ]);
  assertEquals(lab.textAt(OUT + at.name, 4), "old\0");
  lab.words(32, OUT + at.offset, -1);
  assertEquals(lab.do(L.LOOP_SET_STATUS, old), "EOVERFLOW");
  assertEquals(lab.do(L.LOOP_SET_STATUS, BAD), "EFAULT");
  lab.set({ offset: 1n << 32n });
  assertEquals(lab.do(L.LOOP_GET_STATUS, old), "EOVERFLOW");
});

Deno.test("requests of block devices return sizes, limits and whether it is read-only", () => {
  const lab = new LoopLab();
  lab.open(F.O_RDONLY);
  lab.do(L.LOOP_SET_FD, lab.d);
  const sizes = [0, 513, 256, 1024].map((n) => lab.do(L.LOOP_SET_BLOCK_SIZE, n));
  assertEquals(sizes, [0, "EINVAL", "EINVAL", 0]);
  assertEquals([lab.do(L.LOOP_SET_DIRECT_IO, 0), lab.do(L.LOOP_SET_DIRECT_IO, 1)], [0, "EINVAL"]);
  const values: readonly [number, number][] = [
    [B.BLKGETSIZE, 17],
    [B.BLKGETSIZE64, 17 * 512],
    [B.BLKSSZGET, 1024],
    [B.BLKPBSZGET, 1024],
    [B.BLKIOMIN, 1024],
    [B.BLKBSZGET, 4096],
    [B.BLKIOOPT, 0],
    [B.BLKALIGNOFF, 0],
    [B.BLKDISCARDZEROES, 0],
    [B.BLKROGET, 1],
  ];
  for (const [request, value] of values) {
    lab.words(64, OUT, 0);
    assertEquals([lab.do(request, lab.out), lab.do(request, BAD)], [0, "EFAULT"], `${request}`);
    assertEquals(lab.readWords(64, OUT, 1), [value], `${request}`);
  }
  assertEquals([lab.do(B.BLKFLSBUF), lab.do(0x1299), lab.do(B.BLKDISCARD)], [
    0,
    "EINVAL",
    "EOPNOTSUPP",
  ]);
  lab.task.cred = { ...lab.task.cred, effective: NO_CAPS };
  assertEquals([lab.set({}), lab.do(L.LOOP_SET_CAPACITY), lab.do(B.BLKFLSBUF)], [
    "EPERM",
    "EPERM",
    "EACCES",
  ]);
});

Deno.test("LOOP_CLR_FD takes effect at the last close", () => {
  const lab = new LoopLab();
  lab.open(F.O_RDONLY);
  lab.do(L.LOOP_SET_FD, lab.d);
  assertEquals([lab.do(L.LOOP_CLR_FD), lab.do(L.LOOP_CLR_FD)], [0, "ENXIO"]);
  assertEquals([lab.status(), lab.do(L.LOOP_SET_FD, lab.a), lab.size()], [
    ["ENXIO"],
    "EBUSY",
    8704,
  ]);
  lab.close();
  lab.open(F.O_RDONLY);
  assertEquals([lab.size(), lab.do(L.LOOP_SET_FD, lab.a)], [0, 0]);
});

Deno.test("LOOP_CONFIGURE binds a file, with its block size and status, or does nothing", () => {
  const lab = new LoopLab();
  lab.open(F.O_RDWR);
  assertEquals([lab.configure(99, 0), lab.configure(lab.pipe, 0)], ["EBADF", "EINVAL"]);
  assertEquals([lab.configure(lab.a, 0, { flags: 2 }), lab.configure(lab.a, 100)], [
    "EINVAL",
    "EINVAL",
  ]);
  assertEquals(lab.configure(lab.a, 0, { encryption: 1 }), "EINVAL");
  assertEquals([lab.do(L.LOOP_CONFIGURE, BAD), lab.status()], ["EFAULT", ["ENXIO"]]);
  const info = { offset: 512n, limit: 2000n, flags: PARTS | CLEAR };
  assertEquals([lab.configure(lab.a, 1024, info), lab.size()], [0, 1536]);
  assertEquals(lab.status(), [512, 2000, PARTS | CLEAR]);
  lab.do(B.BLKSSZGET, lab.out);
  assertEquals([lab.readWords(32, OUT, 1), lab.configure(lab.b, 0)], [[1024], "EBUSY"]);
  lab.close();
  lab.open(F.O_RDONLY);
  assertEquals(lab.status(), ["ENXIO"], "LO_FLAGS_AUTOCLEAR");
});
