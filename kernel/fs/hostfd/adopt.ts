/**
 * Makes open files of the host descriptors that a sandbox is started with (stdin, stdout, stderr).
 * oci/boot/guest/stdio_files.ts calls it.
 */

import type { Account } from "../../core/account.ts";
import { O_LARGEFILE } from "../../../ffi/abi/fcntl.ts";
import { SEEK_CUR } from "../../../ffi/abi/fs.ts";
import { HostFile } from "./host_file.ts";
import type { HostFdFs } from "./host_inode.ts";
import { kindOf, REGULAR, STREAM } from "./kinds.ts";

/**
 * Makes a file over `fd`, which it owns and closes. `flags` are the access mode and O_APPEND of the
 * descriptor. `uid` and `gid` are its owner in the sandbox.
 */
export function adoptHostFd(
  account: Account,
  fs: HostFdFs,
  fd: number,
  flags: number,
  uid: number = 0,
  gid: number = 0,
): HostFile {
  const inode = fs.makeInode(fd, kindOf(fs.host, fs.scratch, fd));
  inode.uid = uid;
  inode.gid = gid;
  // F_GETFL of a pipe or socket shows no O_LARGEFILE.
  const opened = inode.kind === STREAM ? 0 : O_LARGEFILE;
  const file = new HostFile(account, inode, flags | opened, true);
  if (inode.kind === REGULAR) file.startAt(Math.max(0, fs.host.lseek(fd, 0, SEEK_CUR)));
  return file;
}
