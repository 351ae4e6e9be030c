/**
 * The tree of /proc/sys (sysctl(8)): stored settings of sysctl_table.ts, and settings that live
 * elsewhere in the kernel.
 */

import { CAP_SYS_ADMIN, CAP_SYS_RESOURCE } from "../../../ffi/abi/capability.ts";
import { EACCES, EINVAL, EPERM } from "../../../ffi/abi/errno.ts";
import { S_IFDIR, S_IFMT } from "../../../ffi/abi/stat.ts";
import { AIO_REQUESTS, OPEN_FILES } from "../../core/quota.ts";
import { type Credentials, hasCapIn, hasOwnCap } from "../../cred/credentials.ts";
import type { NamespaceKind } from "../../cred/namespace.ts";
import { PID_MAX, type PidSpace } from "../../cred/pid.ts";
import { INITIAL_USER_NAMESPACE } from "../../cred/user_namespace.ts";
import type { Vfs } from "../../vfs/vfs.ts";
import { FixedDir } from "../../fs/generated/generated_dir.ts";
import type { GeneratedFs } from "../../fs/generated/generated_fs.ts";
import { parseNumber } from "../../fs/generated/format.ts";
import { LinksDir, NetSettingsDir } from "./net_settings_dirs.ts";
import type { ProcSource } from "./source.ts";
import { NET, StoredInode, SysctlInode, type SysctlScope } from "./sysctl_inode.ts";
import { firstLine, numbersOf } from "./sysctl_store.ts";

/** Value of vm/memfd_noexec that refuses executable memfds. */
const MEMFD_NOEXEC_ENFORCED = 2;
/** LIMIT: bytes of a host name. */
const UTS_NAME_LENGTH = 64;

interface LiveSetting {
  readonly permissions: number;
  /** It belongs to the opener's user namespace, and CAP_SYS_RESOURCE there allows writing. */
  readonly isOfUserNamespace?: boolean;
  /** The value without a newline. */
  read(source: ProcSource, scope: SysctlScope): string;
  /** Writes a value: 0 or -errno. */
  write?(source: ProcSource, text: string, scope: SysctlScope): number;
}

/** The kinds of namespaces with a limit. */
const COUNTED: readonly NamespaceKind[] = [
  "cgroup",
  "ipc",
  "mnt",
  "net",
  "pid",
  "time",
  "user",
  "uts",
];

/** Protections of links in sticky directories, which are fields of Vfs (proc_sys_fs(5)). */
type Protection = "protectedRegular" | "protectedFifos";

