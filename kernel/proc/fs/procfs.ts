/**
 * procfs: the file system of /proc (proc(5)), one instance a mount. It asks a `ProcSource` about
 * processes and the machine, which kernel/proc implements, because file systems may not import
 * tasks.
 *
 * The tree: root_dir.ts, task_dir.ts (with fd_dirs.ts, ns_links.ts, magic_link.ts, net_dir.ts),
 * sysctl_dirs.ts. The texts: task_formats.ts, memory_formats.ts, system_files.ts, sysctl_table.ts,
 * net_tables.ts.
 */

import { ENOENT, EPERM } from "../../../ffi/abi/errno.ts";
import { PROC_SUPER_MAGIC } from "../../../ffi/abi/statfs.ts";
import { inGroup } from "../../cred/credentials.ts";
import type { Caller } from "../../vfs/caller.ts";
import type { FileSystem } from "../../vfs/inode.ts";
import { FsType } from "../../fs/fs_types.ts";
import { GeneratedFs } from "../../fs/generated/generated_fs.ts";
import { mayInspect } from "./access.ts";
import {
  HIDEPID_INVISIBLE,
  HIDEPID_NO_ACCESS,
  HIDEPID_NOT_PTRACEABLE,
  HIDEPID_OFF,
  optionsText,
  parseProcOptions,
  type ProcOptions,
} from "./options.ts";
import { ProcRootDir } from "./root_dir.ts";
import type { ProcSource, ProcTask } from "./source.ts";

export class ProcFs extends GeneratedFs {
  override readonly type = "proc";
  override readonly magic = PROC_SUPER_MAGIC;
  override readonly isRevealing = true;
  /** Missing names cannot be created. */
  override readonly createError = -ENOENT;
  override readonly makeError = -ENOENT;
  override readonly root: ProcRootDir;
  readonly procSource: ProcSource;
  options: ProcOptions;

  constructor(source: ProcSource, options: ProcOptions) {
    super(source.vfs);
    this.source = "proc";
    this.procSource = source;
    this.options = options;
    this.root = new ProcRootDir(this);
  }

  override superOptions(): string {
    return optionsText(this.options);
  }

  override remount(text: string): number {
    const options = parseProcOptions(text, this.options);
    if (typeof options === "number") return options;
    this.options = options;
    return 0;
  }

  /** Whether some processes may be hidden. */
  get hides(): boolean {
    return this.options.hidepid >= HIDEPID_INVISIBLE;
  }

  /** Whether the caller sees `task`. */
  shows(task: ProcTask): boolean {
    return !this.hides || this.isOpenTo(task);
  }

  /** Whether the caller may enter /proc/PID: 0, -EPERM, or -ENOENT if the process is hidden. */
  mayEnter(task: ProcTask): number {
    const { hidepid } = this.options;
    if (hidepid === HIDEPID_OFF || this.isOpenTo(task)) return 0;
    return hidepid === HIDEPID_NO_ACCESS ? -EPERM : -ENOENT;
  }

  private isOpenTo(task: ProcTask): boolean {
    const caller = this.procSource.caller(), { hidepid, gid } = this.options;
    if (caller === null) return false;
    if (hidepid !== HIDEPID_NOT_PTRACEABLE && inGroup(caller.cred, gid)) return true;
    return mayInspect(this.procSource, task);
  }
}

/** The file system type of `mount -t proc`; one a kernel. */
export class ProcFsType extends FsType {
  override readonly name = "proc";
  override readonly isForUsers = true;
  override readonly shows = "pid";
  private readonly source: ProcSource;

  constructor(source: ProcSource) {
    super();
    this.source = source;
  }

  override create(caller: Caller, _source: string, options: string): FileSystem | number {
    const parsed = parseProcOptions(options, null);
    return typeof parsed === "number" ? parsed : new ProcFs(this.source.seenBy(caller), parsed);
  }
}
