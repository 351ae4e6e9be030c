/**
 * Attributes of netlink messages (rtnetlink(7), "Routing attributes"), with values as byte strings.
 */

import { NLA_TYPE_MASK, Rtattr } from "../../../ffi/abi/netlink.ts";
import { stringToBytes } from "../../core/bytes.ts";

export type Attributes = ReadonlyMap<number, string>;

/** The attributes behind `from`; of several with one type the last. A cut attribute is left out. */
export function readAttributes(body: DataView, from: number): Attributes {
  const found = new Map<number, string>();
  for (let at = from; at + Rtattr.size <= body.byteLength;) {
    const length = body.getUint16(at + Rtattr.at.len, true);
    if (length < Rtattr.size || at + length > body.byteLength) break;
    let bytes = "";
    for (let i = at + Rtattr.size; i < at + length; i++) {
      bytes += String.fromCharCode(body.getUint8(i));
    }
    found.set(body.getUint16(at + Rtattr.at.type, true) & NLA_TYPE_MASK, bytes);
    at += (length + 3) & ~3;
  }
  return found;
}

/** The attributes nested in an attribute, behind its first `from` bytes. */
export function nestedAttributes(bytes: string | undefined, from = 0): Attributes {
  if (bytes === undefined || bytes.length < from) return new Map();
  return readAttributes(new DataView(stringToBytes(bytes).buffer), from);
}

/** The text up to the first NUL. */
export function textOf(bytes: string | undefined): string {
  return (bytes ?? "").replace(/\0[^]*$/, "");
}

/** The value as a 32-bit number; undefined: no attribute. */
export function u32Of(bytes: string | undefined): number | undefined {
  if (bytes === undefined || bytes.length < 4) return undefined;
  return new DataView(stringToBytes(bytes).buffer).getUint32(0, true);
}