const LIVE: ReadonlyMap<string, LiveSetting> = new Map<string, LiveSetting>([
  ["fs/aio-nr", { permissions: 0o444, read: (s) => String(AIO_REQUESTS.countOf(s.account)) }],
  ["fs/dentry-state", { permissions: 0o444, read: dentryState }],
  ["fs/file-nr", {
    permissions: 0o444,
    read: (s) => `${OPEN_FILES.countOf(s.account)}\t0\t${s.sysctl.get("fs/file-max")}`,
  }],
  ["fs/inode-nr", { permissions: 0o444, read: () => "0\t0" }],
  ["fs/inode-state", { permissions: 0o444, read: () => "0\t0\t0\t0\t0\t0\t0" }],
  ["fs/lease-break-time", {
    permissions: 0o644,
    read: (s) => String(vfsOf(s)?.leaseBreakSec ?? 45),
    write: (s, text) => {
      const value = parseNumber(text), vfs = vfsOf(s);
      if (value === null || value < 0 || value > 0x7fffffff) return -EINVAL;
      if (vfs !== null) vfs.leaseBreakSec = value;
      return 0;
    },
  }],
  ["fs/protected_fifos", protection("protectedFifos")],
  ["fs/protected_hardlinks", {
    permissions: 0o644,
    read: (s) => vfsOf(s)?.protectedHardlinks === false ? "0" : "1",
    write: (s, text) => setFlag(s, text, (vfs, on) => vfs.protectedHardlinks = on),
  }],
  ["fs/protected_regular", protection("protectedRegular")],
  ["fs/protected_symlinks", {
    permissions: 0o644,
    read: (s) => vfsOf(s)?.protectedSymlinks === false ? "0" : "1",
    write: (s, text) => setFlag(s, text, (vfs, on) => vfs.protectedSymlinks = on),
  }],
  ["kernel/domainname", {
    permissions: 0o644,
    read: (s) => s.domainname,
    write: (s, text) => {
      s.domainname = firstLine(text).slice(0, UTS_NAME_LENGTH);
      return 0;
    },
  }],
  ["kernel/hostname", {
    permissions: 0o644,
    read: (s) => s.hostname,
    write: (s, text) => {
      s.hostname = firstLine(text).slice(0, UTS_NAME_LENGTH);
      return 0;
    },
  }],
  ["kernel/ns_last_pid", {
    permissions: 0o666,
    read: (s) => String(s.machine().lastPid),
    write: (s, text) => {
      const pid = parseNumber(text);
      return pid === null || pid < 0 || pid > PID_MAX ? -EINVAL : s.chooseLastPid(pid);
    },
  }],
  ["kernel/osrelease", { permissions: 0o444, read: (s) => s.release }],
  ["kernel/ostype", { permissions: 0o444, read: () => "Linux" }],
  ["kernel/pty/nr", { permissions: 0o444, read: () => "0" }],
  ["kernel/random/boot_id", { permissions: 0o444, read: (s) => bootId(s) }],
  ["kernel/random/uuid", { permissions: 0o444, read: (s) => newUuid(s) }],
  ["kernel/version", { permissions: 0o444, read: (s) => s.version }],
  ["net/ipv4/ip_forward", {
    permissions: 0o644,
    read: (_s, { net }) => String(net.read("ipv4", "all", "forwarding")),
    write: (_s, text, { net }) => {
      const value = numbersOf(text, 1)?.[0];
      return value === undefined ? -EINVAL : net.write("ipv4", "all", "forwarding", value);
    },
  }],
  ["vm/memfd_noexec", {
    permissions: 0o644,
    read: (s) => String(callersPids(s).memfdScope),
    write: setMemfdScope,
  }],
  ...COUNTED.map(namespaceLimit),
]);

function callersPids(source: ProcSource): PidSpace {
  return source.current()?.pidSpace ?? source.pids;
}

/** A namespace may not be less strict than those around it. */
function setMemfdScope(source: ProcSource, text: string): number {
  const pids = callersPids(source), cred = source.current()?.cred;
  const owner = pids.owner ?? INITIAL_USER_NAMESPACE;
  if (cred === undefined || !hasCapIn(cred, owner, CAP_SYS_ADMIN)) return -EPERM;
  const value = numbersOf(text, 1)?.[0], least = pids.outer?.memfdScope ?? 0;
  if (value === undefined || value < least || value > MEMFD_NOEXEC_ENFORCED) return -EINVAL;
  pids.memfdNoexec = value;
  return 0;
}

/** Makes /proc/sys with its content. All modes and owners are fixed. */
export function sysctlTree(fs: GeneratedFs, parent: FixedDir, source: ProcSource): FixedDir {
  const root = new FixedDir(fs, parent, 0o555, true);
  const inodes = new Map<string, SysctlInode>();
  for (const setting of source.sysctl.settings) {
    inodes.set(setting.path, new StoredInode(fs, source, setting));
  }
  for (const [path, { permissions }] of LIVE) {
    inodes.set(path, new LiveInode(fs, source, path, permissions));
  }
  for (const path of [...inodes.keys()].sort()) {
    const names = path.split("/"), name = names.pop()!;
    let dir = root;
    for (const part of names) dir = subdirectory(fs, dir, part);
    dir.put(name, inodes.get(path)!);
  }
  for (const family of ["ipv4", "ipv6"] as const) {
    const dir = subdirectory(fs, subdirectory(fs, root, "net"), family);
    dir.put("conf", new LinksDir(fs, dir, source, family));
  }
  return root;
}

