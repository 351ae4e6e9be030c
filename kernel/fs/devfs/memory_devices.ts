/**
 * The open files of the memory devices: mem(4), null(4), full(4), random(4), /dev/kmsg and
 * /dev/userfaultfd. devices.ts has their numbers and openers.
 *
 * DIFFERS: the position advances as bytes move, where Linux leaves it at 0.
 */

import type { Account } from "../../core/account.ts";
import { EINVAL, ENOSPC, EPERM } from "../../../ffi/abi/errno.ts";
import { CAP_SYS_ADMIN } from "../../../ffi/abi/capability.ts";
import {
  RNDADDENTROPY,
  RNDADDTOENTCNT,
  RNDGETENTCNT,
  RNDRESEEDCRNG,
} from "../../../ffi/abi/ioctl.ts";
import { bytesToString } from "../../core/bytes.ts";
import type { Host } from "../../core/host.ts";
import { WaitQueue } from "../../core/wait.ts";
import { hasCap } from "../../cred/credentials.ts";
import type { Backing } from "../../mm/backing.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import type { UserMemory } from "../../mm/user_memory.ts";
import { ZeroBacking } from "../../mm/zero_backing.ts";
import type { Inode } from "../../vfs/inode.ts";
import { OpenFile } from "../../vfs/open_file.ts";

/** LIMIT: bytes that one read of randomness gives, as random(4) says. */
const MAX_RANDOM = 33554431;
/** LIMIT: bytes of one record of the log, as LOG_LINE_MAX of Linux. */
const MAX_RECORD = 1024 - 32;
/** The bits of the entropy pool, which is always full. */
const ENTROPY_BITS = 256;
/** RNDZAPENTCNT and RNDCLEARPOOL of linux/random.h. */
const RNDZAPENTCNT = 0x5204, RNDCLEARPOOL = 0x5206;

/** Takes the lines that guests write to /dev/kmsg; the kernel implements it. */
export interface LogSink {
  log(line: string): void;
}

abstract class DeviceFile extends OpenFile {
  override readonly inode: Inode;

  constructor(account: Account, inode: Inode, flags: number) {
    super(account, flags);
    this.inode = inode;
  }
  override get isSeekable(): boolean {
    return true;
  }
  override get isRewound(): boolean {
    return true;
  }
  override describe(): string {
    return "/dev";
  }
}

/** A device whose reads and writes never wait. */
abstract class InstantFile extends DeviceFile {
  override get readsNow(): boolean {
    return true;
  }
  override get writesNow(): boolean {
    return true;
  }
}

/** /dev/null: reads are empty, and writes do not read the buffer. */
export class NullFile extends InstantFile {
  override read(_io: IoCursor, _offset: number): number {
    return 0;
  }
  /** HOT */
  override write(io: IoCursor, _offset: number): number {
    return skip(io);
  }
}

/** /dev/zero. */
export class ZeroFile extends InstantFile {
  private backing: ZeroBacking | null = null;

  override read(io: IoCursor, _offset: number): number {
    return io.remaining === 0 ? 0 : io.putZeros(io.remaining);
  }
  override write(io: IoCursor, _offset: number): number {
    return skip(io);
  }
  /** A private mapping is anonymous memory, a shared one is memory that forks share. */
  override mmap(_writable: boolean, _shared: boolean): Backing {
    return this.backing ??= new ZeroBacking(this.inode);
  }
}

/** /dev/full: reads give zeros, and writes -ENOSPC. */
export class FullFile extends DeviceFile {
  override get takesSplice(): boolean {
    return false;
  }
  override read(io: IoCursor, _offset: number): number {
    return io.remaining === 0 ? 0 : io.putZeros(io.remaining);
  }
  override write(_io: IoCursor, _offset: number): number {
    return -ENOSPC;
  }
}

const noise = new Uint8Array(4096);

/** /dev/random and /dev/urandom, which never wait: the host's pool is ready. */
export class RandomFile extends InstantFile {
  private readonly host: Host;

  constructor(account: Account, inode: Inode, flags: number, host: Host) {
    super(account, inode, flags);
    this.host = host;
  }

  override get canSignal(): boolean {
    return true;
  }
  override read(io: IoCursor, _offset: number): number {
    io.limit(MAX_RANDOM);
    let done = 0;
    while (io.remaining > 0) {
      const n = Math.min(io.remaining, noise.length);
      this.host.random(n === noise.length ? noise : noise.subarray(0, n));
      const r = io.putBytes(noise, 0, n);
      if (r < 0) return done > 0 ? done : r;
      done += r;
      if (r < n) break;
    }
    noise.fill(0);
    return done;
  }

  /** Linux mixes written bytes into its pool; the host's pool does not need them. */
  override write(io: IoCursor, _offset: number): number {
    return skip(io);
  }

  override ioctl(request: number, arg: number, user: UserMemory): number {
    switch (request) {
      case RNDGETENTCNT:
        return user.store32(arg, ENTROPY_BITS);
      case RNDADDTOENTCNT:
      case RNDADDENTROPY:
      case RNDZAPENTCNT:
      case RNDCLEARPOOL:
      case RNDRESEEDCRNG:
        return this.cred !== null && hasCap(this.cred, CAP_SYS_ADMIN) ? 0 : -EPERM;
      default:
        return -EINVAL;
    }
  }
}

/** /dev/random; only it can be polled, not /dev/urandom. */
export class PolledRandomFile extends RandomFile {
  private readonly queue: WaitQueue = new WaitQueue();

  override get waitQueue(): WaitQueue {
    return this.queue;
  }
}

const record = new Uint8Array(MAX_RECORD);

/**
 * /dev/kmsg, for writing: each write is a line of the sandbox's debug log. Opening it for reading
 * is refused.
 */
export class KmsgFile extends OpenFile {
  override readonly inode: Inode;
  private readonly sink: LogSink;

  constructor(account: Account, inode: Inode, flags: number, sink: LogSink) {
    super(account, flags);
    this.inode = inode;
    this.sink = sink;
  }

  override get takesSplice(): boolean {
    return false;
  }
  override write(io: IoCursor, _offset: number): number {
    const n = io.remaining;
    if (n > MAX_RECORD) return -EINVAL;
    const r = io.takeBytes(record, 0, n);
    if (r < 0) return r;
    this.sink.log(`guest: ${bytesToString(record, 0, r).replaceAll(/\p{Cc}+/gu, " ")}`);
    return r;
  }
  override seek(_offset: number, _whence: number): number {
    return 0;
  }
  override describe(): string {
    return "/dev/kmsg";
  }
}

/** /dev/userfaultfd: only an ioctl(2), which makes descriptors (userfault/calls/userfault.ts). */
export class UserfaultDevice extends OpenFile {
  override readonly inode: Inode;

  constructor(account: Account, inode: Inode, flags: number) {
    super(account, flags);
    this.inode = inode;
  }

  override seek(_offset: number, _whence: number): number {
    return 0;
  }
  override describe(): string {
    return "/dev/userfaultfd";
  }
}

function skip(io: IoCursor): number {
  const n = io.remaining;
  io.advance(n);
  return n;
}
