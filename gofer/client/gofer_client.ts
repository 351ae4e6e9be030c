/**
 * A file server as the Sentry sees it: fids, names and attributes, one synchronous call a request.
 *
 * Results are >= 0 or -errno; further ones are in fields (`walk`, `attr`, `data`, ...), which the
 * next request overwrites. A request allocates only the strings and arrays that its method returns.
 * A server without dvisor's extension gets messages of the base protocol (plain.ts): `canDonate` is
 * false, openFd is -EOPNOTSUPP, and files are read by lopen and read. Names are byte strings. After
 * the server's end every request is -EIO, and `dead` is true.
 */

import { XATTR_SIZE_MAX } from "../../ffi/abi/fs.ts";
import { EIO, ENOENT, EOPNOTSUPP } from "../../ffi/abi/errno.ts";
import { AttrReply, Rstatfs, Tgetattr, Tsetattr } from "../protocol/attributes.ts";
import type { Attr } from "../protocol/attr.ts";
import * as C from "../protocol/constants.ts";
import { DirEntries, DIRENTS_ATTR, DIRENTS_PLAIN } from "../protocol/dirent.ts";
import {
  FidNameMessage,
  Rwalkgetattr,
  Tcreatefd,
  Tgetxattr,
  Tmake,
  Topenfd,
  Trenameat2,
  Tsetxattr,
  Twalkgetattr,
} from "../protocol/extension.ts";
import {
  DataReply,
  OpenReply,
  ReadRequest,
  Rwrite,
  Tfsync,
  Tlopen,
  Twrite,
} from "../protocol/file.ts";
import { Rgetlock, Rlock, Tgetlock, Tlock } from "../protocol/lock.ts";
import { EmptyMessage, FidMessage } from "../protocol/message.ts";
import { QidReply, Tattach, Version } from "../protocol/session.ts";
import { Rreadlink, Tlink, Trenameat, Tunlinkat } from "../protocol/tree.ts";
import type { ByteString, Str } from "../protocol/wire.ts";
import type { ClientOptions } from "./client_options.ts";
import { ClientConnection } from "./connection.ts";
import { FidAllocator } from "./fids.ts";
import * as plain from "./plain.ts";
import * as plainXattr from "./plain_xattr.ts";

export { NOFID, OPEN_NONE } from "../protocol/constants.ts";
export { STOP_COMPLETE, STOP_ERROR, STOP_SYMLINK } from "../protocol/constants.ts";
export { Attr } from "../protocol/attr.ts";
export { Tsetattr } from "../protocol/attributes.ts";
export { Tgetlock, Tlock } from "../protocol/lock.ts";

const MSIZE_DEFAULT = 256 * 1024;

const tversion = new Version(C.TVERSION);
const rversion = new Version(101);
const tattach = new Tattach();
const rattach = new QidReply(C.TATTACH + 1);
const twalkgetattr = new Twalkgetattr();
const topenfd = new Topenfd();
const ropenfd = new AttrReply(C.TOPENFD + 1);
const tcreatefd = new Tcreatefd();
const rcreatefd = new AttrReply(C.TCREATEFD + 1);
const tmake = new Tmake();
const rmake = new AttrReply(C.TMAKE + 1);
const tlink = new Tlink();
const rlink = new EmptyMessage(C.TLINK + 1);
const trenameat = new Trenameat();
const rrenameat = new EmptyMessage(C.TRENAMEAT + 1);
const trenameat2 = new Trenameat2();
const rrenameat2 = new EmptyMessage(C.TRENAMEAT2 + 1);
const tunlinkat = new Tunlinkat();
const runlinkat = new EmptyMessage(C.TUNLINKAT + 1);
const tgetattr = new Tgetattr();
const rgetattr = new AttrReply(C.TGETATTR + 1);
const rsetattr = new EmptyMessage(C.TSETATTR + 1);
const tstatfs = new FidMessage(C.TSTATFS);
const treadlink = new FidMessage(C.TREADLINK);
const rreadlink = new Rreadlink();
const treaddir = new ReadRequest(C.TREADDIR);
const rreaddir = new DataReply(C.TREADDIR + 1);
const treaddirattr = new ReadRequest(208);
const rreaddirattr = new DataReply(C.TREADDIRATTR + 1);
const tfsync = new Tfsync();
const rfsync = new EmptyMessage(C.TFSYNC + 1);
const tlopen = new Tlopen();
const rlopen = new OpenReply(C.TLOPEN + 1);
const tread = new ReadRequest(C.TREAD);
const rread = new DataReply(C.TREAD + 1);
const twrite = new Twrite();
const rwrite = new Rwrite();
const rlock = new Rlock();
const tgetxattr = new Tgetxattr();
const rgetxattr = new DataReply(C.TGETXATTR + 1);
const tsetxattr = new Tsetxattr();
const rsetxattr = new EmptyMessage(C.TSETXATTR + 1);
const tlistxattr = new FidMessage(C.TLISTXATTR);
const rlistxattr = new DataReply(C.TLISTXATTR + 1);
const tremovexattr = new FidNameMessage(C.TREMOVEXATTR);
const rremovexattr = new EmptyMessage(C.TREMOVEXATTR + 1);

