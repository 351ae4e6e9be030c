/**
 * /sys/devices/virtual/net and /sys/class/net: a directory for each network device, and links to
 * them (sysfs(5)). Each lookup and listing asks the network namespace for its devices.
 */

import { EINVAL, ENODEV, ENOENT } from "../../../ffi/abi/errno.ts";
import { S_IFDIR, S_IFLNK } from "../../../ffi/abi/stat.ts";
import { COUNTER_NAMES } from "../../core/link_counters.ts";
import type { Inode } from "../../vfs/inode.ts";
import { FIRST_OFFSET, FixedDir, GeneratedDir, type Listed } from "../generated/generated_dir.ts";
import type { GeneratedFs } from "../generated/generated_fs.ts";
import { FixedLink } from "../generated/generated_inode.ts";
import type { NetDevice } from "../../core/net_device.ts";
import type { SysSource } from "./sys_source.ts";
import { SysText } from "./sys_text.ts";

type Render = (device: NetDevice) => string | null;

/** The values of a device's files, without their newline; null: reading is -EINVAL. */
const DEVICE_FILES: ReadonlyMap<string, Render> = new Map<string, Render>([
  ["addr_assign_type", () => "0"],
  ["addr_len", () => "6"],
  ["address", (d) => d.address],
  ["broadcast", (d) => d.broadcast],
  ["carrier", () => "1"],
  ["carrier_changes", () => "0"],
  ["dev_id", () => "0x0"],
  ["dev_port", () => "0"],
  ["dormant", () => "0"],
  ["duplex", () => null],
  ["flags", (d) => "0x" + d.flags.toString(16)],
  ["ifalias", () => ""],
  ["ifindex", (d) => String(d.index)],
  ["iflink", (d) => String(d.index)],
  ["link_mode", () => "0"],
  ["mtu", (d) => String(d.mtu)],
  ["netdev_group", () => "0"],
  ["operstate", (d) => d.name === "lo" ? "unknown" : "up"],
  ["speed", () => null],
  ["tx_queue_len", (d) => String(d.txQueueLen)],
  ["type", (d) => String(d.type)],
  ["uevent", (d) => `INTERFACE=${d.name}\nIFINDEX=${d.index}`],
  ...COUNTER_NAMES.map((name): [string, Render] => {
    return [`statistics/${name}`, (d) => String(d.counters[name])];
  }),
]);

function findDevice(source: SysSource, name: string): NetDevice | null {
  return source.net.devices.list().find((d) => d.name === name) ?? null;
}

export class DeviceText extends SysText {
  private readonly source: SysSource;
  private readonly device: string;
  private readonly file: string;

  constructor(fs: GeneratedFs, source: SysSource, device: string, file: string) {
    super(fs);
    this.source = source;
    this.device = device;
    this.file = file;
  }

  override render(): string | number {
    const device = findDevice(this.source, this.device);
    if (device === null) return -ENODEV;
    const value = DEVICE_FILES.get(this.file)?.(device) ?? null;
    return value === null ? -EINVAL : value + "\n";
  }
}

/** The directory of one device. */
export class DeviceDir extends FixedDir {
  constructor(fs: GeneratedFs, parent: GeneratedDir, source: SysSource, device: string) {
    super(fs, parent, 0o755);
    const statistics = this.put("statistics", new FixedDir(fs, this, 0o755));
    for (const path of DEVICE_FILES.keys()) {
      const text = new DeviceText(fs, source, device, path);
      if (path.startsWith("statistics/")) statistics.put(path.slice("statistics/".length), text);
      else this.put(path, text);
    }
    this.put("subsystem", new FixedLink(fs, fs.nextIno(), "../../../../class/net"));
  }
}

/** The directory of all devices: as directories, or as links to those. */
export class DevicesDir extends GeneratedDir {
  private readonly source: SysSource;
  private readonly parent: GeneratedDir;
  private readonly areLinks: boolean;
  private readonly known: Map<string, Inode> = new Map();

  constructor(fs: GeneratedFs, parent: GeneratedDir, source: SysSource, areLinks: boolean) {
    super(fs, fs.nextIno(), 0o755);
    this.source = source;
    this.parent = parent;
    this.areLinks = areLinks;
  }

  override get parentIno(): number {
    return this.parent.ino;
  }
  override get dentriesAreStable(): boolean {
    return false;
  }

  override lookup(name: string): Inode | number {
    if (findDevice(this.source, name) === null) {
      this.known.delete(name);
      return -ENOENT;
    }
    let inode = this.known.get(name);
    if (inode === undefined) {
      inode = this.makeEntry(name);
      this.known.set(name, inode);
    }
    return inode;
  }

  private makeEntry(name: string): Inode {
    const fs = this.generated;
    return this.areLinks
      ? new FixedLink(fs, fs.nextIno(), `../../devices/virtual/net/${name}`)
      : new DeviceDir(fs, this, this.source, name);
  }

  override list(): readonly Listed[] {
    const entries: Listed[] = [], type = (this.areLinks ? S_IFLNK : S_IFDIR) >> 12;
    for (const { name, index } of this.source.net.devices.list()) {
      const inode = this.lookup(name);
      if (typeof inode === "number") continue;
      entries.push({ name, ino: inode.ino, type, offset: FIRST_OFFSET + index });
    }
    return entries.sort((a, b) => a.offset - b.offset);
  }
}
