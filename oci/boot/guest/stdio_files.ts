/**
 * The guest's standard files over host descriptors that the launcher passed. Not here: a terminal
 * of the guest's own (terminal_bridge.ts).
 */

import type { Container } from "../../../kernel/task/container.ts";
import type { Account } from "../../../kernel/core/account.ts";
import { F_GETFL, O_ACCMODE, O_APPEND } from "../../../ffi/abi/fcntl.ts";
import { S_IFCHR, S_IFMT, Stat } from "../../../ffi/abi/stat.ts";
import { scratch } from "../../../ffi/sys/cstring.ts";
import { close, fcntl, fstat } from "../../../ffi/sys/files.ts";
import { adoptHostFd } from "../../../kernel/fs/hostfd/adopt.ts";
import { HostFdFs, type HostFdInode } from "../../../kernel/fs/hostfd/host_inode.ts";
import { InitCaller } from "../../../kernel/init.ts";
import type { SandboxKernel } from "../../../kernel/kernel.ts";
import { rootCredentials } from "../../../kernel/cred/credentials.ts";
import type { MountNamespace } from "../../../kernel/vfs/mounts.ts";
import type { OpenFile } from "../../../kernel/vfs/open_file.ts";
import { NULL_DEVICE, openNull } from "../rootfs/devices.ts";
import type { GuestFds, ProcessSpec } from "../../protocol/boot_spec.ts";

export class StdioFiles {
  /** Of the descriptors that were opened as files; null: none is made for it. */
  readonly inodes: (HostFdInode | null)[];
  readonly #account: Account;
  readonly #fs: HostFdFs;
  readonly #namespace: MountNamespace;
  readonly #fds: GuestFds;
  /** Descriptors that a file owns, or that `take` has handed out. */
  readonly #taken: Set<number> = new Set();
  readonly #owner: Pick<ProcessSpec, "uid" | "gid">;

  /**
   * @param fds host descriptors
   * @param owner the user that owns the files
   */
  constructor(
    kernel: SandboxKernel,
    container: Container,
    fds: GuestFds,
    owner: Pick<ProcessSpec, "uid" | "gid">,
  ) {
    this.#fs = new HostFdFs(kernel.host, kernel.vfs.devices, kernel.memory);
    this.#account = container.accounts.all;
    this.#namespace = container.mounts;
    this.#fds = fds;
    this.inodes = fds.map(() => null);
    this.#owner = owner;
  }

  /**
   * File 0, 1, 2 or a further one. It owns the descriptor, and its owner is the user of the first
   * process.
   */
  open(index: number): OpenFile {
    const fd = this.take(index), { uid, gid } = this.#owner;
    const flags = fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND);
    const own = isNullDevice(fd) ? this.#openNull(flags) : null;
    if (own !== null) {
      close(fd);
      return own;
    }
    const file = adoptHostFd(this.#account, this.#fs, fd, flags, uid, gid);
    this.inodes[index] = file.inode;
    return file;
  }

  /** Gives the descriptor itself to the caller. */
  take(index: number): number {
    this.#taken.add(index);
    return this.#fds[index] ?? -1;
  }

  /** Closes the descriptors that are left when the process cannot be made. */
  closeRest(): void {
    this.#fds.forEach((fd, i) => {
      if (!this.#taken.has(i)) close(fd);
    });
  }

  #openNull(flags: number): OpenFile | null {
    const caller = new InitCaller(this.#account, this.#namespace, rootCredentials(), 0);
    const file = openNull(caller, flags);
    caller.close();
    return file;
  }
}

function isNullDevice(fd: number): boolean {
  if (fstat(fd, scratch.area(0)) < 0) return false;
  const at = scratch.areaOffset(0);
  const mode = scratch.dv.getUint32(at + Stat.at.mode, true);
  const rdev = Number(scratch.dv.getBigUint64(at + Stat.at.rdev, true));
  return (mode & S_IFMT) === S_IFCHR && rdev === NULL_DEVICE;
}
