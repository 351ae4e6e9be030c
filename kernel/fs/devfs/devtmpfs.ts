/**
 * devtmpfs: a tmpfs with the nodes that programs expect in /dev, the links for the standard files,
 * and directories to mount on (pts, shm, mqueue), as container runtimes make them.
 *
 * DIFFERS: every mount has a tree of its own, where Linux shows one tree everywhere: a sandbox may
 * hold several containers. Not here: what the devices do (devices.ts).
 */

import type { Account } from "../../core/account.ts";
import { makedev, S_IFCHR } from "../../../ffi/abi/stat.ts";
import type { FrameAllocator } from "../../mm/frames.ts";
import type { Caller } from "../../vfs/caller.ts";
import type { FileSystem, Inode } from "../../vfs/inode.ts";
import type { Vfs } from "../../vfs/vfs.ts";
import { FsType } from "../fs_types.ts";
import { parseTmpfsOptions } from "../tmpfs/options.ts";
import { LOOP_CONTROL_MINOR, type LoopDevices } from "./loop.ts";
import { TmpfsFs } from "../tmpfs/tmpfs.ts";
import {
  FULL_MINOR,
  MEM_MAJOR,
  MISC_MAJOR,
  NULL_MINOR,
  RANDOM_MINOR,
  TTY_MINOR,
  TTYAUX_MAJOR,
  URANDOM_MINOR,
  USERFAULTFD_MINOR,
  ZERO_MINOR,
} from "./devices.ts";

const LOOP_CONTROL = makedev(MISC_MAJOR, LOOP_CONTROL_MINOR);

interface Node {
  readonly name: string;
  readonly major: number;
  readonly minor: number;
  readonly mode?: number;
}

/** The character devices, with mode 0666 unless they have another. */
const NODES: readonly Node[] = [
  { name: "null", major: MEM_MAJOR, minor: NULL_MINOR },
  { name: "zero", major: MEM_MAJOR, minor: ZERO_MINOR },
  { name: "full", major: MEM_MAJOR, minor: FULL_MINOR },
  { name: "random", major: MEM_MAJOR, minor: RANDOM_MINOR },
  { name: "urandom", major: MEM_MAJOR, minor: URANDOM_MINOR },
  { name: "tty", major: TTYAUX_MAJOR, minor: TTY_MINOR },
  { name: "userfaultfd", major: MISC_MAJOR, minor: USERFAULTFD_MINOR, mode: 0o600 },
];

const LINKS: readonly (readonly [name: string, target: string])[] = [
  ["fd", "/proc/self/fd"],
  ["stdin", "/proc/self/fd/0"],
  ["stdout", "/proc/self/fd/1"],
  ["stderr", "/proc/self/fd/2"],
  ["ptmx", "pts/ptmx"],
];

/** The directories to mount on; shm can be used without a mount. */
const DIRECTORIES: readonly (readonly [name: string, mode: number])[] = [
  ["pts", 0o755],
  ["shm", 0o1777],
  ["mqueue", 0o755],
];

/** Puts nodes, links and directories into an empty directory that becomes a /dev: 0 or -errno. */
export function populateDev(dir: Inode, account: Account): number {
  let r = 0;
  for (const { name, major, minor, mode } of NODES) {
    r ||= errorOf(dir.mknod(name, S_IFCHR | (mode ?? 0o666), makedev(major, minor), 0, 0, account));
  }
  for (const [name, target] of LINKS) r ||= errorOf(dir.symlink(name, target, 0, 0, account));
  for (const [name, mode] of DIRECTORIES) r ||= errorOf(dir.mkdir(name, mode, 0, 0, account));
  return r;
}

function errorOf(made: Inode | number): number {
  return typeof made === "number" ? made : 0;
}

/** The file system of one mount. */
export class DevtmpfsFs extends TmpfsFs {
  loops: LoopDevices | null = null;

  /** Not in slices: `destroy` must remove it from the loop devices. */
  override get isFreedInSlices(): boolean {
    return false;
  }
  override destroy(): void {
    this.loops?.removeRoot(this.root);
    super.destroy();
  }
}

export class DevtmpfsType extends FsType {
  override readonly name = "devtmpfs";
  private readonly frames: FrameAllocator;
  private readonly vfs: Vfs;
  private readonly loops: LoopDevices;

  constructor(frames: FrameAllocator, vfs: Vfs, loops: LoopDevices) {
    super();
    this.loops = loops;
    this.frames = frames;
    this.vfs = vfs;
  }

  /** Takes the options of tmpfs(5); the default mode is 0755. */
  override create({ account }: Caller, _source: string, text: string): FileSystem | number {
    const options = parseTmpfsOptions(text, this.vfs.host.memoryBytes);
    if (typeof options === "number") return options;
    options.mode ??= 0o755;
    const fs = new DevtmpfsFs(account, this.frames, this.vfs, options, this.name);
    fs.loops = this.loops;
    let r = populateDev(fs.root, account);
    r ||= errorOf(fs.root.mknod("loop-control", S_IFCHR | 0o600, LOOP_CONTROL, 0, 0, account));
    r ||= this.loops.populate(fs.root, account);
    if (r === 0) return fs;
    fs.destroy();
    return r;
  }
}
