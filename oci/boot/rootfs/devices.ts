/**
 * /dev as container runtimes make it (config-linux.md, "Default Devices"): nodes, links for the
 * standard files, the multiplexer of terminals. Nodes without a driver in this kernel exist too;
 * opening one is ENXIO.
 *
 * Where /dev is a directory of the host, nodes cannot be made in it. Then a node of a file system
 * that only the container has is bind-mounted on a file there.
 */

import { EEXIST, ENOENT, ENXIO, EPERM } from "../../../ffi/abi/errno.ts";
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW, O_NOCTTY, O_NOFOLLOW } from "../../../ffi/abi/fcntl.ts";
import { makedev, S_IFBLK, S_IFCHR, S_IFIFO, S_IFMT } from "../../../ffi/abi/stat.ts";
import type { SandboxKernel } from "../../../kernel/kernel.ts";
import { TmpfsFs } from "../../../kernel/fs/tmpfs/tmpfs.ts";
import { chownAt } from "../../../kernel/vfs/attributes.ts";
import type { Caller } from "../../../kernel/vfs/caller.ts";
import { mknodAt, symlinkAt } from "../../../kernel/vfs/create.ts";
import { type Mount, Path } from "../../../kernel/vfs/dentry.ts";
import { internalMount, newMount } from "../../../kernel/vfs/mount_links.ts";
import { openAt } from "../../../kernel/vfs/open.ts";
import type { OpenFile } from "../../../kernel/vfs/open_file.ts";
import { unlinkAt } from "../../../kernel/vfs/remove.ts";
import { findAt } from "../../../kernel/vfs/status.ts";
import type { DeviceSpec } from "../../protocol/boot_spec.ts";
import { cannot } from "../../file_error.ts";
import { makeParents, makePlace } from "./mountpoint.ts";

const TYPES = { c: S_IFCHR, b: S_IFBLK, p: S_IFIFO } as const;

function standard(name: string, major: number, minor: number): DeviceSpec {
  return { path: `/dev/${name}`, type: "c", major, minor, mode: 0o666, uid: 0, gid: 0 };
}

/** Nodes of every container, with mode 0666. */
const STANDARD: readonly DeviceSpec[] = [
  standard("null", 1, 3),
  standard("zero", 1, 5),
  standard("full", 1, 7),
  standard("random", 1, 8),
  standard("urandom", 1, 9),
  standard("tty", 5, 0),
];

const LINKS: readonly (readonly [path: string, target: string])[] = [
  ["/dev/fd", "/proc/self/fd"],
  ["/dev/stdin", "/proc/self/fd/0"],
  ["/dev/stdout", "/proc/self/fd/1"],
  ["/dev/stderr", "/proc/self/fd/2"],
];
const KCORE = "/proc/kcore";
const PTMX = "/dev/ptmx";
const CONSOLE = "/dev/console";
/** The path in messages when a /dev cannot be filled that config.json does not mention. */
const ROOT = "root.path";

/** @throws UserError naming the node */
export function setUpDev(
  kernel: SandboxKernel,
  caller: Caller,
  devices: readonly DeviceSpec[],
  hasTerminal: boolean,
): void {
  const maker = new DeviceMaker(kernel, caller);
  for (const device of STANDARD) {
    if (!devices.some((other) => other.path === device.path)) maker.make(device, ROOT);
  }
  for (const [i, device] of devices.entries()) {
    if (device.path !== PTMX) maker.make(device, `linux.devices[${i}]`);
  }
  if (hasTerminal) makePlace(caller, CONSOLE, false);
  for (const [path, target] of LINKS) link(caller, path, target);
  if (typeof findAt(caller, AT_FDCWD, KCORE, 0) !== "number") link(caller, "/dev/core", KCORE);
  const r = unlinkAt(caller, AT_FDCWD, PTMX);
  if (r < 0 && r !== -ENOENT) throw cannot("cannot replace", PTMX, r, ROOT);
  link(caller, PTMX, "pts/ptmx");
}

/** Makes a symbolic link unless the path exists. */
function link(caller: Caller, path: string, target: string): void {
  const r = symlinkAt(caller, target, AT_FDCWD, path);
  if (r < 0 && r !== -EEXIST) throw cannot("cannot make the link", path, r, ROOT);
}

