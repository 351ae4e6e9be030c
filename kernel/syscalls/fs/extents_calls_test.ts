import { assertEquals } from "@std/assert";
import { O_CREAT, O_RDWR } from "../../../ffi/abi/fcntl.ts";
import * as F from "../../../ffi/abi/fs.ts";
import { BlockingLab } from "../../testing/blocking_lab.ts";
import { sysIoctl } from "../io/descriptors.ts";
import { sysPwrite64 } from "../io/read_write.ts";
import { sysFtruncate } from "../io/storage.ts";
import { sysOpen } from "./open.ts";

const BAD = 8, PAGE = 4096, BLOCK = "-4096";
const LAST = F.FIEMAP_EXTENT_LAST, UNKNOWN = F.FIEMAP_EXTENT_UNKNOWN;

interface Query {
  readonly start?: bigint;
  readonly length?: bigint;
  readonly flags?: number;
  readonly count?: number;
}

/** A file of tmpfs that maps extents, as files of a Gofer do. */
class ExtentLab extends BlockingLab {
  readonly fd: number = Number(this.call(sysOpen, "/f", O_CREAT | O_RDWR, 0o600));

  constructor(pages: number) {
    super();
    Object.defineProperty(this.task.files.get(this.fd)!, "mapsExtents", { value: true });
    this.call(sysFtruncate, this.fd, pages * PAGE);
  }
  write(at: number): void {
    this.call(sysPwrite64, this.fd, "x", 1, at);
  }
  /** Puts a struct fiemap at the start of memory. */
  put(query: Query): void {
    const { at, size } = F.Fiemap, dv = new DataView(new ArrayBuffer(size));
    dv.setBigUint64(at.start, query.start ?? 0n, true);
    dv.setBigUint64(at.length, query.length ?? 1n << 40n, true);
    dv.setUint32(at.flags, query.flags ?? 0, true);
    dv.setUint32(at.extentCount, query.count ?? 4, true);
    dv.setUint32(at.mappedExtents, 77, true);
    this.poke(0, new Uint8Array(dv.buffer));
  }
  map(query: Query, addr = this.memory): number | string {
    this.put(query);
    return this.start(sysIoctl, this.fd, F.FS_IOC_FIEMAP, addr);
  }
  get mapped(): number {
    return this.readWords(32, F.Fiemap.at.mappedExtents, 1)[0]!;
  }
  get flags(): number {
    return this.readWords(32, F.Fiemap.at.flags, 1)[0]!;
  }
  /** Start, length and flags of an extent. */
  extent(i: number): number[] {
    const { at, size } = F.FiemapExtent, from = F.Fiemap.size + i * size;
    return [at.logical, at.length].map((field) => this.readWords(64, from + field, 1)[0]!)
      .concat(this.readWords(32, from + at.flags, 1));
  }
}

Deno.test("FS_IOC_FIEMAP lists the data of a file in whole blocks", () => {
  const lab = new ExtentLab(16);
  for (const at of [2 * PAGE, 3 * PAGE + 5, 10 * PAGE]) lab.write(at);
  assertEquals([lab.map({}), lab.mapped], [0, 2]);
  assertEquals([lab.extent(0), lab.extent(1)], [
    [2 * PAGE, 2 * PAGE, UNKNOWN],
    [10 * PAGE, PAGE, UNKNOWN | LAST],
  ]);
  assertEquals([lab.map({ count: 0, length: 1n << 63n }), lab.mapped], [0, 2]);
  assertEquals([lab.map({ count: 1 }), lab.mapped, lab.extent(0)], [
    0,
    1,
    [2 * PAGE, 2 * PAGE, UNKNOWN],
  ]);
  assertEquals([lab.map({ length: 1n }), lab.mapped], [0, 0]);
  const middle = { start: BigInt(3 * PAGE + 100), length: 1n, flags: F.FIEMAP_FLAG_SYNC };
  assertEquals([lab.map(middle), lab.mapped, lab.extent(0)], [
    0,
    1,
    [3 * PAGE, PAGE, UNKNOWN | LAST],
  ]);
});

Deno.test("FS_IOC_FIEMAP checks range, flags and count, and writes its header back", () => {
  const lab = new ExtentLab(16), max = Math.floor(0xffffffff / F.FiemapExtent.size);
  lab.write(0);
  assertEquals([lab.map({ length: 0n }), lab.mapped], ["EINVAL", 0]);
  assertEquals([lab.map({ start: 1n << 63n }), lab.mapped], ["EFBIG", 0]);
  assertEquals(lab.map({ start: (1n << 63n) - 1n }), "EFBIG");
  const flags = F.FIEMAP_FLAG_SYNC | 1 << 30;
  assertEquals([lab.map({ flags }), lab.flags, lab.mapped], ["EBADR", 1 << 30, 0]);
  assertEquals([lab.map({ count: max + 1 }), lab.mapped], ["EINVAL", 77]);
  assertEquals([lab.map({ count: max }), lab.mapped], [0, 1]);
  assertEquals(lab.map({}, BAD), "EFAULT");
  const edge = lab.edge(F.Fiemap.size);
  lab.put({});
  lab.poke(edge - lab.memory, lab.bytes(0, F.Fiemap.size));
  assertEquals(lab.start(sysIoctl, lab.fd, F.FS_IOC_FIEMAP, edge), "EFAULT");
  const plain = Number(lab.call(sysOpen, "/plain", O_CREAT | O_RDWR, 0o600));
  assertEquals(lab.call(sysIoctl, plain, F.FS_IOC_FIEMAP, lab.memory), "EOPNOTSUPP");
});

Deno.test("FS_IOC_FIEMAP of many extents continues in another turn", () => {
  const lab = new ExtentLab(2 * 4100);
  for (let i = 0; i < 4100; i++) lab.write(2 * i * PAGE);
  assertEquals([lab.map({ count: 0 }), lab.task.progress.done], [BLOCK, 4096]);
  assertEquals([lab.again(), lab.mapped], [0, 4100]);
  assertEquals([lab.map({ count: 4099 }), lab.again(), lab.mapped], [BLOCK, 0, 4099]);
  assertEquals(lab.extent(4098), [2 * 4098 * PAGE, PAGE, UNKNOWN]);
});
