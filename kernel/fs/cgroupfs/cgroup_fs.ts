/**
 * A container's view of its control group: what cgroup v2 shows at the root of a cgroup namespace, whatever the host's
 * layout is. Groups cannot be made in it. The texts are in files.ts.
 */

import { EIO, EPERM } from "../../../ffi/abi/errno.ts";
import { CGROUP2_SUPER_MAGIC } from "../../../ffi/abi/statfs.ts";
import type { Caller } from "../../vfs/caller.ts";
import type { FileSystem } from "../../vfs/inode.ts";
import { FsType } from "../fs_types.ts";
import { FixedDir } from "../generated/generated_dir.ts";
import { GeneratedFs } from "../generated/generated_fs.ts";
import type { ProcSource } from "../procfs/source.ts";
import { SysText } from "../sysfs/sys_text.ts";
import { CGROUP_FILES } from "./files.ts";
import { type CgroupLimits, noLimits } from "./limits.ts";

const ROOT_INO = 1;

export class CgroupFs extends GeneratedFs {
  override readonly type = "cgroup2";
  override readonly magic = CGROUP2_SUPER_MAGIC;
  override readonly createError = -EPERM;
  override readonly makeError = -EPERM;
  override readonly fileBlockSize = 4096;
  override readonly root: FixedDir;
  /** May be changed: the files show what is in it when they are read. */
  readonly limits: CgroupLimits;

  constructor(source: ProcSource, limits: CgroupLimits) {
    super(source.host);
    this.source = "cgroup2";
    this.limits = limits;
    this.root = new FixedDir(this, null, 0o555, true, ROOT_INO);
    for (const name of CGROUP_FILES.keys()) this.root.put(name, new CgroupText(this, source, name));
  }

  override superOptions(): string {
    return "nsdelegate";
  }
}

class CgroupText extends SysText {
  private readonly cgroup: CgroupFs;
  private readonly proc: ProcSource;
  private readonly name: string;

  constructor(fs: CgroupFs, source: ProcSource, name: string) {
    super(fs);
    this.cgroup = fs;
    this.proc = source;
    this.name = name;
  }

  override render(): string | number {
    const text = CGROUP_FILES.get(this.name)?.(this.proc, this.cgroup.limits);
    return text === undefined ? -EIO : text === "" ? "\n" : `${text}\n`;
  }
}

/** `mount -t cgroup2`: the same for everybody, unless the container was given limits. */
export class Cgroup2Type extends FsType {
  override readonly name = "cgroup2";
  private readonly source: ProcSource;
  /** What new mounts show. */
  limits: CgroupLimits = noLimits();

  constructor(source: ProcSource) {
    super();
    this.source = source;
  }

  override create(caller: Caller, _source: string, _options: string): FileSystem | number {
    return new CgroupFs(this.source.seenBy(caller), this.limits);
  }
}