export class GoferClient {
  readonly name: string;
  /** The connection, for requests that run at the same time (`submit`, `poll`). */
  readonly connection: ClientConnection;
  /** Allocates fid numbers; never 0. The fallback for plain servers uses it too. */
  readonly fids = new FidAllocator();
  /** The server speaks dvisor's extension and donates descriptors. */
  canDonate = false;
  readonly walk = new Rwalkgetattr();
  /** Result of getattr, openFd, createFd, make, create. */
  attr: Attr = rgetattr.attr;
  readonly statfsResult = new Rstatfs();
  /** Result of readdir, readdirAttr and list: call `next()` until it is false. */
  readonly entries = new DirEntries();
  /** Result of read: a range of the receive buffer. */
  readonly data: Str = rread.data;
  readonly lockFound = new Rgetlock();
  readonly #offersExtension: boolean;
  readonly #roots: readonly ByteString[] | null;

  /** Owns `fd`, a connected stream socket. Nothing is sent before `start`. */
  constructor(fd: number, options: ClientOptions = {}) {
    this.name = options.name ?? "";
    this.connection = new ClientConnection(fd, options.msize ?? MSIZE_DEFAULT);
    this.connection.spins = options.spins ?? 0;
    this.#offersExtension = options.offersExtension ?? true;
    this.#roots = options.roots ?? null;
  }

  /** The server has ended: every request is -EIO, for good. */
  get dead(): boolean {
    return this.connection.isDead;
  }

