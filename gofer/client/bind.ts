/** Makes a UNIX socket on the host from which the client accepts connections. */

import { EIO, EOPNOTSUPP } from "../../ffi/abi/errno.ts";
import { AttrReply } from "../protocol/attributes.ts";
import * as C from "../protocol/constants.ts";
import { Tbindfd } from "../protocol/extension.ts";
import type { ByteString } from "../protocol/wire.ts";
import type { GoferClient } from "./gofer_client.ts";

const tbindfd = new Tbindfd();
const rbindfd = new AttrReply(C.TBINDFD + 1);

/**
 * Returns a listening, non-blocking stream socket with a new name: a descriptor that the caller
 * owns, with attributes of the file in `c.attr`. -EOPNOTSUPP where clients may not make sockets.
 */
export function bindFd(
  c: GoferClient,
  dirFid: number,
  name: ByteString,
  mode: number,
  uid: number,
  gid: number,
): number {
  if (!c.canDonate) return c.dead ? -EIO : -EOPNOTSUPP;
  tbindfd.dirFid = dirFid;
  tbindfd.name.set(name);
  tbindfd.mode = mode;
  tbindfd.uid = uid;
  tbindfd.gid = gid;
  const r = c.connection.call(tbindfd, rbindfd);
  c.attr = rbindfd.attr;
  return r < 0 ? r : c.takeFd();
}
