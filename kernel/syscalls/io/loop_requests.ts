/** ioctl(2) on loop devices and /dev/loop-control: loop(4). The devices: fs/devfs/loop.ts. */

import { CAP_SYS_ADMIN } from "../../../ffi/abi/capability.ts";
import {
  EACCES,
  EBADF,
  EBUSY,
  EEXIST,
  EFAULT,
  EINVAL,
  ENODEV,
  ENOSYS,
  ENXIO,
  EOPNOTSUPP,
  EOVERFLOW,
  EPERM,
} from "../../../ffi/abi/errno.ts";
import * as F from "../../../ffi/abi/fs.ts";
import * as L from "../../../ffi/abi/loop.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { hasCap } from "../../cred/credentials.ts";
import type { LoopControlFile, LoopDevice, LoopFile } from "../../fs/devfs/loop.ts";
import type { Task } from "../../task/task.ts";
import { isRegular } from "../../vfs/access.ts";
import type { OpenFile } from "../../vfs/open_file.ts";

const TWO32 = 0x100000000, TWO63 = 2 ** 63;
const SETTABLE = L.LO_FLAGS_AUTOCLEAR | L.LO_FLAGS_PARTSCAN;
const CONFIGURABLE = SETTABLE | L.LO_FLAGS_READ_ONLY | L.LO_FLAGS_DIRECT_IO;

/** Requests on /dev/loop-control. */
export function controlLoops(file: LoopControlFile, request: number, number: number): number {
  const { devices } = file;
  switch (request) {
    case L.LOOP_CTL_ADD:
      if (number >= 0 && devices.get(number) !== null) return -EEXIST;
      return devices.add(number < 0 ? devices.nextNumber : number, file.account);
    case L.LOOP_CTL_REMOVE: {
      if (number < 0) return -EINVAL;
      const device = devices.get(number);
      if (device === null) return -ENODEV;
      if (device.backing !== null || device.openers > 0) return -EBUSY;
      devices.remove(device);
      return 0;
    }
    case L.LOOP_CTL_GET_FREE:
      return devices.unbound?.number ?? devices.add(devices.nextNumber, file.account);
    default:
      return -ENOSYS;
  }
}

/** Requests on /dev/loopN. The argument is the third one of the call. */
export function loopRequest(t: Task, file: LoopFile, request: number, a: SyscallArgs): number {
  const { device } = file,
    arg = a.u64(2),
    mayChange = file.canWrite || hasCap(t.cred, CAP_SYS_ADMIN);
  switch (request) {
    case L.LOOP_SET_FD:
      return bindFile(t, file, a.i32(2), null, 0);
    case L.LOOP_CONFIGURE:
      return configure(t, file, arg);
    case L.LOOP_CLR_FD:
      if (device.backing === null || device.isGoing) return -ENXIO;
      device.flags |= L.LO_FLAGS_AUTOCLEAR;
      if (device.openers === 1) device.isGoing = true;
      return 0;
    case L.LOOP_CHANGE_FD:
      return changeFile(t, device, a.i32(2));
    case L.LOOP_SET_STATUS:
    case L.LOOP_SET_STATUS64: {
      if (!mayChange) return -EPERM;
      const info = request === L.LOOP_SET_STATUS ? readOld(t, arg) : readNew(t, arg);
      return typeof info === "number" ? info : setStatus(device, info);
    }
    case L.LOOP_GET_STATUS:
    case L.LOOP_GET_STATUS64:
      return getStatus(t, device, arg, request === L.LOOP_GET_STATUS);
    case L.LOOP_SET_CAPACITY:
    case L.LOOP_SET_DIRECT_IO:
    case L.LOOP_SET_BLOCK_SIZE:
      return mayChange ? simple(device, request, arg) : -EPERM;
    default:
      return blockRequest(t, device, request, arg);
  }
}

function isBound(device: LoopDevice): boolean {
  return device.backing !== null && !device.isGoing;
}

function simple(device: LoopDevice, request: number, arg: number): number {
  if (!isBound(device)) return -ENXIO;
  switch (request) {
    case L.LOOP_SET_CAPACITY:
      device.measure();
      return 0;
    case L.LOOP_SET_DIRECT_IO:
      return arg === 0 ? 0 : -EINVAL;
    default:
      if (arg !== 0 && !isBlockSize(arg)) return -EINVAL;
      device.blockSize = arg === 0 ? 512 : arg;
      return 0;
  }
}