  /** Negotiates version and msize. 0, or -EIO when there is no common version. */
  start(): number {
    const c = this.connection;
    tversion.msize = c.msize;
    tversion.version.set(this.#offersExtension ? C.VERSION_DVISOR : C.VERSION_9P2000L);
    let r = c.call(tversion, rversion);
    if (r < 0 || rversion.version.equals(C.VERSION_UNKNOWN)) { // compared whole
      tversion.version.set(C.VERSION_9P2000L);
      r = c.call(tversion, rversion);
    }
    if (r < 0) return c.die("the Gofer refuses to settle a version");
    this.canDonate = this.#offersExtension && rversion.version.equals(C.VERSION_DVISOR);
    if (!this.canDonate && !rversion.version.equals(C.VERSION_9P2000L)) {
      return c.die("the Gofer does not speak 9P2000.L");
    }
    if (rversion.msize > c.msize || rversion.msize < C.MSIZE_MIN) {
      return c.die(`the Gofer settles on messages of ${rversion.msize} bytes`);
    }
    c.msize = rversion.msize;
    return 0;
  }

  /** Ends the connection, and closes its socket; to be called once. */
  close(): void {
    this.connection.close();
  }

  /** Binds `fid` to a root by its name. `uid` owns what the base protocol creates. */
  attach(fid: number, root: ByteString, uid: number = C.NONUNAME): number {
    tattach.fid = fid;
    const index = this.#roots?.indexOf(root) ?? 0;
    if (index < 0) return -ENOENT;
    tattach.aname.set(this.#roots === null ? root : String(index));
    tattach.nUname = uid;
    return this.connection.call(tattach, rattach);
  }

  /**
   * Walks `names[from..]` (at most 64 of them) from `fid`: how many attribute records `walk` holds,
   * or -errno. With no names it is the fid's own. `newFid`, unless NOFID, is bound to the last file
   * that has a record, so to nothing if there is none. `open`, unless OPEN_NONE: if every name is
   * walked the file is opened too, and `takeFd` has the descriptor if `walk.openEcode` is 0.
   */
  walkGetattr(
    fid: number,
    newFid: number,
    names: readonly ByteString[],
    from = 0,
    open: number = C.OPEN_NONE,
  ): number { // HOT
    if (!this.canDonate) return plain.walkGetattr(this, fid, newFid, names, from);
    twalkgetattr.fid = fid;
    twalkgetattr.newFid = newFid;
    twalkgetattr.open = open;
    const asked = twalkgetattr.names.set(names, from);
    const r = this.connection.call(twalkgetattr, this.walk);
    if (r < 0) return r;
    const isFitting = asked === 0 ? this.walk.count === 1 : this.walk.count <= asked;
    return isFitting ? this.walk.count : this.connection.die("a walk with too many attributes");
  }

  /** The descriptor that came with the last request, or -1. The caller owns it. */
  takeFd(): number {
    return this.connection.takeFd();
  }

  /** Opens the fid's file on the host: a descriptor that the caller owns; attributes in `attr`. */
  openFd(fid: number, flags: number): number {
    if (!this.canDonate) return this.dead ? -EIO : -EOPNOTSUPP;
    topenfd.fid = fid;
    topenfd.flags = flags;
    const r = this.connection.call(topenfd, ropenfd);
    this.attr = ropenfd.attr;
    return r < 0 ? r : this.takeFd();
  }

  /**
   * Creates a regular file (an existing name is -EEXIST; O_TMPFILE with an empty name makes one
   * without): a descriptor that the caller owns, attributes in `attr`. `newFid` may be NOFID.
   */
  createFd(
    dirFid: number,
    newFid: number,
    name: ByteString,
    flags: number,
    mode: number,
    uid: number,
    gid: number,
  ): number {
    if (!this.canDonate) return this.dead ? -EIO : -EOPNOTSUPP;
    tcreatefd.dirFid = dirFid;
    tcreatefd.newFid = newFid;
    tcreatefd.name.set(name);
    tcreatefd.flags = flags;
    tcreatefd.mode = mode;
    tcreatefd.uid = uid;
    tcreatefd.gid = gid;
    const r = this.connection.call(tcreatefd, rcreatefd);
    this.attr = rcreatefd.attr;
    return r < 0 ? r : this.takeFd();
  }

  /** Makes what the type bits of `mode` say; attributes in `attr`. `target` is for symlinks. */
  make(
    dirFid: number,
    newFid: number,
    name: ByteString,
    mode: number,
    uid: number,
    gid: number,
    major = 0,
    minor = 0,
    target: ByteString = "",
  ): number {
    tmake.dirFid = dirFid;
    tmake.newFid = newFid;
    tmake.name.set(name);
    tmake.mode = mode;
    tmake.uid = uid;
    tmake.gid = gid;
    tmake.major = major;
    tmake.minor = minor;
    tmake.target.set(target);
    if (!this.canDonate) return plain.make(this, tmake);
    this.attr = rmake.attr;
    return this.connection.call(tmake, rmake);
  }

  mkdir(
    dirFid: number,
    newFid: number,
    name: ByteString,
    mode: number,
    uid: number,
    gid: number,
  ): number {
    return this.make(dirFid, newFid, name, 0o040000 | (mode & 0o7777), uid, gid);
  }

  symlink(
    dirFid: number,
    newFid: number,
    name: ByteString,
    target: ByteString,
    uid: number,
    gid: number,
  ): number {
    return this.make(dirFid, newFid, name, 0o120777, uid, gid, 0, 0, target);
  }

  link(dirFid: number, fid: number, name: ByteString): number {
    tlink.dirFid = dirFid;
    tlink.fid = fid;
    tlink.name.set(name);
    return this.connection.call(tlink, rlink);
  }

  /** renameat2(2); flags need a server with the extension. */
  rename(
    oldDirFid: number,
    oldName: ByteString,
    newDirFid: number,
    newName: ByteString,
    flags = 0,
  ): number {
    const m = flags === 0 ? trenameat : trenameat2;
    if (flags !== 0 && !this.canDonate) return this.dead ? -EIO : -EOPNOTSUPP;
    m.oldDirFid = oldDirFid;
    m.oldName.set(oldName);
    m.newDirFid = newDirFid;
    m.newName.set(newName);
    trenameat2.flags = flags;
    const r = this.connection.call(m, flags === 0 ? rrenameat : rrenameat2);
    if (r !== -EOPNOTSUPP || this.canDonate) return r;
    return plain.rename(this, oldDirFid, oldName, newDirFid, newName);
  }

  /** `flags`: 0, or UNLINK_REMOVEDIR for a directory. */
  unlink(dirFid: number, name: ByteString, flags: number): number {
    tunlinkat.dirFid = dirFid;
    tunlinkat.name.set(name);
    tunlinkat.flags = flags;
    const r = this.connection.call(tunlinkat, runlinkat);
    return r === -EOPNOTSUPP && !this.canDonate ? plain.unlink(this, dirFid, name, flags) : r;
  }

  /** Attributes in `attr`. */
  getattr(fid: number): number { // HOT
    tgetattr.fid = fid;
    tgetattr.mask = C.GETATTR_BASIC | C.GETATTR_BTIME;
    this.attr = rgetattr.attr;
    return this.connection.call(tgetattr, rgetattr);
  }

  /** The caller fills in its own Tsetattr, fid included. */
  setattr(request: Tsetattr): number {
    return this.connection.call(request, rsetattr);
  }

  statfs(fid: number): number {
    tstatfs.fid = fid;
    return this.connection.call(tstatfs, this.statfsResult);
  }

  /** A symlink's target, or -errno. */
  readlink(fid: number): ByteString | number {
    treadlink.fid = fid;
    const r = this.connection.call(treadlink, rreadlink);
    return r < 0 ? r : rreadlink.target.toByteString();
  }

  /** Entries from a cookie on, in `entries`: the payload's size (0: the end) or -errno. */
  readdir(fid: number, offsetLo: number, offsetHi: number, count: number): number {
    return this.#readEntries(treaddir, rreaddir, fid, offsetLo, offsetHi, count);
  }

  /** Reads entries with attributes, but for "." and "..". -EOPNOTSUPP without the extension. */
  readdirAttr(fid: number, offsetLo: number, offsetHi: number, count: number): number {
    if (!this.canDonate) return this.dead ? -EIO : -EOPNOTSUPP;
    return this.#readEntries(treaddirattr, rreaddirattr, fid, offsetLo, offsetHi, count);
  }

  #readEntries(
    m: ReadRequest,
    reply: DataReply,
    fid: number,
    lo: number,
    hi: number,
    count: number,
  ): number {
    m.fid = fid;
    m.offsetLo = lo;
    m.offsetHi = hi;
    m.count = Math.min(count, this.connection.msize - C.IO_HEADER_BYTES);
    const r = this.connection.call(m, reply);
    if (r < 0) return r;
    const kind = m === treaddirattr ? DIRENTS_ATTR : DIRENTS_PLAIN;
    this.entries.open(reply.data, this.connection.reply.dv, kind);
    return reply.data.len;
  }

  fsync(fid: number, isDataOnly: boolean): number {
    tfsync.fid = fid;
    tfsync.datasync = isDataOnly ? 1 : 0;
    return this.connection.call(tfsync, rfsync);
  }

  /** Opens the fid itself for read, write, readdir, lock. */
  lopen(fid: number, flags: number): number {
    tlopen.fid = fid;
    tlopen.flags = flags;
    return this.connection.call(tlopen, rlopen);
  }

  /** Creates a regular file as the open file of `newFid`; no descriptor. Attributes in `attr`. */
  create(
    dirFid: number,
    newFid: number,
    name: ByteString,
    flags: number,
    mode: number,
    uid: number,
    gid: number,
  ): number {
    return plain.create(this, dirFid, newFid, name, flags, mode, uid, gid);
  }

  /** Up to `count` bytes, no more than one message holds, to `data`: how many, or -errno. */
  read(fid: number, offset: number, count: number): number {
    tread.fid = fid;
    tread.offsetLo = offset % 2 ** 32;
    tread.offsetHi = Math.floor(offset / 2 ** 32);
    tread.count = Math.min(count, this.connection.msize - C.IO_HEADER_BYTES);
    const r = this.connection.call(tread, rread);
    if (r < 0) return r;
    const n = rread.data.len;
    return n <= tread.count ? n : this.connection.die("more bytes read than asked for");
  }

  /** Writes bytes [from, from + len), no more than one message holds: how many, or -errno. */
  write(fid: number, offset: number, bytes: Uint8Array, from: number, len: number): number {
    twrite.fid = fid;
    twrite.offset = offset;
    const part = Math.min(len, this.connection.msize - C.IO_HEADER_BYTES);
    twrite.data.setBytes(bytes, from, part);
    const r = this.connection.call(twrite, rwrite);
    if (r < 0) return r;
    return rwrite.count <= part
      ? rwrite.count
      : this.connection.die("more bytes written than sent");
  }

  /** LOCK_SUCCESS, LOCK_BLOCKED (try again later), or -errno. The caller fills in its own Tlock. */
  lock(request: Tlock): number {
    const r = this.connection.call(request, rlock);
    if (r < 0) return r;
    if (rlock.status === C.LOCK_ERROR) return -EIO;
    return rlock.status <= C.LOCK_GRACE
      ? rlock.status
      : this.connection.die("an unknown lock status");
  }

  /** The conflicting lock, in `lockFound`; its type is LOCK_TYPE_UNLCK when there is none. */
  getlock(request: Tgetlock): number {
    return this.connection.call(request, this.lockFound);
  }

  /** A copy of the value, -ENODATA, -ERANGE for one longer than `size`, ... */
  getxattr(
    fid: number,
    name: ByteString,
    size = XATTR_SIZE_MAX,
  ): Uint8Array<ArrayBuffer> | number {
    if (!this.canDonate) return plainXattr.get(this, fid, name, size);
    tgetxattr.fid = fid;
    tgetxattr.name.set(name);
    tgetxattr.size = size;
    const r = this.connection.call(tgetxattr, rgetxattr);
    return r < 0 ? r : copyOf(rgetxattr.data);
  }

  /** `flags`: XATTR_CREATE, XATTR_REPLACE or 0. */
  setxattr(fid: number, name: ByteString, value: Uint8Array, flags: number): number {
    if (!this.canDonate) return plainXattr.set(this, fid, name, value, flags);
    tsetxattr.fid = fid;
    tsetxattr.name.set(name);
    tsetxattr.flags = flags;
    tsetxattr.value.setBytes(value, 0, value.length);
    return this.connection.call(tsetxattr, rsetxattr);
  }

  listxattr(fid: number): ByteString[] | number {
    if (!this.canDonate) return plainXattr.list(this, fid);
    tlistxattr.fid = fid;
    const r = this.connection.call(tlistxattr, rlistxattr);
    return r < 0 ? r : plainXattr.splitNames(rlistxattr.data.toByteString());
  }

  removexattr(fid: number, name: ByteString): number {
    if (!this.canDonate) return plainXattr.remove(this, fid, name);
    tremovexattr.fid = fid;
    tremovexattr.name.set(name);
    return this.connection.call(tremovexattr, rremovexattr);
  }

  /** Frees a fid on both sides; the message leaves with the next request; its reply is dropped. */
  clunk(fid: number): void {
    this.connection.clunk(fid);
    this.fids.release(fid);
  }
}

/** A copy of a range of the receive buffer. */
function copyOf(s: Str): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(s.len);
  s.copyTo(out, 0);
  return out;
}
