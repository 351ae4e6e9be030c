/**
 * loop(4): block devices whose bytes are those of a regular file: the devices of a kernel, the
 * files of opened nodes, and the nodes in each devtmpfs. syscalls/io/loop_requests.ts has their
 * ioctl(2).
 *
 * DIFFERS: a loop device cannot be the file of another; there is no direct I/O, and nothing can be
 * mounted from one. To open one takes CAP_SYS_ADMIN: containers of a sandbox share them, and no
 * group of devices keeps them apart.
 */

import type { Account } from "../../core/account.ts";
import { CAP_SYS_ADMIN } from "../../../ffi/abi/capability.ts";
import { EINVAL, EIO, ENODEV, ENOSPC, ENXIO, EPERM } from "../../../ffi/abi/errno.ts";
import { LO_FLAGS_AUTOCLEAR, LO_FLAGS_READ_ONLY } from "../../../ffi/abi/loop.ts";
import { makedev, minorOf, S_IFBLK } from "../../../ffi/abi/stat.ts";
import { hasCap } from "../../cred/credentials.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import type { Caller } from "../../vfs/caller.ts";
import type { Path } from "../../vfs/dentry.ts";
import type { Inode } from "../../vfs/inode.ts";
import { OpenFile } from "../../vfs/open_file.ts";
import type { SpecialFiles, SpecialOpener } from "../../vfs/special_files.ts";
import { ANY_MINOR } from "../../vfs/special_files.ts";
import { MISC_MAJOR } from "./devices.ts";

export const LOOP_MAJOR = 7, LOOP_CONTROL_MINOR = 237;
/** The number of devices at the start (CONFIG_BLK_DEV_LOOP_MIN_COUNT). */
const FIRST_DEVICES = 8;
/** LIMIT: loop devices, and their highest number. */
const MAX_DEVICES = 64;
const MAX_NUMBER = (1 << 20) - 1;
const SECTOR = 512;

export class LoopDevice {
  readonly number: number;
  /** The backing file, which is held; null: the device is not bound. */
  backing: OpenFile | null = null;
  offset: number = 0;
  sizeLimit: number = 0;
  flags: number = 0;
  blockSize: number = SECTOR;
  /** The size in bytes, a multiple of a sector. */
  size: number = 0;
  /** The name that LOOP_SET_STATUS64 set. */
  fileName: Uint8Array<ArrayBuffer> = new Uint8Array(64);
  openers: number = 0;
  /** LOOP_CLR_FD was called: the last close unbinds it. */
  isGoing: boolean = false;

  constructor(number: number) {
    this.number = number;
  }

  get isReadOnly(): boolean {
    return (this.flags & LO_FLAGS_READ_ONLY) !== 0;
  }

  bind(backing: OpenFile, flags: number, blockSize: number): void {
    this.backing = backing.hold();
    this.flags = flags;
    this.blockSize = blockSize;
    this.isGoing = false;
    this.measure();
  }

  /** Updates the size (get_loop_size). */
  measure(): void {
    if (this.backing !== null) this.size = this.sizeWith(this.backing);
  }

  /** The size that the device would have with this file. */
  sizeWith(file: OpenFile): number {
    let bytes = Math.max(0, file.inode.size - this.offset);
    if (this.sizeLimit > 0) bytes = Math.min(bytes, this.sizeLimit);
    return bytes - bytes % SECTOR;
  }

  clear(): void {
    this.backing?.drop();
    this.backing = null;
    this.offset =
      this.sizeLimit =
      this.flags =
      this.size =
        0;
    this.blockSize = SECTOR;
    this.fileName.fill(0);
    this.isGoing = false;
  }
}

/** The devices of a kernel. */
export class LoopDevices {
  private readonly devices: Map<number, LoopDevice> = new Map();
  /** The roots of every devtmpfs; each has a node for each device. */
  private readonly homes: Set<Inode> = new Set();

  constructor() {
    for (let n = 0; n < FIRST_DEVICES; n++) this.devices.set(n, new LoopDevice(n));
  }

  get(number: number): LoopDevice | null {
    return this.devices.get(number) ?? null;
  }

  /** Makes the nodes in a new devtmpfs: 0 or -errno. */
  populate(root: Inode, account: Account): number {
    for (const number of this.devices.keys()) {
      const r = addNode(root, number, account);
      if (r < 0) return r;
    }
    this.homes.add(root);
    return 0;
  }

  removeRoot(root: Inode): void {
    this.homes.delete(root);
  }

