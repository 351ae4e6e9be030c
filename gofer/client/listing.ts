/**
 * Lists of directories with attributes, by the extension. Neighbour: gofer_client.ts has the other
 * requests.
 */

import { EIO, EOPNOTSUPP } from "../../ffi/abi/errno.ts";
import { LIST_ALL, LIST_DIRS, OPEN_NONE, WALKGETATTR_NAMES_MAX } from "../protocol/constants.ts";
import { DIRENTS_LIST } from "../protocol/dirent.ts";
import { Rlist, Tlist, Twalkgetattr } from "../protocol/extension.ts";
import { type ByteString, ProtocolError } from "../protocol/wire.ts";
import type { GoferClient } from "./gofer_client.ts";

export { LIST_ALL, LIST_DIRS };

const tlist = new Tlist();
const rlist = new Rlist();
const twalk = new Twalkgetattr();

/**
 * Entries from a cookie on, in `c.entries`, with attributes of directories or of all (`attrs`:
 * LIST_*): 1 when the end of the directory is among them, else 0, or -errno; servers without the
 * extension: -EOPNOTSUPP.
 */
export function list(
  c: GoferClient,
  fid: number,
  offsetLo: number,
  offsetHi: number,
  attrs: number,
): number {
  if (!c.canDonate) return c.dead ? -EIO : -EOPNOTSUPP;
  tlist.fid = fid;
  tlist.offsetLo = offsetLo;
  tlist.offsetHi = offsetHi;
  tlist.count = c.connection.msize;
  tlist.attrs = attrs;
  const r = c.connection.call(tlist, rlist);
  if (r < 0) return r;
  c.entries.open(rlist.data, c.connection.reply.dv, DIRENTS_LIST);
  return rlist.isEnd ? 1 : 0;
}

/** The next entry, in `c.entries`; false at the end, and when the server's entry is malformed. */
export function nextEntry(c: GoferClient): boolean {
  try {
    return c.entries.next();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    c.connection.die(error.message);
    return false;
  }
}

/** The results of `walkList`. */
export interface WalkedList {
  /** As `walkGetattr` returns it; the attributes are in `c.walk`. */
  walked: number;
  /** As `list` returns it; valid only if all names were walked. */
  listed: number;
}

/** `walkGetattr` that binds `newFid`, and `list` of what it finds, in one round trip. */
export function walkList(
  c: GoferClient,
  fid: number,
  newFid: number,
  names: readonly ByteString[],
  attrs: number,
  out: WalkedList,
): void {
  out.walked = out.listed = c.dead ? -EIO : -EOPNOTSUPP;
  if (!c.canDonate || names.length > WALKGETATTR_NAMES_MAX) return;
  const { connection } = c;
  twalk.fid = fid;
  twalk.newFid = newFid;
  twalk.open = OPEN_NONE;
  twalk.names.set(names);
  const tag = connection.prepare(twalk);
  out.listed = list(c, newFid, 0, 0, attrs);
  out.walked = -EIO;
  if (c.dead) return;
  const r = connection.takeReply(tag, c.walk);
  const isFitting = r < 0 || c.walk.count <= Math.max(1, names.length);
  if (!isFitting) connection.die("a walk with too many attributes");
  else out.walked = r < 0 ? r : c.walk.count;
}
