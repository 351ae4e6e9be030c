/**
 * Remembers the best platform of this host in a file in the state directory, so that it is measured
 * once and not for every sandbox.
 *
 * The file is valid for one boot, kernel, processor and version of dvisor, and only if its owner is
 * the caller and no other user could have written it. A caller that cannot write the file does not
 * measure.
 * Not here: what is measured (platform/select/choice.ts).
 */

import { AT_FDCWD, O_CLOEXEC, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } from "../../ffi/abi/fcntl.ts";
import { S_IFMT, S_IFREG, Stat } from "../../ffi/abi/stat.ts";
import { SYS_geteuid } from "../../ffi/abi/syscall_numbers.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { close, fstat, openat, read } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { isPlatformName, type PlatformName } from "../../platform/select/candidates.ts";
import { defaultRoot } from "../state/root_dir.ts";
import { UserError } from "../user_error.ts";
import { VERSION } from "../version.ts";

const FILE = "platform.json";
/** LIMIT: bytes of the file, and of /proc/cpuinfo up to the first processor's name. */
const MAX_BYTES = 1024;
const OTHERS_WRITE = 0o022;

export class PlatformMemory {
  /** Of the file. */
  readonly path: string;
  readonly #host: string;

  private constructor(directory: string, host: string) {
    this.path = `${directory}/${FILE}`;
    this.#host = host;
  }

  /**
   * Null if there is no directory that only this user can write.
   *
   * @param directory made if it does not exist
   * @param host the facts of the host that must be unchanged
   */
  static open(directory = ownDirectory(), host = describeHost()): PlatformMemory | null {
    if (directory === null) return null;
    try {
      Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
      const { uid, mode, isDirectory } = Deno.lstatSync(directory);
      const isOwn = isDirectory && uid === syscall(SYS_geteuid) && (mode! & OTHERS_WRITE) === 0;
      return isOwn ? new PlatformMemory(directory, host) : null;
    } catch {
      return null;
    }
  }

  /** The platform that was measured on this host, or null. */
  recall(): PlatformName | null {
    try {
      const { host, platform } = JSON.parse(readOwn(this.path));
      return host === this.#host && isPlatformName(platform) ? platform : null;
    } catch {
      return null;
    }
  }

  /** Failure is ignored: the platform is measured again then. */
  remember(platform: PlatformName): void {
    const fresh = `${this.path}.${Deno.pid}`;
    try {
      const text = JSON.stringify({ host: this.#host, platform });
      Deno.writeTextFileSync(fresh, text, { createNew: true, mode: 0o600 });
      Deno.renameSync(fresh, this.path);
    } catch {
      // A directory that is full or read-only.
    }
  }
}

function ownDirectory(): string | null {
  try {
    return defaultRoot("auto");
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
}

function describeHost(): string {
  const bootId = readOf("/proc/sys/kernel/random/boot_id").trim();
  const cpu = /^model name\s*: (.*)$/m.exec(readOf("/proc/cpuinfo"))?.[1] ?? "";
  return [VERSION, Deno.osRelease(), bootId, cpu].join(", ");
}

function readOf(path: string): string {
  return readFirst(openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC), () => true);
}

/** The text of a file that only this user can have written, else "". */
function readOwn(path: string): string {
  const fd = openat(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  return readFirst(fd, () => {
    if (fstat(fd, scratch.area(0)) < 0) return false;
    const { dv } = scratch,
      at = scratch.areaOffset(0),
      mode = dv.getUint32(at + Stat.at.mode, true);
    return (mode & S_IFMT) === S_IFREG && (mode & OTHERS_WRITE) === 0 &&
      dv.getUint32(at + Stat.at.uid, true) === syscall(SYS_geteuid);
  });
}

function readFirst(fd: number, isTrusted: () => boolean): string {
  if (fd < 0) return "";
  try {
    const count = isTrusted() ? read(fd, scratch.area(0), MAX_BYTES) : 0,
      at = scratch.areaOffset(0);
    return new TextDecoder().decode(scratch.u8.slice(at, at + Math.max(0, count)));
  } finally {
    close(fd);
  }
}
