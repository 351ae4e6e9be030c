/** State that all connections of one server share: roots, policy, and state of the process. */

import { AT_FDCWD, MFD_CLOEXEC, O_CLOEXEC, O_RDONLY } from "../../ffi/abi/fcntl.ts";
import { SYS_geteuid } from "../../ffi/abi/syscall_numbers.ts";
import { check } from "../../ffi/sys/errors.ts";
import { memfdCreate, openat } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import type { Maker } from "../backend/create.ts";
import {
  closeRoot,
  DEFAULT_POLICY,
  type ExportRoot,
  type ServerPolicy,
} from "../backend/export_root.ts";
import { closeFd, ProcFd } from "../backend/host_calls.ts";
import { InodeNumbers } from "../backend/inode_numbers.ts";
import { MSIZE_MAX, MSIZE_MIN } from "../protocol/constants.ts";
import type { ByteString } from "../protocol/wire.ts";
import type { Session } from "./session.ts";

/** LIMIT: fids of one session unless the caller sets another limit. */
const FIDS_MAX = 65536;

interface ServiceOptions {
  readonly roots: readonly ExportRoot[];
  readonly policy?: ServerPolicy;
  /** Largest msize granted, in bytes. */
  readonly msizeMax?: number;
  /** Largest number of fids a session; each takes one to three descriptors. */
  readonly fidsMax?: number;
}

/** A file of its own without content: a descriptor for reading. */
function emptyFile(): number {
  const made = check(memfdCreate("dvisor-empty", MFD_CLOEXEC), "memfd_create");
  try {
    const path = `/proc/self/fd/${made}`;
    return check(openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC), `open ${path}`);
  } finally {
    closeFd(made);
  }
}

export class Service implements Maker {
  readonly roots: readonly ExportRoot[];
  readonly policy: ServerPolicy;
  readonly msizeMax: number;
  readonly fidsMax: number;
  readonly proc: ProcFd;
  readonly ids = new InodeNumbers();
  /** A file without content, which is opened in place of those that seem empty; -1: none do. */
  readonly emptyFd: number;
  /** The user that new files get from the host. */
  readonly uid: number;
  readonly sessions = new Set<Session>();

  /** Throws when /proc is not mounted or a limit makes no sense. */
  constructor(options: ServiceOptions) {
    this.roots = options.roots;
    this.policy = options.policy ?? DEFAULT_POLICY;
    this.msizeMax = options.msizeMax ?? MSIZE_MAX;
    this.fidsMax = options.fidsMax ?? FIDS_MAX;
    if (!(this.msizeMax >= MSIZE_MIN && this.msizeMax <= MSIZE_MAX)) {
      throw new Error(`msize ${this.msizeMax} is not ${MSIZE_MIN} to ${MSIZE_MAX}`);
    }
    this.proc = new ProcFd();
    this.emptyFd = this.roots.some((root) => root.visible !== null) ? emptyFile() : -1;
    this.uid = syscall(SYS_geteuid);
  }

  /** Closes the roots and the way through /proc. */
  close(): void {
    for (const root of this.roots) closeRoot(root);
    closeFd(this.proc.fd);
    if (this.emptyFd >= 0) closeFd(this.emptyFd);
  }

  /** Updates the paths of every session's fids after a rename. */
  renamed(root: ExportRoot, from: ByteString, to: ByteString): void {
    for (const s of this.sessions) s.fids.rename(root, from, to);
  }

  /** Renames fids after RENAME_EXCHANGE. "\0a" is in no path, so it is the temporary name. */
  exchanged(root: ExportRoot, a: ByteString, b: ByteString): void {
    this.renamed(root, a, "\0a");
    this.renamed(root, b, a);
    this.renamed(root, "\0a", b);
  }
}
