/**
 * Opens several files in one round trip: walks are queued and sent with the next request, and their
 * results are taken after its reply. kernel/fs/gofer/open_ahead.ts opens files of a directory so.
 */

import { EIO, EOPNOTSUPP } from "../../ffi/abi/errno.ts";
import { NOFID } from "../protocol/constants.ts";
import { Twalkgetattr } from "../protocol/extension.ts";
import type { ByteString } from "../protocol/wire.ts";
import type { GoferClient } from "./gofer_client.ts";

const twalk = new Twalkgetattr();

/**
 * Queues a walk of `names` from `fid` that opens the last file: a tag for `takeOpened`, or -errno.
 */
export function prepareOpen(
  c: GoferClient,
  fid: number,
  names: readonly ByteString[],
  flags: number,
): number {
  if (!c.canDonate || c.dead) return c.dead ? -EIO : -EOPNOTSUPP;
  twalk.fid = fid;
  twalk.newFid = NOFID;
  twalk.open = flags;
  twalk.names.set(names);
  return c.connection.prepare(twalk);
}

/**
 * The result of a queued walk of `asked` names, once the request behind it was answered: attribute
 * records in `c.walk`, or -errno. The caller owns the descriptor, `c.takeFd()`, if there is one.
 */
export function takeOpened(c: GoferClient, tag: number, asked: number): number {
  if (c.dead) return -EIO;
  const r = c.connection.takeReply(tag, c.walk);
  if (r < 0) return r;
  return c.walk.count <= asked ? c.walk.count : c.connection.die("a walk with too many attributes");
}