function isBlockSize(n: number): boolean {
  return n >= 512 && n <= 4096 && (n & (n - 1)) === 0;
}

/** The regular file of a descriptor, for a device, or -errno. */
function backingOf(t: Task, fd: number): OpenFile | number {
  const file = t.files.get(fd);
  if (file === null) return -EBADF;
  return isRegular(file.inode) ? file : -EINVAL;
}

/** The fields that LOOP_SET_STATUS64 sets. */
interface Info {
  readonly offset: number;
  readonly sizeLimit: number;
  readonly flags: number;
  readonly encryptType: number;
  readonly keySize: number;
  readonly name: Uint8Array<ArrayBuffer>;
}

function readNew(t: Task, addr: number): Info | number {
  if (t.mm.copyIn(t.kernel.scratch.u8, 0, addr, L.LoopInfo64.size) !== 0) return -EFAULT;
  return infoAt(t, 0);
}

/** Reads a struct loop_info64 in the scratch buffer. */
function infoAt(t: Task, from: number): Info {
  const { u8, dv } = t.kernel.scratch, { at } = L.LoopInfo64, name = from + at.fileName;
  const u64 = (p: number) => dv.getUint32(p, true) + dv.getUint32(p + 4, true) * TWO32;
  return {
    offset: u64(from + at.offset),
    sizeLimit: u64(from + at.sizelimit),
    flags: dv.getUint32(from + at.flags, true),
    encryptType: dv.getUint32(from + at.encryptType, true),
    keySize: dv.getUint32(from + at.encryptKeySize, true),
    name: u8.slice(name, name + L.LO_NAME_SIZE),
  };
}

function readOld(t: Task, addr: number): Info | number {
  const { u8, dv } = t.kernel.scratch, { at, size } = L.LoopInfo;
  if (t.mm.copyIn(u8, 0, addr, size) !== 0) return -EFAULT;
  const offset = dv.getInt32(at.offset, true);
  return {
    offset: offset < 0 ? TWO63 : offset,
    sizeLimit: 0,
    flags: dv.getUint32(at.flags, true),
    encryptType: dv.getUint32(at.encryptType, true),
    keySize: dv.getUint32(at.encryptKeySize, true),
    name: u8.slice(at.name, at.name + L.LO_NAME_SIZE),
  };
}

/** loop_set_status_from_info of Linux: 0, -EINVAL, -EOVERFLOW. */
function applyInfo(device: LoopDevice, info: Info): number {
  if (info.keySize > L.LO_KEY_SIZE || info.encryptType !== 0) return -EINVAL;
  if (info.offset >= TWO63 || info.sizeLimit >= TWO63) return -EOVERFLOW;
  if (!Number.isSafeInteger(info.offset) || !Number.isSafeInteger(info.sizeLimit)) {
    return -EOVERFLOW;
  }
  device.offset = info.offset;
  device.sizeLimit = info.sizeLimit;
  device.fileName.set(info.name);
  device.fileName[L.LO_NAME_SIZE - 1] = 0;
  return 0;
}

function setStatus(device: LoopDevice, info: Info): number {
  if (!isBound(device)) return -ENXIO;
  const r = applyInfo(device, info);
  if (r < 0) return r;
  device.flags = (device.flags & ~L.LO_FLAGS_AUTOCLEAR) | (info.flags & SETTABLE);
  device.measure();
  return 0;
}

function configure(t: Task, file: LoopFile, addr: number): number {
  const { dv, u8 } = t.kernel.scratch, { at, size } = L.LoopConfig;
  if (t.mm.copyIn(u8, 0, addr, size) !== 0) return -EFAULT;
  return bindFile(
    t,
    file,
    dv.getInt32(at.fd, true),
    infoAt(t, at.info),
    dv.getUint32(at.blockSize, true),
  );
}