class DeviceMaker {
  readonly #kernel: SandboxKernel;
  readonly #caller: Caller;
  /** The file system of nodes that cannot be made in a directory of the host. */
  #hidden: Mount | null = null;
  #count: number = 0;

  constructor(kernel: SandboxKernel, caller: Caller) {
    this.#kernel = kernel;
    this.#caller = caller;
  }

  make(device: DeviceSpec, jsonPath: string): void {
    const path = makeParents(this.#caller, device.path);
    let r = typeof path === "number" ? path : this.#makeNode(device, path);
    // An existing file is kept, as with runc.
    if (r === -EEXIST) return;
    if (r === -EPERM) r = this.#mountNode(device);
    if (r < 0) throw cannot("cannot make the device", device.path, r, jsonPath);
  }

  #makeNode(device: DeviceSpec, path: string): number {
    const { type, major, minor, mode, uid, gid } = device;
    const r = mknodAt(this.#caller, AT_FDCWD, path, TYPES[type] | mode, makedev(major, minor));
    return r < 0 || uid === 0 && gid === 0 ? r : chownAt(this.#caller, AT_FDCWD, path, uid, gid, 0);
  }

  #mountNode(device: DeviceSpec): number {
    const { type, major, minor, mode, uid, gid } = device, { vfs } = this.#kernel;
    const { account } = this.#caller;
    const place = makePlace(this.#caller, device.path, false);
    if (typeof place === "number") return place;
    const mount = this.#hidden ??= this.#makeHidden(), name = String(this.#count++);
    const node = mount.fs.root.mknod(
      name,
      TYPES[type] | mode,
      makedev(major, minor),
      uid,
      gid,
      account,
    );
    if (typeof node === "number") return node;
    const dentry = vfs.dentries.lookup(mount.root, name);
    if (typeof dentry === "number") return dentry;
    const shown = newMount(account, vfs, mount.fs, dentry, mount.flags, "devtmpfs");
    return this.#caller.fs.namespace.attach(shown, place);
  }

  #makeHidden(): Mount {
    const { memory, vfs } = this.#kernel, { account } = this.#caller;
    const fs = new TmpfsFs(account, memory.frames, vfs, { mode: 0o755 }, "devtmpfs");
    return internalMount(account, vfs, fs);
  }
}

/**
 * The terminal of a container becomes its /dev/console: `slave` is the path of an open file of it.
 *
 * @throws UserError
 */
export function bindConsole(caller: Caller, slave: Path): void {
  const place = makePlace(caller, CONSOLE, false);
  const r = typeof place === "number" ? place : showSlave(caller, slave, place);
  if (r < 0) throw cannot("cannot mount", CONSOLE, r);
}

function showSlave(caller: Caller, slave: Path, place: Path): number {
  const { namespace } = caller.fs, { mount } = slave;
  const shown = newMount(
    caller.account,
    namespace.vfs,
    mount.fs,
    slave.dentry,
    mount.flags,
    mount.source,
  );
  return namespace.attach(shown, place);
}

export const NULL_PATH = "/dev/null";
/** Its number, on every Linux. */
export const NULL_DEVICE = makedev(1, 3);

/**
 * The null device at /dev/null: a Path that is not pinned, or -errno. -ENXIO for another file, such
 * as a link that an image or a guest has put there.
 */
export function findNull(caller: Caller): Path | number {
  const found = findAt(caller, AT_FDCWD, NULL_PATH, AT_SYMLINK_NOFOLLOW);
  if (typeof found === "number") return found;
  const { inode } = found.dentry;
  const isNull = inode !== null && (inode.mode & S_IFMT) === S_IFCHR && inode.rdev === NULL_DEVICE;
  return isNull ? found : -ENXIO;
}

/**
 * Opens the null device at /dev/null; null: there is none, or the guest has replaced it. A link in
 * its place would be followed with the caller's rights.
 * @param flags the access mode
 */
export function openNull(caller: Caller, flags: number): OpenFile | null {
  if (typeof findNull(caller) === "number") return null;
  const file = openAt(caller, AT_FDCWD, NULL_PATH, flags | O_NOCTTY | O_NOFOLLOW, 0);
  return typeof file === "number" ? null : file;
}