  /** Adds a device with this number, which is free; -ENOSPC, -EINVAL. */
  add(number: number, account: Account): number {
    if (number > MAX_NUMBER) return -EINVAL;
    if (this.devices.size >= MAX_DEVICES) return -ENOSPC;
    this.devices.set(number, new LoopDevice(number));
    for (const root of this.homes) addNode(root, number, account);
    return number;
  }

  remove(device: LoopDevice): void {
    this.devices.delete(device.number);
    for (const root of this.homes) {
      const name = `loop${device.number}`, node = root.lookup(name);
      if (typeof node !== "number") root.unlink(name, node);
    }
  }

  /** The lowest free number. */
  get nextNumber(): number {
    let n = 0;
    while (this.devices.has(n)) n++;
    return n;
  }

  /** An unbound device, or null. */
  get unbound(): LoopDevice | null {
    for (const device of this.devices.values()) if (device.backing === null) return device;
    return null;
  }
}

function addNode(root: Inode, number: number, account: Account): number {
  const made = root.mknod(
    `loop${number}`,
    S_IFBLK | 0o600,
    makedev(LOOP_MAJOR, number),
    0,
    0,
    account,
  );
  return typeof made === "number" ? made : 0;
}

/** An opened /dev/loopN. */
export class LoopFile extends OpenFile {
  override readonly inode: Inode;
  readonly device: LoopDevice;

  constructor(account: Account, inode: Inode, flags: number, device: LoopDevice) {
    super(account, flags);
    this.inode = inode;
    this.device = device;
    device.openers++;
  }

  override get isSeekable(): boolean {
    return true;
  }
  override get endOffset(): number {
    return this.device.size;
  }

  override get readsNow(): boolean {
    return true;
  }
  override read(io: IoCursor, offset: number): number {
    const { backing, size, isGoing } = this.device;
    if (isGoing) return -EIO;
    if (backing === null || offset >= size || io.remaining === 0) return 0;
    io.limit(size - offset);
    const n = backing.read(io, this.device.offset + offset);
    if (n !== 0) return n;
    // The backing file became shorter.
    return io.putZeros(io.remaining);
  }

  override write(io: IoCursor, offset: number): number {
    const { backing, size, isReadOnly, isGoing } = this.device;
    if (isReadOnly) return -EPERM;
    if (io.remaining === 0) return 0;
    if (backing === null || offset >= size) return -ENOSPC;
    if (isGoing) return -EIO;
    io.limit(size - offset);
    return backing.write(io, this.device.offset + offset);
  }

  override fsync(dataOnly: boolean): number {
    return this.device.backing?.fsync(dataOnly) ?? 0;
  }
  override seek(_offset: number, _whence: number): number {
    return -EINVAL;
  }
  override mmap(): number {
    return -ENODEV;
  }
  override describe(): string {
    return `/dev/loop${this.device.number}`;
  }

  protected override release(): void {
    const { device } = this;
    if (--device.openers > 0 || device.backing === null) return;
    if (device.isGoing || (device.flags & LO_FLAGS_AUTOCLEAR) !== 0) device.clear();
  }
}

/** An opened /dev/loop-control. */
export class LoopControlFile extends OpenFile {
  override readonly inode: Inode;
  readonly devices: LoopDevices;

  constructor(account: Account, inode: Inode, flags: number, devices: LoopDevices) {
    super(account, flags);
    this.inode = inode;
    this.devices = devices;
  }
  override seek(): number {
    return 0;
  }
  override describe(): string {
    return "/dev/loop-control";
  }
}

export class LoopOpener implements SpecialOpener {
  private readonly devices: LoopDevices;

  constructor(devices: LoopDevices) {
    this.devices = devices;
  }
  open(caller: Caller, _path: Path, inode: Inode, flags: number): OpenFile | number {
    if (!hasCap(caller.cred, CAP_SYS_ADMIN)) return -EPERM;
    const device = this.devices.get(minorOf(inode.rdev));
    return device === null ? -ENXIO : new LoopFile(caller.account, inode, flags, device);
  }
}

export class ControlOpener implements SpecialOpener {
  private readonly devices: LoopDevices;

  constructor(devices: LoopDevices) {
    this.devices = devices;
  }
  open(caller: Caller, _path: Path, inode: Inode, flags: number): OpenFile | number {
    if (!hasCap(caller.cred, CAP_SYS_ADMIN)) return -EPERM;
    return new LoopControlFile(caller.account, inode, flags, this.devices);
  }
}

/** Registers the devices with a kernel's special files. */
export function registerLoopDevices(special: SpecialFiles, devices: LoopDevices): void {
  special.registerBlock(LOOP_MAJOR, ANY_MINOR, new LoopOpener(devices));
  special.registerCharacter(MISC_MAJOR, LOOP_CONTROL_MINOR, new ControlOpener(devices));
}