/** loop_configure of Linux. `info` null: LOOP_SET_FD. */
function bindFile(
  t: Task,
  file: LoopFile,
  fd: number,
  info: Info | null,
  blockSize: number,
): number {
  const { device } = file;
  if (t.files.get(fd) === null) return -EBADF;
  if (device.backing !== null) return -EBUSY;
  const backing = backingOf(t, fd);
  if (typeof backing === "number") return backing;
  const given = info === null ? 0 : info.flags;
  if ((given & ~CONFIGURABLE) !== 0) return -EINVAL;
  if (blockSize !== 0 && !isBlockSize(blockSize)) return -EINVAL;
  const r = info === null ? 0 : applyInfo(device, info);
  if (r < 0) return r;
  const isReadOnly = !backing.canWrite || !file.canWrite;
  const flags = (given & ~L.LO_FLAGS_DIRECT_IO) | (isReadOnly ? L.LO_FLAGS_READ_ONLY : 0);
  device.bind(backing, flags, blockSize === 0 ? 512 : blockSize);
  return 0;
}

/** LOOP_CHANGE_FD: replaces the file of a read-only device by one that gives it the same size. */
function changeFile(t: Task, device: LoopDevice, fd: number): number {
  if (t.files.get(fd) === null) return -EBADF;
  const old = device.backing;
  if (old === null || device.isGoing) return -ENXIO;
  if (!device.isReadOnly) return -EINVAL;
  const file = backingOf(t, fd);
  if (typeof file === "number") return file;
  if (device.sizeWith(file) !== device.sizeWith(old)) return -EINVAL;
  device.backing = file.hold();
  old.drop();
  return 0;
}

function getStatus(t: Task, device: LoopDevice, addr: number, isOld: boolean): number {
  if (addr === 0) return -EINVAL;
  const { backing } = device, { scratch } = t.kernel;
  if (backing === null || device.isGoing) return -ENXIO;
  const { inode } = backing, { dv, u8 } = scratch;
  const layout = isOld ? L.LoopInfo : L.LoopInfo64;
  scratch.clear(layout.size);
  if (isOld) {
    const { at } = L.LoopInfo;
    if (device.offset > 0x7fffffff) return -EOVERFLOW;
    dv.setInt32(at.number, device.number, true);
    scratch.setU53(at.device, inode.dev);
    scratch.setU53(at.inode, inode.ino);
    scratch.setU53(at.rdevice, inode.dev);
    dv.setInt32(at.offset, device.offset, true);
    dv.setInt32(at.flags, device.flags, true);
    u8.set(device.fileName, at.name);
  } else {
    const { at } = L.LoopInfo64;
    scratch.setU53(at.device, inode.dev);
    scratch.setU53(at.inode, inode.ino);
    scratch.setU53(at.rdevice, inode.dev);
    scratch.setU53(at.offset, device.offset);
    scratch.setU53(at.sizelimit, device.sizeLimit);
    dv.setUint32(at.number, device.number, true);
    dv.setUint32(at.flags, device.flags, true);
    u8.set(device.fileName, at.fileName);
  }
  return t.mm.copyOut(addr, u8, 0, layout.size) < 0 ? -EFAULT : 0;
}

/** Requests of every block device (blkdev_ioctl of Linux). */
function blockRequest(t: Task, device: LoopDevice, request: number, addr: number): number {
  const put = (value: number) => t.mm.store32(addr, value) < 0 ? -EFAULT : 0;
  const put64 = (value: number) => t.mm.store64(addr, value) < 0 ? -EFAULT : 0;
  switch (request) {
    case F.BLKGETSIZE64:
      return put64(device.size);
    case F.BLKGETSIZE:
      return put64(device.size / 512);
    case F.BLKSSZGET:
    case F.BLKPBSZGET:
    case F.BLKIOMIN:
      return put(device.blockSize);
    case F.BLKBSZGET:
      return put(4096);
    case F.BLKIOOPT:
    case F.BLKALIGNOFF:
    case F.BLKDISCARDZEROES:
      return put(0);
    case F.BLKROGET:
      return put(device.isReadOnly ? 1 : 0);
    case F.BLKFLSBUF:
      if (!hasCap(t.cred, CAP_SYS_ADMIN)) return -EACCES;
      return device.backing?.fsync(false) ?? 0;
    case F.BLKDISCARD:
    case F.BLKZEROOUT:
      return -EOPNOTSUPP;
    default:
      return -EINVAL;
  }
}
