/** The base protocol's extended attributes: a fid becomes a stream that holds the value. */

import { XATTR_SIZE_MAX } from "../../ffi/abi/fs.ts";
import {
  EBADF,
  EINVAL,
  EIO,
  EMFILE,
  ENODATA,
  EOPNOTSUPP,
  ERANGE,
  EROFS,
} from "../../ffi/abi/errno.ts";
import { XATTR_CREATE, XATTR_REPLACE } from "../../ffi/abi/xattr.ts";
import { addressOf } from "../../ffi/sys/cstring.ts";
import { dupFd } from "../backend/host_calls.ts";
import { base, DIRENTS_AT, DIRENTS_BYTES, mem } from "../backend/scratch.ts";
import { getXattr, listXattrs, removeXattr, setXattr } from "../backend/xattr.ts";
import * as C from "../protocol/constants.ts";
import { decode } from "../protocol/message.ts";
import { Str } from "../protocol/wire.ts";
import { Rxattrwalk, Txattrcreate, Txattrwalk } from "../protocol/xattr.ts";
import { Fid, type XattrStream } from "./fid.ts";
import type { Session } from "./session.ts";

const txattrwalk = new Txattrwalk();
const rxattrwalk = new Rxattrwalk();
const txattrcreate = new Txattrcreate();
const nameOf = new Str();

/**
 * Reads a value, or the list of names for an empty name, to `mem` from DIRENTS_AT: its length or
 * -errno.
 */
function fetch(s: Session, fid: Fid, name: Str): number {
  if (fid.isEmptied) return name.len === 0 ? 0 : -ENODATA;
  if (name.len === 0) return listXattrs(fid.fd, s.service.proc);
  return getXattr(fid.fd, name, base + DIRENTS_AT, DIRENTS_BYTES, s.service.proc);
}

/** Txattrwalk (9P2000.L): a fid that reads an attribute, or the list of names. */
export function onXattrwalk(s: Session): number {
  const m = txattrwalk;
  decode(s.in, m);
  const fid = s.fid(m.fid);
  if (fid === null) return -EBADF;
  if (!s.isFree(m.newFid)) return s.fids.isFull ? -EMFILE : -EINVAL;
  if (s.fids.hasNoStreamLeft) return -EMFILE;
  const n = fetch(s, fid, m.name);
  if (n < 0) return n;
  const fd = dupFd(fid.fd);
  if (fd < 0) return fd;
  const stream = new Fid(fd, fid.root, fid.type, fid.path, fid.uid, fid.visibility);
  const value = mem.slice(DIRENTS_AT, DIRENTS_AT + n);
  stream.xattr = { name: m.name.toByteString(), value, filled: -1, flags: 0 };
  s.fids.bind(m.newFid, stream);
  rxattrwalk.size = n;
  return s.reply(rxattrwalk);
}

/** The fid becomes a stream and takes Twrites of the value; its Tclunk sets the attribute. */
export function onXattrcreate(s: Session): number {
  const m = txattrcreate;
  decode(s.in, m);
  const fid = s.fid(m.fid);
  if (fid === null) return -EBADF;
  if (fid.isReadOnly) return -EROFS;
  if (m.size > XATTR_SIZE_MAX) return -ERANGE;
  if ((m.flags & ~(XATTR_CREATE | XATTR_REPLACE)) !== 0) return -EOPNOTSUPP;
  if (s.fids.hasNoStreamLeft) return -EMFILE;
  const value = new Uint8Array(m.size);
  s.fids.makeStream(fid, { name: m.name.toByteString(), value, filled: 0, flags: m.flags });
  return s.replyEmpty(C.TXATTRCREATE + 1);
}

/** Tread of a stream. */
export function readXattr(s: Session, x: XattrStream, offset: number, count: number): number {
  if (x.filled >= 0) return -EBADF;
  const from = Math.min(offset, x.value.length);
  const part = x.value.subarray(from, from + count);
  s.beginReply(C.TREAD + 1);
  s.out.putU32(part.length);
  s.out.u8.set(part, s.out.reserve(part.length));
  return s.endReply();
}

/** Twrite of a stream: in order, without gaps. */
export function writeXattr(x: XattrStream, offset: number, data: Str): number {
  if (x.filled < 0) return -EBADF;
  if (offset !== x.filled || offset + data.len > x.value.length) return -EINVAL;
  data.copyTo(x.value, offset);
  x.filled += data.len;
  return data.len;
}

/**
 * Sets the attribute at the Tclunk of a stream that was written. An empty value with XATTR_REPLACE
 * is how Linux's client sends removexattr(2).
 */
export function commitXattr(s: Session, fid: Fid): number {
  const x = fid.xattr;
  if (x === null || x.filled < 0) return 0;
  if (x.filled !== x.value.length) return -EIO;
  nameOf.set(x.name);
  if (x.value.length === 0 && x.flags === XATTR_REPLACE) {
    return removeXattr(fid.fd, nameOf, s.service.proc);
  }
  const addr = x.value.length === 0 ? base + DIRENTS_AT : addressOf(x.value);
  return setXattr(fid.fd, nameOf, addr, x.value.length, x.flags, s.service.proc);
}
