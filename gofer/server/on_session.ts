/** Handlers: version, auth, attach, flush, clunk. */

import { EBADF, EINVAL, EMFILE, ENOENT } from "../../ffi/abi/errno.ts";
import { fillQid, statMode, typeOf } from "../backend/attributes.ts";
import { KEEP_ID } from "../backend/create.ts";
import type { ExportRoot } from "../backend/export_root.ts";
import { BY_RULE } from "../backend/visible_part.ts";
import { closeFd, dupFd, statxFd } from "../backend/host_calls.ts";
import * as C from "../protocol/constants.ts";
import { decode, FidMessage } from "../protocol/message.ts";
import { QidReply, Tattach, Tauth, Tflush, Version } from "../protocol/session.ts";
import type { Str } from "../protocol/wire.ts";
import { Fid } from "./fid.ts";
import { commitXattr } from "./on_xattr.ts";
import type { Session } from "./session.ts";

/**
 * LIMIT: the smallest msize with which the extension's replies fit; below it the server answers
 * with the base version.
 */
const DVISOR_MSIZE_MIN = 16384;

const tversion = new Version(C.TVERSION);
const rversion = new Version(101);
const tauth = new Tauth();
const tattach = new Tattach();
const rattach = new QidReply(C.TATTACH + 1);
const tflush = new Tflush();
const tclunk = new FidMessage(C.TCLUNK);

/** Tversion resets the session. Unknown versions are answered "unknown", as version(5) says. */
export function onVersion(s: Session): number {
  decode(s.in, tversion);
  s.reset();
  const asked = tversion.version;
  const msize = Math.min(tversion.msize, s.service.msizeMax);
  if (msize < C.MSIZE_MIN) return -EINVAL;
  const wantsDvisor = asked.equals(C.VERSION_DVISOR);
  s.msize = msize;
  s.isDvisor = wantsDvisor && s.canDonate && msize >= DVISOR_MSIZE_MIN;
  // version(5): a server may answer with what stands before a period, so 9P2000.L.anything gets
  // 9P2000.L.
  s.isVersioned = asked.equals(C.VERSION_9P2000L) || startsWithBase(asked);
  rversion.msize = msize;
  rversion.version.set(
    s.isDvisor ? C.VERSION_DVISOR : s.isVersioned ? C.VERSION_9P2000L : C.VERSION_UNKNOWN,
  );
  return s.reply(rversion);
}

function startsWithBase(version: Str): boolean {
  const base = C.VERSION_9P2000L + ".";
  for (let i = 0; i < base.length; i++) if (version.at(i) !== base.charCodeAt(i)) return false;
  return true;
}

/**
 * No authentication is needed. A server reports that with an error (attach(5)), and diod's clients
 * expect this one.
 */
export function onAuth(s: Session): number {
  decode(s.in, tauth);
  return -ENOENT;
}

/** "" and "/" are the first root, "0", "1", ... the others. */
function rootNamed(s: Session, name: Str): ExportRoot | null {
  if (name.len === 0 || name.equals("/")) return s.service.roots[0] ?? null;
  if (name.len > 4) return null;
  let index = 0;
  for (let i = 0; i < name.len; i++) {
    const digit = name.at(i) - 0x30;
    if (digit < 0 || digit > 9) return null;
    index = index * 10 + digit;
  }
  return s.service.roots[index] ?? null;
}

/** Tattach: gives a fid to an exported root. */
export function onAttach(s: Session): number {
  decode(s.in, tattach);
  if (tattach.afid !== C.NOFID) return -EINVAL;
  if (!s.isFree(tattach.fid)) return s.fids.isFull ? -EMFILE : -EINVAL;
  const root = rootNamed(s, tattach.aname);
  if (root === null) return -ENOENT;
  const fd = dupFd(root.fd);
  if (fd < 0) return fd;
  const r = statxFd(fd);
  if (r < 0) {
    closeFd(fd);
    return r;
  }
  const uid = tattach.nUname === C.NONUNAME ? KEEP_ID : tattach.nUname;
  const visibility = root.visible?.ofRoot(fd) ?? BY_RULE;
  s.fids.bind(tattach.fid, new Fid(fd, root, typeOf(statMode()), "", uid, visibility));
  fillQid(rattach.qid, s.service.ids);
  return s.reply(rattach);
}

/**
 * Requests are answered in order and at once, so the reply to the flushed request was sent before.
 */
export function onFlush(s: Session): number {
  decode(s.in, tflush);
  return s.replyEmpty(C.TFLUSH + 1);
}

/** The fid is freed whatever the reply says; an attribute written through it is set now. */
export function onClunk(s: Session): number {
  decode(s.in, tclunk);
  const fid = s.fids.get(tclunk.fid);
  if (fid === null) return -EBADF;
  const r = commitXattr(s, fid);
  s.fids.drop(tclunk.fid);
  return r < 0 ? r : s.replyEmpty(C.TCLUNK + 1);
}
