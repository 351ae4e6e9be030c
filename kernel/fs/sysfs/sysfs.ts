/**
 * sysfs: the part of /sys that programs read (sysfs(5)): CPUs and their topology, one memory node,
 * huge page settings, network devices, and directories to mount on. There are no devices behind it.
 * The values come from a SysSource.
 */

import { EACCES, EIO, EPERM } from "../../../ffi/abi/errno.ts";
import { SYSFS_MAGIC } from "../../../ffi/abi/statfs.ts";
import type { Caller } from "../../vfs/caller.ts";
import type { FileSystem } from "../../vfs/inode.ts";
import { FsType } from "../fs_types.ts";
import { FixedDir } from "../generated/generated_dir.ts";
import { GeneratedFs } from "../generated/generated_fs.ts";
import { FixedLink } from "../generated/generated_inode.ts";
import { DevicesDir } from "./net_devices.ts";
import type { SysSource } from "./sys_source.ts";
import { SysText } from "./sys_text.ts";
import { CPU_FILES, SYS_DIRECTORIES, SYS_FILES, SYS_MOUNT_PLACES } from "./system_files.ts";

const ROOT_INO = 1;

export class SysFs extends GeneratedFs {
  override readonly type = "sysfs";
  override readonly magic = SYSFS_MAGIC;
  override readonly isRevealing = true;
  override readonly createError = -EACCES;
  override readonly makeError = -EPERM;
  override readonly fileSize = 4096;
  override readonly fileBlockSize = 4096;
  override readonly root: FixedDir;

  constructor(source: SysSource) {
    super(source.vfs);
    this.source = "sysfs";
    this.root = new FixedDir(this, null, 0o555, false, ROOT_INO);
    this.fill(source);
  }

  private fill(source: SysSource): void {
    for (const path of SYS_DIRECTORIES) this.directory(path);
    for (const path of SYS_MOUNT_PLACES) {
      const [dir, name] = this.parentOf(path);
      dir.put(name, new MountPlace(this, dir, 0o755));
    }
    for (const path of SYS_FILES.keys()) {
      const [dir, name] = this.parentOf(path);
      dir.put(name, new SysSourceText(this, source, path));
    }
    for (let cpu = 0; cpu < source.host.cpuCount; cpu++) this.fillCpu(source, cpu);
    const virtual = this.directory("devices/virtual");
    virtual.put("net", new DevicesDir(this, virtual, source, false));
    const classes = this.directory("class");
    classes.put("net", new DevicesDir(this, classes, source, true));
  }

  private fillCpu(source: SysSource, cpu: number): void {
    const cpus = "devices/system/cpu", node = "devices/system/node/node0";
    for (const file of CPU_FILES.keys()) {
      // The first CPU cannot be taken offline.
      if (file === "online" && cpu === 0) continue;
      const [dir, name] = this.parentOf(`${cpus}/cpu${cpu}/${file}`);
      dir.put(name, new CpuText(this, source, cpu, file));
    }
    this.link(`${cpus}/cpu${cpu}/node0`, "../../node/node0");
    this.link(`${node}/cpu${cpu}`, `../../cpu/cpu${cpu}`);
  }

  private link(path: string, target: string): void {
    const [dir, name] = this.parentOf(path);
    dir.put(name, new FixedLink(this, this.nextIno(), target));
  }

  /** The directory of a path; it is made if it is missing. */
  private directory(path: string): FixedDir {
    let dir = this.root;
    for (const name of path.split("/")) {
      const there = dir.lookup(name);
      dir = there instanceof FixedDir ? there : dir.put(name, new FixedDir(this, dir, 0o755));
    }
    return dir;
  }

  private parentOf(path: string): [FixedDir, string] {
    const slash = path.lastIndexOf("/");
    return [this.directory(path.slice(0, slash)), path.slice(slash + 1)];
  }
}

/** An empty directory that serves as a mountpoint. */
export class MountPlace extends FixedDir {
  override get isForMountsOnly(): boolean {
    return true;
  }
}

export class SysSourceText extends SysText {
  private readonly source: SysSource;
  private readonly path: string;

  constructor(fs: GeneratedFs, source: SysSource, path: string) {
    super(fs);
    this.source = source;
    this.path = path;
  }

  override render(): string | number {
    const value = SYS_FILES.get(this.path)?.(this.source);
    return value === undefined ? -EIO : value + "\n";
  }
}

export class CpuText extends SysText {
  private readonly source: SysSource;
  private readonly cpu: number;
  private readonly file: string;

  constructor(fs: GeneratedFs, source: SysSource, cpu: number, file: string) {
    super(fs);
    this.source = source;
    this.cpu = cpu;
    this.file = file;
  }

  override render(): string | number {
    const value = CPU_FILES.get(this.file)?.(this.cpu, this.source.host.cpuCount);
    return value === undefined ? -EIO : value + "\n";
  }
}

/**
 * `mount -t sysfs`. A kernel has one type; there are no options, and unknown ones are ignored as in
 * Linux.
 */
export class SysFsType extends FsType {
  override readonly name = "sysfs";
  override readonly isForUsers = true;
  override readonly shows = "net";
  private readonly source: SysSource;

  constructor(source: SysSource) {
    super();
    this.source = source;
  }

  override create(_caller: Caller, _source: string, _options: string): FileSystem | number {
    return new SysFs(this.source);
  }
}
