/** Handlers: getattr, setattr, statfs. */

import { EBADF, EINVAL, EROFS } from "../../ffi/abi/errno.ts";
import { applySetattr, putAttr, readStatfs } from "../backend/attributes.ts";
import { Rstatfs, Tgetattr, Tsetattr } from "../protocol/attributes.ts";
import * as C from "../protocol/constants.ts";
import { decode, FidMessage } from "../protocol/message.ts";
import type { Session } from "./session.ts";

const tgetattr = new Tgetattr();
const tsetattr = new Tsetattr();
const tstatfs = new FidMessage(C.TSTATFS);
const rstatfs = new Rstatfs();

/** Every attribute is sent, whatever the mask requests, as one statx returns them all. */
export function onGetattr(s: Session): number { // HOT
  decode(s.in, tgetattr);
  const fid = s.fid(tgetattr.fid);
  if (fid === null) return -EBADF;
  const r = fid.readAttributes();
  if (r < 0) return r;
  s.beginReply(C.TGETATTR + 1);
  putAttr(s.out, s.service.ids);
  return s.endReply();
}

/** Tsetattr (9P2000.L): 0 or -errno. */
export function onSetattr(s: Session): number {
  const m = tsetattr;
  decode(s.in, m);
  const fid = s.fid(m.fid);
  if (fid === null) return -EBADF;
  if ((m.valid & ~C.SETATTR_ALL) !== 0) return -EINVAL;
  if (fid.isReadOnly) return -EROFS;
  const r = applySetattr(fid.fd, fid.io, fid.type, m, s.service.proc);
  return r < 0 ? r : s.replyEmpty(C.TSETATTR + 1);
}

/** Tstatfs (9P2000.L). */
export function onStatfs(s: Session): number {
  decode(s.in, tstatfs);
  const fid = s.fid(tstatfs.fid);
  if (fid === null) return -EBADF;
  const r = readStatfs(fid.fd, rstatfs);
  return r < 0 ? r : s.reply(rstatfs);
}
