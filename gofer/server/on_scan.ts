/** Handler of Tscan, which reads many directories. Neighbour: backend/tree_scan.ts. */

import { EBADF, EINVAL, ENOTDIR } from "../../ffi/abi/errno.ts";
import { scanTrees } from "../backend/tree_scan.ts";
import * as C from "../protocol/constants.ts";
import { decode } from "../protocol/message.ts";
import { Tscan } from "../protocol/scan.ts";
import type { Session } from "./session.ts";

const tscan = new Tscan();
/** Frame and count[4]. */
const DATA_HEADER_BYTES = C.HEADER_BYTES + 4;

/**
 * Directories that cannot be opened or do not fit are left out; the client requests them
 * separately.
 */
export function onScan(s: Session): number {
  const m = tscan;
  decode(s.in, m);
  const fid = s.fid(m.fid);
  if (fid === null) return -EBADF;
  if (!fid.isDirectory) return -ENOTDIR;
  if ((m.flags & ~C.SCAN_ALL) !== 0) return -EINVAL;
  const room = Math.min(m.count, s.msize - DATA_HEADER_BYTES);
  const entries = Math.min(m.entries, C.SCAN_ENTRIES_MAX);
  s.beginReply(C.TSCAN + 1);
  const at = s.out.reserve(4);
  const r = scanTrees(fid, m.paths, m.flags, entries, room, s.out, s.outBase, s.service);
  if (r < 0) return r;
  s.out.dv.setUint32(at, s.out.pos - at - 4, true);
  return s.endReply();
}
