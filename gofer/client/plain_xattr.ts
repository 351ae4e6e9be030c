/**
 * Extended attributes by the base protocol: a fid that is a stream of the value. Used by
 * gofer_client.ts only.
 */

import { XATTR_SIZE_MAX } from "../../ffi/abi/fs.ts";
import { EIO, ERANGE } from "../../ffi/abi/errno.ts";
import * as C from "../protocol/constants.ts";
import { EmptyMessage, FidMessage } from "../protocol/message.ts";
import { Rwalk, Twalk } from "../protocol/walk.ts";
import type { ByteString } from "../protocol/wire.ts";
import { latin1 } from "../protocol/wire.ts";
import { Rxattrwalk, Txattrcreate, Txattrwalk } from "../protocol/xattr.ts";
import type { GoferClient } from "./gofer_client.ts";

const txattrwalk = new Txattrwalk();
const rxattrwalk = new Rxattrwalk();
const txattrcreate = new Txattrcreate();
const rxattrcreate = new EmptyMessage(C.TXATTRCREATE + 1);
const twalk = new Twalk();
const rwalk = new Rwalk();
const tclunk = new FidMessage(C.TCLUNK);
const rclunk = new EmptyMessage(C.TCLUNK + 1);

/** Names in listxattr(2)'s form, each ended by a NUL. */
export function splitNames(list: ByteString): ByteString[] {
  return list.split("\0").filter((name) => name !== "");
}

function readStream(c: GoferClient, fid: number, size: number): Uint8Array<ArrayBuffer> | number {
  const value = new Uint8Array(size);
  for (let got = 0; got < size;) {
    const n = c.read(fid, got, size - got);
    if (n <= 0) return n === 0 ? -EIO : n;
    c.data.copyTo(value, got);
    got += n;
  }
  return value;
}

/** getxattr(2); an empty name reads the list of names. */
export function get(
  c: GoferClient,
  fid: number,
  name: ByteString,
  size: number,
): Uint8Array<ArrayBuffer> | number {
  const stream = c.fids.take();
  txattrwalk.fid = fid;
  txattrwalk.newFid = stream;
  txattrwalk.name.set(name);
  const r = c.connection.call(txattrwalk, rxattrwalk);
  if (r < 0) {
    c.fids.release(stream);
    return r;
  }
  const length = rxattrwalk.size;
  const value = length > size || length > XATTR_SIZE_MAX ? -ERANGE : readStream(c, stream, length);
  c.clunk(stream);
  return value;
}

/** listxattr(2): the names, or -errno. */
export function list(c: GoferClient, fid: number): ByteString[] | number {
  const names = get(c, fid, "", XATTR_SIZE_MAX);
  return typeof names === "number" ? names : splitNames(latin1(names, 0, -1));
}

/** setxattr(2): the value is set by the Tclunk at the end, so its reply counts. */
export function set(
  c: GoferClient,
  fid: number,
  name: ByteString,
  value: Uint8Array,
  flags: number,
): number {
  const stream = c.fids.take();
  twalk.fid = fid;
  twalk.newFid = stream;
  twalk.names.set([]);
  let r = c.connection.call(twalk, rwalk);
  if (r < 0) {
    c.fids.release(stream);
    return r;
  }
  txattrcreate.fid = stream;
  txattrcreate.name.set(name);
  txattrcreate.size = value.length;
  txattrcreate.flags = flags;
  r = c.connection.call(txattrcreate, rxattrcreate);
  for (let sent = 0; r >= 0 && sent < value.length;) {
    r = c.write(stream, sent, value, sent, value.length - sent);
    if (r === 0) r = -EIO;
    sent += r;
  }
  tclunk.fid = stream;
  const clunked = c.connection.call(tclunk, rclunk);
  c.fids.release(stream);
  return r < 0 ? r : clunked;
}

/** removexattr(2): a value of no bytes that replaces. */
export function remove(c: GoferClient, fid: number, name: ByteString): number {
  return set(c, fid, name, new Uint8Array(0), 2); // XATTR_REPLACE
}