function subdirectory(fs: GeneratedFs, dir: FixedDir, name: string): FixedDir {
  const there = dir.lookup(name);
  if (there instanceof FixedDir && (there.mode & S_IFMT) === S_IFDIR) return there;
  const isOfNet = name === "net" || dir instanceof NetSettingsDir;
  return dir.put(name, new (isOfNet ? NetSettingsDir : FixedDir)(fs, dir, 0o555, true));
}

/** A setting that lives elsewhere in the kernel. */
export class LiveInode extends SysctlInode {
  private readonly path: string;

  constructor(fs: GeneratedFs, source: ProcSource, path: string, permissions: number) {
    super(fs, fs.nextIno(), permissions, source, path.startsWith(NET));
    this.path = path;
  }

  /** The row of LIVE; found by the path, because rows have functions and are no state. */
  private get live(): LiveSetting {
    return LIVE.get(this.path)!;
  }

  /**
   * All callers have the bits of others; callers that may change limits of their user namespace
   * have the owner's.
   */
  override checkMode(mask: number, cred: Credentials): number {
    if (this.live.isOfUserNamespace !== true) return super.checkMode(mask, cred);
    const shift = hasOwnCap(cred, CAP_SYS_RESOURCE) ? 6 : 0;
    return (mask & ~(this.mode >> shift) & 7) === 0 ? 0 : -EACCES;
  }
  override value(scope: SysctlScope): string {
    return this.live.read(this.source, scope);
  }
  override change(text: string, scope: SysctlScope): number {
    return this.live.write?.(this.source, text, scope) ?? -EINVAL;
  }
}

/** A row of /proc/sys/user: a limit of the opener's user namespace. */
function namespaceLimit(kind: NamespaceKind): [string, LiveSetting] {
  return [`user/max_${kind}_namespaces`, {
    permissions: 0o644,
    isOfUserNamespace: true,
    read: (s, { userNs }) => String((userNs.counts ?? s.userCounts).limit(kind)),
    write: (s, text, { userNs }) => {
      const value = parseNumber(text);
      if (value === null || value < 0 || value > 0x7fffffff) return -EINVAL;
      (userNs.counts ?? s.userCounts).setLimit(kind, value);
      return 0;
    },
  }];
}

/** The caller's Vfs, of which there is one. */
function vfsOf(source: ProcSource): Vfs | null {
  return source.current()?.fs?.namespace.vfs ?? null;
}

function protection(field: Protection): LiveSetting {
  return {
    permissions: 0o644,
    read: (s) => String(vfsOf(s)?.[field] ?? 0),
    write: (s, text) => {
      const value = parseNumber(text), vfs = vfsOf(s);
      if (value === null || value < 0 || value > 2) return -EINVAL;
      if (vfs !== null) vfs[field] = value;
      return 0;
    },
  };
}

function setFlag(source: ProcSource, text: string, set: (vfs: Vfs, on: boolean) => void): number {
  const value = parseNumber(text), vfs = vfsOf(source);
  if (value !== 0 && value !== 1) return -EINVAL;
  if (vfs !== null) set(vfs, value === 1);
  return 0;
}

function dentryState(source: ProcSource): string {
  return `${vfsOf(source)?.dentries.count ?? 0}\t0\t45\t0\t0\t0`;
}

/** The boot id, constant for the life of the sandbox. */
function bootId(source: ProcSource): string {
  const path = "kernel/random/boot_id";
  const known = source.sysctl.remembered(path);
  return known !== "" ? known : source.sysctl.remember(path, newUuid(source));
}

/** A random UUID (version 4). */
function newUuid(source: ProcSource): string {
  const bytes = new Uint8Array(16);
  source.host.random(bytes);
  bytes[6] = bytes[6]! & 0x0f | 0x40;
  bytes[8] = bytes[8]! & 0x3f | 0x80;
  let text = "";
  for (const [i, byte] of bytes.entries()) {
    if (i === 4 || i === 6 || i === 8 || i === 10) text += "-";
    text += byte.toString(16).padStart(2, "0");
  }
  return text;
}
